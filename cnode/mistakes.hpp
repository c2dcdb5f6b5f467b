// What usually lies behind a dial that failed, as the end of a sentence for an operator. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cnode/byte_reader.hpp"
#include "cnode/epmd.hpp"
#include "node_name/node_name.hpp"

namespace rollcall::cnode {

// The port mapper does not have `alive`: what it has instead, and whether one of those was meant.
std::string registered_instead(std::string_view alive, std::span<const epmd::name_entry> names);
// A node that was dialled as `wanted` calls itself `own`: which line of its start is to be changed.
std::string otherwise_named(const node_name& wanted, const node_name& own);
// The first bytes of an answer to a handshake that are none: what speaks there. Empty: not known.
std::string_view spoken_there(std::span<const unsigned char> first);

}  // namespace rollcall::cnode
