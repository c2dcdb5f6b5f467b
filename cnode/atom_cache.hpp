// The atoms that a peer has sent over one link, by slot, and the table of those that one frame refers to.
// https://www.erlang.org/doc/apps/erts/erl_ext_dist.html ("Distribution Header"). Both hold atoms as terms
// have them (SMALL_ATOM_UTF8_EXT, ATOM_UTF8_EXT), so that a reference is replaced by what stands here.
#pragma once

#include <optional>

#include "cnode/term.hpp"

namespace rollcall::cnode {

class atom_table {
 public:
  void add(byte_view encoded);
  void clear() noexcept;
  std::size_t size() const noexcept { return ends_.size(); }
  byte_view at(std::size_t) const noexcept;  // below size()
  std::size_t footprint() const noexcept;

 private:
  byte_string bytes_;
  std::vector<std::uint32_t> ends_;
};

class atom_cache {
 public:
  static constexpr std::size_t slots = 2048;  // ERTS_ATOM_CACHE_SIZE, erts/emulator/beam/external.h

  // Absent: nothing was put there. Valid until the next put().
  std::optional<byte_view> find(std::uint16_t slot) const noexcept;
  // `encoded` must not look into this cache.
  void put(std::uint16_t slot, byte_view encoded);
  std::size_t footprint() const noexcept;

 private:
  // A link of a small cluster sees some dozens of atoms: a table of all slots would be mostly empty.
  struct entry {
    std::uint16_t slot, size;
    std::uint32_t at;
  };
  void compact();

  std::vector<entry> entries_;  // by slot
  byte_string bytes_;
  std::size_t in_use_ = 0;  // of bytes_; the rest was overwritten
};

}  // namespace rollcall::cnode
