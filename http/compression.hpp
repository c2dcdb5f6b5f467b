// Answers as gzip (RFC 1952) for clients that ask for it (RFC 9110, section 12.5.3), a slice at a time.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/routes.hpp"

namespace rollcall::http {

// Below it, what is saved is less than one packet.
inline constexpr std::size_t least_compressed = 4U << 10;

// Whether the field Accept-Encoding (several joined by commas) takes gzip.
bool takes_gzip(std::string_view accept_encoding);

// Whether it may go out as gzip: then it says so to caches, compressed or not.
bool compressible(const answer&);

// The same answer as gzip. Each call of `next` compresses one slice of the body, about 64 KiB, so that others
// are answered in between. Throws std::bad_alloc.
answer compressed(answer);

}  // namespace rollcall::http
