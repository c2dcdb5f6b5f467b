// What is read of a name server's answer beside its records (RFC 1035 4.1): whether it was cut short, and how
// long it may be kept. Nothing is read that was not bounds-checked.
//
//   header   id:16 flags:16 questions:16 answers:16 authority:16 additional:16
//   question name type:16 class:16
//   record   name type:16 class:16 ttl:32 length:16 data
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

namespace rollcall::discovery {

struct glance {
  bool truncated = false;  // TC: there is more than fits
  std::uint16_t answers = 0;
  // The shortest time to live in the answer; of a negative one what its SOA says (RFC 2308 5).
  std::optional<std::chrono::seconds> ttl;
};

// Absent: it is no whole message.
std::optional<glance> look_at(std::span<const unsigned char> message);

}  // namespace rollcall::discovery
