// Whether a PEM file is whole. OpenSSL passes over text that is no part, and with it over a part whose first
// line is cut. RFC 7468.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace rollcall::tls {

struct pem_cut {
  std::size_t certificates = 0;  // whole ones before it
  bool certificate = true;       // it is one, as far as can be seen
};

// Of the parts of `text`, the first that has not both of its lines; absent: each has.
std::optional<pem_cut> cut_in(std::string_view text);

}  // namespace rollcall::tls
