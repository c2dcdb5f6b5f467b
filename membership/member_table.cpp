// The members in order of name, found by name or id.
#include "membership/member_table.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::membership {

void records_by_id::add(member_record& record) {
  if (2 * ++count_ > slots_.size()) {
    const auto before = std::exchange(slots_, std::vector<member_record*>(2 * slots_.size()));
    for (auto* each : before) {
      if (each != nullptr) place(*each);
    }
  }
  place(record);
}

void records_by_id::place(member_record& record) {
  auto at = record.id & mask();
  while (slots_[at] != nullptr) at = (at + 1) & mask();
  slots_[at] = &record;
}

// Those behind it move up, as far as their own ids allow: a search ends at the first empty slot.
void records_by_id::remove(const member_record& record) {
  auto gap = record.id & mask();
  while (slots_[gap] != nullptr && slots_[gap] != &record) gap = (gap + 1) & mask();
  if (slots_[gap] == nullptr) return;
  --count_;
  for (auto at = (gap + 1) & mask(); slots_[at] != nullptr; at = (at + 1) & mask()) {
    const auto from_home = (at - slots_[at]->id) & mask(), from_gap = (at - gap) & mask();
    if (from_home < from_gap) continue;
    slots_[gap] = slots_[at];
    gap = at;
  }
  slots_[gap] = nullptr;
}

member_record* member_table::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found != by_name_.end() ? found->second : nullptr;
}

member_record& member_table::add(node_name name) {
  auto& record = *added_.emplace_back(std::make_unique<member_record>(std::move(name)));
  record.id = next_id_++;
  record.rank = none;
  by_name_[record.name.text()] = &record;
  by_id_.add(record);
  return record;
}

void member_table::remove(member_record& record) {
  const auto named = by_name_.find(record.name.text());
  if (named != by_name_.end() && named->second == &record) by_name_.erase(named);
  by_id_.remove(record);
  removed_.push_back(record.id);
}

std::vector<std::size_t> member_table::settle() {
  std::ranges::sort(removed_);
  const auto gone = [this](const std::unique_ptr<member_record>& record) {
    return std::ranges::binary_search(removed_, record->id);
  };
  std::ranges::move(added_, std::back_inserter(ordered_));
  added_.clear();
  std::erase_if(ordered_, gone);
  removed_.clear();
  std::ranges::sort(ordered_, [](const auto& a, const auto& b) { return a->name < b->name; });
  std::vector<std::size_t> previous(ordered_.size());
  for (std::size_t rank = 0; rank < ordered_.size(); ++rank) {
    previous[rank] = ordered_[rank]->rank;
    ordered_[rank]->rank = rank;
  }
  return previous;
}

std::size_t member_table::mesh(name_kind kind, const std::string& base) {
  if (base.empty()) return kind == name_kind::long_name ? 0 : 1;
  const auto known = bases_.find({base, kind});
  if (known != bases_.end()) return known->second;
  // Deploys come and go: the index of one that nobody belongs to any more is taken again.
  std::vector<bool> used(meshes_ + 1, false);
  used[0] = used[1] = true;
  const auto mark = [&used](const records& some) {
    for (const auto& m : some) used[m->mesh] = true;
  };
  mark(ordered_);
  mark(added_);
  std::erase_if(bases_, [&used](const auto& each) { return !used[each.second]; });
  const auto free = static_cast<std::size_t>(std::ranges::find(used, false) - used.begin());
  meshes_ = std::max(meshes_, free + 1);
  bases_.emplace(std::pair(base, kind), free);
  return free;
}

}  // namespace rollcall::membership
