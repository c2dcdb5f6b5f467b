#include "cnode/atom_cache.hpp"

#include <algorithm>

namespace rollcall::cnode {
namespace {

// What may lie unused besides as much as is in use.
constexpr std::size_t tolerated = 1024;

}  // namespace

void atom_table::add(byte_view encoded) {
  bytes_.append(encoded);
  ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
}

void atom_table::clear() noexcept {
  bytes_.clear();
  ends_.clear();
}

byte_view atom_table::at(std::size_t index) const noexcept {
  const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
  return byte_view(bytes_).substr(begin, ends_[index] - begin);
}

std::size_t atom_table::footprint() const noexcept {
  return bytes_.capacity() + ends_.capacity() * sizeof(std::uint32_t);
}

std::optional<byte_view> atom_cache::find(std::uint16_t slot) const noexcept {
  const auto found = std::ranges::lower_bound(entries_, slot, {}, &entry::slot);
  if (found == entries_.end() || found->slot != slot) return {};
  return byte_view(bytes_).substr(found->at, found->size);
}

void atom_cache::put(std::uint16_t slot, byte_view encoded) {
  auto found = std::ranges::lower_bound(entries_, slot, {}, &entry::slot);
  if (found == entries_.end() || found->slot != slot) {
    found = entries_.insert(found, {slot, 0, 0});
  } else if (byte_view(bytes_).substr(found->at, found->size) == encoded) {
    return;
  }
  in_use_ += encoded.size();
  in_use_ -= found->size;
  found->at = static_cast<std::uint32_t>(bytes_.size());
  found->size = static_cast<std::uint16_t>(encoded.size());
  bytes_.append(encoded);
  if (bytes_.size() > 2 * in_use_ + tolerated) compact();
}

void atom_cache::compact() {
  byte_string kept;
  kept.reserve(in_use_);
  for (auto& each : entries_) {
    const auto at = static_cast<std::uint32_t>(kept.size());
    kept.append(bytes_, each.at, each.size);
    each.at = at;
  }
  bytes_ = std::move(kept);
}

std::size_t atom_cache::footprint() const noexcept {
  return bytes_.capacity() + entries_.capacity() * sizeof(entry);
}

}  // namespace rollcall::cnode
