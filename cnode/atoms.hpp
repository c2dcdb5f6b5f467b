// A list of atoms without a tree of terms: what erlang:nodes/0 answers.
#pragma once

#include "cnode/term.hpp"

namespace rollcall::cnode {

// The texts of the atoms in a proper list that check_term has accepted, as views into it: for a view of a
// thousand names, which as a tree would be three thousand allocations. Other elements are passed over, and
// atoms that are not UTF-8, which no node since OTP 20 sends; absent when it is no proper list.
std::optional<std::vector<byte_view>> atoms_in(byte_view checked);

}  // namespace rollcall::cnode
