#include "membership/path_book.hpp"

namespace rollcall::membership {

std::optional<path_book::finding> path_book::last(const member_record& on, const member_record& to) const {
  const auto found = entries_.find(key_of(on, to));
  if (found == entries_.end() || !found->second.known) return std::nullopt;
  return found->second.found;
}

bool path_book::under_way(const member_record& on, const member_record& to) const {
  const auto found = entries_.find(key_of(on, to));
  return found != entries_.end() && found->second.under_way;
}

bool path_book::ask(const member_record& on, const member_record& to, milliseconds limit, milliseconds now,
                    std::vector<any_action>& actions) {
  if (under_way(on, to)) return true;
  auto& asked = asked_of_[on.id];
  if (requests_.size() >= max_under_way || asked >= max_under_way_of_one) return false;
  ++asked;
  auto& e = entries_[key_of(on, to)];
  e.under_way = true;
  e.asked_at = now;
  const auto id = next_++;
  requests_.emplace(id, key_of(on, to));
  actions.emplace_back(action::probe_path{.id = id, .on = on.name, .to = to.name, .limit = limit});
  return true;
}

bool path_book::answered(const fact::path_probed& told, milliseconds now) {
  const auto request = requests_.find(told.id);
  if (request == requests_.end()) return false;
  const auto pair = request->second;
  requests_.erase(request);
  const auto asked = asked_of_.find(static_cast<std::uint32_t>(pair >> 32U));
  if (asked != asked_of_.end() && --asked->second == 0) asked_of_.erase(asked);
  const auto found = entries_.find(pair);
  if (found == entries_.end()) return false;  // forgotten meanwhile
  auto& e = found->second;
  e.under_way = false;
  if (told.result == path_probe::no_word) {
    if (!e.known) entries_.erase(found);
    return true;
  }
  e.known = true;
  e.found = {told.result, e.asked_at, now};
  return true;
}

void path_book::forget(const member_record& m) {
  std::erase_if(entries_,
                [&](const auto& e) { return e.first >> 32U == m.id || (e.first & 0xffffffffU) == m.id; });
}

void path_book::sweep(milliseconds now, milliseconds keep) {
  std::erase_if(entries_, [&](const auto& e) {
    return !e.second.under_way && now - e.second.found.answered_at > keep;
  });
}

bool path_book::works(const member_record& a, const member_record& b, milliseconds since) const {
  for (const auto& found : {last(a, b), last(b, a)}) {
    if (found && found->result == path_probe::reachable && found->asked_at >= since) return true;
  }
  return false;
}

bool path_book::fails(const member_record& a, const member_record& b, milliseconds since) const {
  for (const auto& found : {last(a, b), last(b, a)}) {
    if (!found || found->result == path_probe::reachable || found->asked_at < since) return false;
  }
  return true;
}

}  // namespace rollcall::membership
