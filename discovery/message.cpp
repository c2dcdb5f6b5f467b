#include "discovery/message.hpp"

#include <algorithm>

namespace rollcall::discovery {
namespace {

constexpr std::size_t header_size = 12;
constexpr std::uint16_t flag_truncated = 0x0200;
constexpr std::uint16_t type_soa = 6;
// RFC 2181 8: a TTL with the top bit set is to be taken as zero.
constexpr std::uint32_t max_ttl = 0x7fffffff;

class reader {
 public:
  explicit reader(std::span<const unsigned char> bytes) : bytes_(bytes) {}
  bool skip(std::size_t count) {
    if (bytes_.size() - at_ < count) return false;
    at_ += count;
    return true;
  }
  std::optional<std::uint16_t> u16() {
    if (bytes_.size() - at_ < 2) return std::nullopt;
    const auto value = static_cast<std::uint16_t>((bytes_[at_] << 8) | bytes_[at_ + 1]);
    at_ += 2;
    return value;
  }
  std::optional<std::uint32_t> u32() {
    const auto high = u16(), low = u16();
    if (!high || !low) return std::nullopt;
    return (std::uint32_t{*high} << 16) | *low;
  }
  // Labels up to the root or to a pointer, which is not followed.
  bool skip_name() {
    while (at_ < bytes_.size()) {
      const auto length = bytes_[at_];
      if (length == 0) return skip(1);
      if ((length & 0xc0) == 0xc0) return skip(2);
      if ((length & 0xc0) != 0 || !skip(std::size_t{1} + length)) return false;
    }
    return false;
  }

 private:
  std::span<const unsigned char> bytes_;
  std::size_t at_ = 0;
};

struct record {
  std::uint16_t type;
  std::uint32_t ttl;
};

// The minimum of an SOA bounds its TTL; it is the last of its five numbers.
std::optional<record> next_record(reader& from) {
  if (!from.skip_name()) return std::nullopt;
  const auto type = from.u16(), of_class = from.u16();
  const auto ttl = from.u32();
  const auto length = from.u16();
  if (!type || !of_class || !ttl || !length) return std::nullopt;
  auto data = from;
  if (!from.skip(*length)) return std::nullopt;
  record found{*type, *ttl > max_ttl ? 0 : *ttl};
  if (*type == type_soa && *length >= 4 && data.skip(*length - std::size_t{4})) {
    found.ttl = std::min(found.ttl, data.u32().value_or(0));
  }
  return found;
}

}  // namespace

std::optional<glance> look_at(std::span<const unsigned char> message) {
  if (message.size() < header_size) return std::nullopt;
  reader from(message);
  from.skip(2);
  const auto flags = from.u16().value_or(0);
  const auto questions = from.u16().value_or(0), answers = from.u16().value_or(0);
  const auto authority = from.u16().value_or(0);
  from.skip(2);
  glance seen{.truncated = (flags & flag_truncated) != 0, .answers = answers, .ttl = {}};
  for (int i = 0; i < questions; ++i) {
    if (!from.skip_name() || !from.skip(4)) return std::nullopt;
  }
  const auto shorten = [&seen](std::uint32_t ttl) {
    const std::chrono::seconds given(ttl);
    seen.ttl = seen.ttl ? std::min(*seen.ttl, given) : given;
  };
  for (int i = 0; i < answers; ++i) {
    const auto one = next_record(from);
    if (!one) return std::nullopt;
    shorten(one->ttl);
  }
  for (int i = 0; answers == 0 && i < authority; ++i) {
    const auto one = next_record(from);
    if (!one) break;
    if (one->type == type_soa) shorten(one->ttl);
  }
  return seen;
}

}  // namespace rollcall::discovery
