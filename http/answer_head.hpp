// The status line and the fields of an answer (RFC 9112 section 4, RFC 9110 for the fields).
#pragma once

#include <string>
#include <string_view>

#include "http/routes.hpp"

namespace rollcall::http {

// How the client learns where the body ends.
enum class delivery { whole, chunked, until_close };

std::string head_of(const answer&, std::string_view version, bool keep_alive, delivery);

}  // namespace rollcall::http
