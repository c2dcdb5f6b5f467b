#include "membership/path_book.hpp"

#include <algorithm>

namespace rollcall::membership {

// The plan asks several things about both directions of a pair before it comes to the next one.
const path_book::entry* path_book::find(key k) const {
  auto& last = found_[on_of(k) < to_of(k) ? 0 : 1];
  if (last.of != k) {
    const auto known = entries_.find(k);
    last = {k, known != entries_.end() ? &known->second : nullptr};
  }
  return last.is;
}

std::optional<path_book::finding> path_book::last(const member_record& on, const member_record& to,
                                                  probed_port port) const {
  const auto* e = find(key_of(on, to, port));
  if (e == nullptr || !e->known) return std::nullopt;
  return e->found;
}

bool path_book::under_way(const member_record& on, const member_record& to, probed_port port) const {
  const auto* e = find(key_of(on, to, port));
  return e != nullptr && e->under_way;
}

bool path_book::said_nothing(const member_record& on, const member_record& to, probed_port port) const {
  const auto* e = find(key_of(on, to, port));
  return e != nullptr && !e->under_way && e->no_words > 0;
}

bool path_book::declined(const member_record& on, const member_record& to, probed_port port) const {
  return said_nothing(on, to, port) && !entries_.find(key_of(on, to, port))->second.too_late;
}

std::optional<steady_time> path_book::mute_until(const member_record& on, const member_record& to) const {
  const auto* e = find(key_of(on, to, probed_port::distribution));
  return e != nullptr ? mute_until(*e, on) : std::nullopt;
}

std::optional<steady_time> path_book::mute_until(const entry& e, const member_record& on) const {
  const auto word = last_word_.find(on.id);
  const bool speaks = word != last_word_.end() && word->second > e.asked_at;
  const bool quick_again = e.too_late && on.heard_at > *e.too_late && on.round_trip <= e.limit;
  return speaks || quick_again ? std::min<std::optional<steady_time>>(e.mute_until, e.asked_at + first_mute)
                               : e.mute_until;
}

bool path_book::ask(const member_record& on, const member_record& to, milliseconds limit, steady_time now,
                    std::vector<any_action>& actions, probed_port port) {
  const auto k = key_of(on, to, port);
  if (const auto* known = find(k); known != nullptr) {
    if (known->under_way) return true;
    if (mute_until(*known, on) > now) return false;
  }
  auto& asked = asked_of_[on.id];
  if (requests_.size() >= max_under_way || asked >= max_under_way_of_one) return false;
  ++asked;
  found_ = {};
  const auto [at, is_new] = entries_.try_emplace(k);
  if (is_new) noted_.note(on.id, to.id);
  auto& e = at->second;
  e.under_way = true;
  e.asked_at = now;
  e.limit = limit;
  const auto id = next_++;
  requests_.emplace(id, k);
  actions.emplace_back(
      action::probe_path{.id = id, .on = on.name, .to = to.name, .limit = limit, .port = port});
  return true;
}

bool path_book::answered(const fact::path_probed& told, steady_time now) {
  const auto request = requests_.find(told.id);
  if (request == requests_.end()) return false;
  const auto pair = request->second;
  requests_.erase(request);
  const auto asked = asked_of_.find(on_of(pair));
  if (asked != asked_of_.end() && --asked->second == 0) asked_of_.erase(asked);
  const auto found = entries_.find(pair);
  if (found == entries_.end()) return false;  // forgotten meanwhile
  auto& e = found->second;
  e.under_way = false;
  e.too_late.reset();
  if (told.result == path_probe::no_word) {
    // Out of ports or descriptors it says so at once.
    if (now - e.asked_at >= e.limit) e.too_late = now;
    e.mute_until = now + std::min(longest_mute, first_mute * (1U << std::min(e.no_words++, 10U)));
    return true;
  }
  e.no_words = 0;
  e.mute_until.reset();
  auto& word = last_word_[on_of(pair)];
  word = std::max(word, e.asked_at);
  const bool still_dark = e.known && e.found.result != path_probe::reachable;
  e.known = true;
  e.found = {told.result, e.asked_at, now, still_dark ? e.found.dark_since : e.asked_at};
  return true;
}

void path_book::forget(const member_record& m) {
  found_ = {};
  for (const auto other : noted_.take(m.id)) {
    for (const auto port : {probed_port::distribution, probed_port::mapper, probed_port::handshake}) {
      entries_.erase(key_of(m.id, other, port));
      entries_.erase(key_of(other, m.id, port));
    }
  }
  last_word_.erase(m.id);
}

void path_book::sweep(steady_time now, milliseconds keep) {
  found_ = {};
  erase_if(entries_, [&](const auto& e) {
    const auto& kept = e.second;
    return !kept.under_way && kept.mute_until < now && now - kept.found.answered_at > keep &&
           now - kept.asked_at > keep;
  });
  if (8 * entries_.size() < entries_.bucket_count()) entries_.rehash(0);
  if (!noted_.outdated(entries_.size())) return;
  noted_.clear();
  for (const auto& [pair, kept] : entries_) noted_.note(on_of(pair), to_of(pair));
}

}  // namespace rollcall::membership
