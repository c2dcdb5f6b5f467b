#include "tls/pem.hpp"

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

std::optional<pem_cut> cut_in(std::string_view text) {
  pem_cut at;
  std::optional<std::string_view> open;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const bool last = end == std::string_view::npos;
    auto line = text.substr(0, end);
    text.remove_prefix(last ? text.size() : end + 1);
    // As OpenSSL does: whatever is no more than a blank.
    while (!line.empty() && static_cast<unsigned char>(line.back()) <= ' ') line.remove_suffix(1);
    if (line.starts_with(begins)) {
      at.certificate = !open || names_certificate(*open);
      if (open) return at;
      open = label_of(line, begins);
      if (!open) return at;
    } else if (line.starts_with(ends)) {
      if (!open) return at;
      at.certificate = names_certificate(*open);
      if (label_of(line, ends) != open) return at;
      if (at.certificate) ++at.certificates;
      open.reset();
    } else if (last && !open && !line.empty() && begins.starts_with(line)) {
      at.certificate = true;
      return at;
    }
  }
  if (!open) return {};
  at.certificate = names_certificate(*open);
  return at;
}

}  // namespace rollcall::tls
