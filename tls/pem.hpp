// Whether a PEM file is whole. OpenSSL passes over text that is no part, and with it over a part whose first
// line is cut. RFC 7468.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::tls {

// How many whole certificates are before the first of the parts of `text` that has not both of its lines;
// absent: each has.
std::optional<std::size_t> cut_in(std::string_view text);

// Why nothing of `text` may be used, and what to do, to be said behind the name of its file; empty: it may.
std::string why_no_pem(std::string_view text);

}  // namespace rollcall::tls
