// Capability flags, DFLAG_* in erts/emulator/beam/dist.h of OTP 25..29 (the protocol document has one of them
// wrong).
#pragma once

#include <cstdint>

namespace rollcall::cnode::flags {

inline constexpr std::uint64_t published = 0x1;
inline constexpr std::uint64_t atom_cache = 0x2;
inline constexpr std::uint64_t extended_references = 0x4;
inline constexpr std::uint64_t dist_monitor = 0x8;
inline constexpr std::uint64_t fun_tags = 0x10;
inline constexpr std::uint64_t dist_monitor_name = 0x20;
inline constexpr std::uint64_t new_fun_tags = 0x80;
inline constexpr std::uint64_t extended_pids_ports = 0x100;
inline constexpr std::uint64_t export_ptr_tag = 0x200;
inline constexpr std::uint64_t bit_binaries = 0x400;
inline constexpr std::uint64_t new_floats = 0x800;
inline constexpr std::uint64_t dist_hdr_atom_cache = 0x2000;
inline constexpr std::uint64_t utf8_atoms = 0x10000;
inline constexpr std::uint64_t map_tag = 0x20000;
inline constexpr std::uint64_t big_creation = 0x40000;
inline constexpr std::uint64_t exit_payload = 0x400000;
inline constexpr std::uint64_t fragments = 0x800000;
inline constexpr std::uint64_t handshake_23 = 0x1000000;
inline constexpr std::uint64_t unlink_id = 0x2000000;
inline constexpr std::uint64_t mandatory_25_digest = 0x4000000;
inline constexpr std::uint64_t spawn = 1ULL << 32;
inline constexpr std::uint64_t name_me = 1ULL << 33;
inline constexpr std::uint64_t v4_nc = 1ULL << 34;
inline constexpr std::uint64_t alias = 1ULL << 35;

// What every OTP from 23 on insists on (DFLAG_DIST_MANDATORY).
inline constexpr std::uint64_t mandatory = extended_references | fun_tags | extended_pids_ports | utf8_atoms |
                                           new_fun_tags | big_creation | new_floats | map_tag |
                                           export_ptr_tag | bit_binaries | handshake_23;

// Of what we announce, what a link without distribution headers has.
inline constexpr std::uint64_t plain =
    mandatory | dist_monitor | dist_monitor_name | spawn | alias | v4_nc | unlink_id | mandatory_25_digest;
// What we announce. Not `published`: that is what makes this a hidden node. Not send-sender: it is not
// implemented. The old `atom_cache` is nobody's any more.
inline constexpr std::uint64_t ours = plain | dist_hdr_atom_cache | fragments | exit_payload;

// What a peer must have announced to be sent a monitor. libei announces the first of them, and fails in
// ei_receive_msg when one comes; every BEAM announces both.
inline constexpr std::uint64_t takes_monitors = dist_monitor | dist_monitor_name;

constexpr bool has(std::uint64_t announced, std::uint64_t wanted) {
  return (announced & wanted) == wanted;
}

}  // namespace rollcall::cnode::flags
