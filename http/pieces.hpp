// How much of an answer that is made piece by piece one turn of the loop makes.
#pragma once

#include <string>

#include "http/routes.hpp"

namespace rollcall::http {

// Appends about `size` bytes of answer::next, or fewer where most of what it looks at is left out. False once
// there is no more.
bool append_pieces(const answer&, std::string& out, std::size_t size);

}  // namespace rollcall::http
