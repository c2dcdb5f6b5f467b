#include "discovery/spelling.hpp"

#include "discovery/search_list.hpp"

namespace rollcall::discovery {
namespace {

constexpr std::size_t max_names = 16'384, max_habits = 64;

}  // namespace

bool own_spellings::learn(const node_name& listed, const node_name& own,
                          std::span<const std::string> search) {
  if (listed.alive() != own.alive() || !same_host(listed.host(), own.host(), search)) return false;
  if (names_.size() >= max_names) names_.clear();
  names_.insert_or_assign(listed, own);
  if (listed.host().starts_with(own.host()) && listed.host().size() > own.host().size() &&
      habits_.size() < max_habits) {
    habits_.emplace(std::string(listed.alive()), std::string(listed.host().substr(own.host().size())));
  }
  return true;
}

std::optional<node_name> own_spellings::of(const node_name& listed) const {
  if (const auto found = names_.find(listed); found != names_.end()) return found->second;
  for (const auto& [alive, ending] : habits_) {
    if (listed.alive() != alive || !listed.host().ends_with(ending)) continue;
    const auto host = listed.host().substr(0, listed.host().size() - ending.size());
    if (auto name = node_name::make(alive, host)) return std::move(*name);
  }
  return std::nullopt;
}

}  // namespace rollcall::discovery
