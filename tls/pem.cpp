#include "tls/pem.hpp"

#include <fmt/format.h>

namespace rollcall::tls {
namespace {

constexpr std::string_view begins = "-----BEGIN ", ends = "-----END ", dashes = "-----";

// What such a line names; absent where it is cut.
std::optional<std::string_view> label_of(std::string_view line, std::string_view marker) {
  line.remove_prefix(marker.size());
  if (line.size() <= dashes.size() || !line.ends_with(dashes)) return {};
  return line.substr(0, line.size() - dashes.size());
}

bool names_certificate(std::string_view label) {
  return label.find("CERTIFICATE") != std::string_view::npos;
}

}  // namespace

std::optional<std::size_t> cut_in(std::string_view text) {
  std::size_t certificates = 0;
  std::optional<std::string_view> open;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const bool last = end == std::string_view::npos;
    auto line = text.substr(0, end);
    text.remove_prefix(last ? text.size() : end + 1);
    // As OpenSSL does: whatever is no more than a blank.
    while (!line.empty() && static_cast<unsigned char>(line.back()) <= ' ') line.remove_suffix(1);
    if (line.starts_with(begins)) {
      if (open) return certificates;
      open = label_of(line, begins);
      if (!open) return certificates;
    } else if (line.starts_with(ends)) {
      if (!open || label_of(line, ends) != open) return certificates;
      if (names_certificate(*open)) ++certificates;
      open.reset();
    } else if (last && !open && !line.empty() && begins.starts_with(line)) {
      return certificates;
    }
  }
  if (!open) return {};
  return certificates;
}

std::string why_no_pem(std::string_view text) {
  // Of UTF-8 and UTF-16. OpenSSL takes the line behind it for text.
  for (const std::string_view mark : {"\xef\xbb\xbf", "\xfe\xff", "\xff\xfe"}) {
    if (text.starts_with(mark)) return "begins with a byte order mark: save it as plain text, without one";
  }
  const auto before = cut_in(text);
  if (!before) return {};
  return *before == 0 ? "is cut off: copy it whole"
                      : fmt::format("is cut off behind certificate {}: copy it whole", *before);
}

}  // namespace rollcall::tls
