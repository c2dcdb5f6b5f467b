#include "cnode/referring_term.hpp"

#include <algorithm>
#include <unordered_map>

#include "cnode/atom_cache.hpp"
#include "cnode/term_check.hpp"
#include "cnode/term_tag.hpp"

namespace rollcall::cnode {
namespace {

constexpr std::size_t unnumbered = max_referred_atoms;

struct use {
  byte_view encoded;
  std::size_t count = 0, number = unnumbered;
};

// Those that the table has get their number in it.
std::vector<referring_term::entry> table_of(std::vector<use>& uses) {
  std::vector<use*> by_count;
  by_count.reserve(uses.size());
  for (auto& each : uses) by_count.push_back(&each);
  std::ranges::stable_sort(by_count, std::ranges::greater(), &use::count);
  std::vector<bool> taken(atom_cache::slots);
  std::vector<referring_term::entry> table;
  for (auto* each : by_count) {
    if (table.size() == max_referred_atoms) break;
    const auto slot = slot_of(each->encoded);
    if (taken[slot]) continue;
    taken[slot] = true;
    each->number = table.size();
    table.push_back({slot, byte_string(each->encoded)});
  }
  return table;
}

}  // namespace

std::uint16_t slot_of(byte_view encoded) {
  return static_cast<std::uint16_t>(std::hash<byte_view>()(encoded) % atom_cache::slots);
}

referring_term refer(byte_view checked) {
  const auto places = atom_places(checked);
  if (!places) return {{}, byte_string(checked)};
  std::vector<use> uses;
  std::unordered_map<byte_view, std::size_t> index;
  std::vector<std::size_t> of_place;
  of_place.reserve(places->size());
  for (const auto& [at, size] : *places) {
    const auto encoded = checked.substr(at, size);
    const auto [found, added] = index.emplace(encoded, uses.size());
    if (added) uses.push_back({encoded});
    ++uses[found->second].count;
    of_place.push_back(found->second);
  }
  referring_term made;
  made.atoms = table_of(uses);
  made.bytes.reserve(checked.size());
  std::size_t copied = 0;
  for (std::size_t i = 0; i < places->size(); ++i) {
    const auto number = uses[of_place[i]].number;
    if (number == unnumbered) continue;
    const auto [at, size] = (*places)[i];
    made.bytes.append(checked.substr(copied, at - copied));
    made.bytes.push_back(static_cast<char>(term_tag::atom_reference));
    made.bytes.push_back(static_cast<char>(number));
    copied = at + size;
  }
  made.bytes.append(checked.substr(copied));
  made.bytes.shrink_to_fit();
  return made;
}

std::shared_ptr<const referring_term> referring_terms::of(const std::shared_ptr<const byte_string>& encoded) {
  if (!encoded || encoded->size() < smallest) return nullptr;
  for (auto& each : entries_) {
    if (each.of.owner_before(encoded) || encoded.owner_before(each.of)) continue;
    if (!each.made) each.made = std::make_shared<const referring_term>(refer(*encoded));
    return each.made;
  }
  std::erase_if(entries_, [](const entry& each) { return each.of.expired(); });
  if (entries_.size() == most) entries_.erase(entries_.begin());
  entries_.push_back({encoded, nullptr});
  return nullptr;
}

}  // namespace rollcall::cnode
