#include "discovery/last_answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "discovery/search_list.hpp"

namespace rollcall::discovery {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_listed = 10;  // names in one sentence

std::string list(const std::vector<node_name>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), max_listed); ++i) {
    text += i == 0 ? "" : ", ";
    text += shown(names[i]);
  }
  if (names.size() > max_listed) text += fmt::format(" and {} more", names.size() - max_listed);
  return text;
}

std::vector<node_name> names_of(const std::vector<entry>& entries) {
  std::vector<node_name> names;
  names.reserve(entries.size());
  for (const auto& each : entries) names.push_back(each.name);
  const auto rest = std::unique(names.begin(), names.end());
  names.erase(rest, names.end());
  return names;
}

std::string count_of(const std::vector<entry>& entries) {
  const bool places = !entries.empty() && is_pattern(entries.front().pattern);
  if (!places) return count_of_nodes(entries.size());
  return entries.size() == 1 ? "1 address" : fmt::format("{} addresses", entries.size());
}

std::vector<node_name> only_in_first(const std::vector<node_name>& first,
                                     const std::vector<node_name>& second) {
  std::vector<node_name> names;
  std::ranges::set_difference(first, second, std::back_inserter(names));
  return names;
}

// Places of two patterns are two; of several ports, as many.
std::string identity(const entry& one) {
  const auto& name = one.name;
  const auto host = normal_host(name.host());
  auto text = std::string(name.alive()) + '@' + (host ? *host : std::string(name.host()));
  if (!one.pattern.empty()) text += fmt::format(" {} {}", one.pattern, one.port.value_or(0));
  return text;
}

// One whose identity is its name as it is written.
bool is_plain(const entry& one) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyz0123456789-.";
  const auto host = one.name.host();
  return one.pattern.empty() && host.find_first_not_of(plain) == std::string_view::npos &&
         !host.ends_with('.');
}

// What is listed in quiet, again and again: it only needs its order.
bool are_united_in_order(std::vector<entry>& all) {
  if (!std::ranges::all_of(all, is_plain)) return false;
  if (!std::ranges::is_sorted(all, {}, &entry::name)) std::ranges::stable_sort(all, {}, &entry::name);
  return std::ranges::adjacent_find(all, {}, &entry::name) == all.end();
}

}  // namespace

std::string count_of_nodes(std::size_t count) {
  return count == 0 ? "no nodes" : count == 1 ? "1 node" : fmt::format("{} nodes", count);
}

std::vector<entry> unite(std::vector<entry> all) {
  if (are_united_in_order(all)) return all;
  std::map<std::string, entry> nodes;
  for (auto& each : all) {
    auto key = identity(each);
    const auto found = nodes.find(key);
    if (found == nodes.end()) {
      nodes.emplace(std::move(key), std::move(each));
      continue;
    }
    auto& known = found->second;
    if (!known.placed) known.placed = std::move(each.placed);
    if (!known.address && !known.port && (each.address || each.port)) {
      known.host = std::move(each.host);
      known.address = each.address;
      known.port = each.port;
    }
  }
  std::vector<entry> united;
  united.reserve(nodes.size());
  for (auto& [key, each] : nodes) united.push_back(std::move(each));
  std::ranges::sort(united, {}, &entry::name);
  return united;
}

last_answer::last_answer(std::string label, std::chrono::milliseconds linger,
                         std::function<bool(const node_name&)> linked)
    : linger_(linger), linked_(std::move(linked)) {
  status_.source = std::move(label);
}

void last_answer::hear(heard what, std::chrono::system_clock::time_point now,
                       std::vector<std::string>& changes) {
  status_.outcome = what.outcome;
  status_.ttl = what.ttl;
  std::set<std::string> remarks(what.remarks.begin(), what.remarks.end());
  switch (what.outcome) {
    case query_outcome::ok:
    case query_outcome::partial:
      status_.last_success = now;
      hear_answer(std::move(what), now, changes);
      for (const auto& each : remarks) {
        if (!remarks_.contains(each)) changes.push_back(fmt::format("{}: {}", status_.source, each));
      }
      remarks_ = std::move(remarks);
      break;
    case query_outcome::empty:
    case query_outcome::nxdomain:
      hear_nothing(what, now, changes);
      if (what.outcome == query_outcome::empty || believed_empty()) status_.last_success = now;
      break;
    default:
      hear_failure(what, changes);
  }
  status_.asked = true;
}

// Who is not in the answer, and is not gone yet for all that. What is heard is united, in order of name.
void last_answer::keep_absent(heard& what, std::chrono::system_clock::time_point now) {
  const bool again = std::ranges::equal(what.entries, entries_, {}, &entry::name, &entry::name) &&
                     std::ranges::equal(what.entries, seen_, [](const entry& one, const auto& seen) {
                       return one.name == seen.first;
                     });
  if (again) {
    for (auto& [name, at] : seen_) at = now;
    return;
  }
  for (const auto& each : what.entries) seen_[each.name] = now;
  const auto lists = [&what](const node_name& name) {
    const auto at = std::ranges::lower_bound(what.entries, name, {}, &entry::name);
    return at != what.entries.end() && at->name == name;
  };
  std::vector<entry> absent;
  for (const auto& each : entries_) {
    if (lists(each.name)) continue;
    const auto since = now - seen_[each.name];
    const bool untold = what.unanswered &&
                        (*what.unanswered == address_family::both ||
                         (each.address && each.address->is_v4() == (*what.unanswered == address_family::v4)));
    const bool alive = linked_ && linked_(each.name);
    if (since < linger_ || (untold && (alive || since < partial_keeps))) absent.push_back(each);
  }
  if (!absent.empty()) {
    std::ranges::move(absent, std::back_inserter(what.entries));
    what.entries = unite(std::move(what.entries));
  }
  std::erase_if(seen_, [&](const auto& one) { return !lists(one.first); });
}

void last_answer::hear_answer(heard what, std::chrono::system_clock::time_point now,
                              std::vector<std::string>& changes) {
  keep_absent(what, now);
  const auto before = std::move(status_.nodes);
  keep(std::move(what.entries));
  status_.detail = what.detail;
  doubt_no_more();
  const bool partial = what.outcome == query_outcome::partial;
  const bool again = !partial && !said_.empty();
  if (again) said_.clear();
  if (partial && said_.insert(what.outcome).second) {
    changes.push_back(fmt::format("{}: {}: {}; nobody is taken for gone because of it", status_.source,
                                  spoken(what.outcome), status_.detail));
  }

  const auto count = count_of(entries_);
  if (before.empty()) {
    if (again || !status_.asked || !entries_.empty()) {
      changes.push_back(fmt::format("{}: {}{}{}{}", status_.source, again ? "answers again: " : "", count,
                                    entries_.empty() ? "" : ": ", list(status_.nodes)));
    }
    return;
  }
  const auto text = differences(before, changes);
  if (!again && text.empty()) return;
  changes.push_back(fmt::format("{}: {}{}{}", status_.source, again ? "answers again: " : "", count, text));
}

void last_answer::revise(std::vector<entry> entries, std::vector<std::string>& changes) {
  if (entries == entries_) return;
  const auto before = std::move(status_.nodes);
  for (const auto& each : entries) {
    if (const auto known = each.listed_as ? seen_.find(*each.listed_as) : seen_.end(); known != seen_.end())
      seen_[each.name] = known->second;
  }
  keep(std::move(entries));
  const auto text = differences(before, changes);
  if (text.empty()) return;
  changes.push_back(fmt::format("{}: {}{}", status_.source, count_of(entries_), text));
}

// Who came and went, as the end of a sentence; another name for the same node is a sentence of its own.
std::string last_answer::differences(const std::vector<node_name>& before,
                                     std::vector<std::string>& changes) const {
  auto came = only_in_first(status_.nodes, before);
  auto gone = only_in_first(before, status_.nodes);
  std::string renamed;
  std::size_t count = 0;
  const auto rename = [&](const node_name& from, auto matches) {
    const auto left = std::ranges::find(gone, from);
    const auto real = std::ranges::find_if(came, matches);
    if (left == gone.end() || real == came.end()) return;
    if (++count == 1) renamed = fmt::format("{} calls itself {}", from.text(), real->text());
    gone.erase(left);
    came.erase(real);
  };
  for (const auto& each : entries_) {
    if (each.listed_as) rename(*each.listed_as, [&](const node_name& real) { return real == each.name; });
  }
  if (count > 1) renamed += fmt::format(", and {} more likewise", count - 1);
  if (count > 0) changes.push_back(fmt::format("{}: {}", status_.source, renamed));
  std::string text;
  if (!came.empty()) text += "; new: " + list(came);
  if (!gone.empty()) text += "; no longer listed: " + list(gone);
  return text;
}

bool last_answer::anybody_linked() const {
  return linked_ && std::ranges::any_of(entries_, [this](const entry& each) { return linked_(each.name); });
}

void last_answer::doubt_no_more() {
  empty_rounds_ = 0;
  believed_empty_ = false;
  cached_until_ = {};
}

// Of several name servers behind one address each has a cache of its own. One that was asked before there was
// anybody repeats that for its TTL, in as many rounds as fall to it: while somebody is linked, that is one
// saying and not several.
void last_answer::hear_nothing(const heard& what, std::chrono::system_clock::time_point now,
                               std::vector<std::string>& changes) {
  const auto until = now + std::min<std::chrono::seconds>(what.ttl.value_or(0s), longest_denial);
  if (empty_rounds_ < roster::empty_rounds_to_believe) {
    ++empty_rounds_;
    cached_until_ = std::max(cached_until_, until);
  }
  const bool often = empty_rounds_ >= roster::empty_rounds_to_believe;
  const bool cached = now < cached_until_ && anybody_linked();
  believed_empty_ = believed_empty_ || (often && !cached);
  const auto kept = entries_.size();
  if (kept > 0 && believed_empty()) {
    changes.push_back(fmt::format("{}: no nodes any more: {}; said {} times in a row", status_.source,
                                  what.detail, roster::empty_rounds_to_believe));
    keep({});
    status_.detail = what.detail;
    said_.insert(what.outcome);
    return;
  }
  status_.detail = what.detail;
  if (kept > 0) {
    status_.detail +=
        fmt::format("; the last answer ({}) stays in force until this is said {} times in a row{}",
                    count_of_nodes(kept), roster::empty_rounds_to_believe,
                    cached ? ", and for longer than a cache may repeat it, since nodes are linked" : "");
  }
  if (said_.insert(what.outcome).second) {
    changes.push_back(fmt::format("{}: {}: {}", status_.source, spoken(what.outcome), status_.detail));
  }
}

void last_answer::hear_failure(const heard& what, std::vector<std::string>& changes) {
  doubt_no_more();
  status_.detail = what.detail;
  status_.detail += entries_.empty()
                        ? "; no nodes are known from here"
                        : fmt::format("; the last answer ({}) stays in force", count_of(entries_));
  if (said_.insert(what.outcome).second) {
    changes.push_back(fmt::format("{}: {}: {}", status_.source, spoken(what.outcome), status_.detail));
  }
}

void last_answer::keep(std::vector<entry> entries) {
  entries_ = std::move(entries);
  status_.nodes = names_of(entries_);
  status_.records = entries_.size();
}

}  // namespace rollcall::discovery
