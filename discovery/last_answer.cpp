#include "discovery/last_answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "discovery/search_list.hpp"

namespace rollcall::discovery {
namespace {

constexpr std::size_t max_listed = 10;  // names in one sentence

std::string list(const std::vector<node_name>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), max_listed); ++i) {
    text += i == 0 ? "" : ", ";
    text += names[i].text();
  }
  if (names.size() > max_listed) text += fmt::format(" and {} more", names.size() - max_listed);
  return text;
}

std::string_view spoken(query_outcome outcome) {
  switch (outcome) {
    case query_outcome::ok:
      return "answers";
    case query_outcome::empty:
      return "no records";
    case query_outcome::nxdomain:
      return "NXDOMAIN";
    case query_outcome::servfail:
      return "SERVFAIL";
    case query_outcome::timeout:
      return "no answer";
    case query_outcome::error:
      return "error";
  }
  return "error";
}

std::vector<node_name> names_of(const std::vector<entry>& entries) {
  std::vector<node_name> names;
  names.reserve(entries.size());
  for (const auto& each : entries) names.push_back(each.name);
  return names;
}

std::vector<node_name> only_in_first(const std::vector<node_name>& first,
                                     const std::vector<node_name>& second) {
  std::vector<node_name> names;
  std::ranges::set_difference(first, second, std::back_inserter(names));
  return names;
}

std::string identity(const node_name& name) {
  const auto host = normal_host(name.host());
  return std::string(name.alive()) + '@' + (host ? *host : std::string(name.host()));
}

}  // namespace

std::string count_of_nodes(std::size_t count) {
  return count == 0 ? "no nodes" : count == 1 ? "1 node" : fmt::format("{} nodes", count);
}

std::vector<entry> unite(std::vector<entry> all) {
  std::map<std::string, entry> nodes;
  for (auto& each : all) {
    auto key = identity(each.name);
    const auto found = nodes.find(key);
    if (found == nodes.end()) {
      nodes.emplace(std::move(key), std::move(each));
      continue;
    }
    auto& known = found->second;
    if (known.host_is_guess && !each.host_is_guess) known.name = each.name;
    known.host_is_guess = known.host_is_guess && each.host_is_guess;
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

last_answer::last_answer(std::string label) {
  status_.source = std::move(label);
}

void last_answer::hear(heard what, std::chrono::system_clock::time_point now,
                       std::vector<std::string>& changes) {
  status_.outcome = what.outcome;
  std::set<std::string> remarks(what.remarks.begin(), what.remarks.end());
  switch (what.outcome) {
    case query_outcome::ok:
      status_.last_success = now;
      hear_answer(std::move(what), changes);
      for (const auto& each : remarks) {
        if (!remarks_.contains(each)) changes.push_back(fmt::format("{}: {}", status_.source, each));
      }
      remarks_ = std::move(remarks);
      break;
    case query_outcome::empty:
    case query_outcome::nxdomain:
      hear_nothing(what, changes);
      if (what.outcome == query_outcome::empty || believed_empty()) status_.last_success = now;
      break;
    default:
      hear_failure(what, changes);
  }
  status_.asked = true;
}

void last_answer::hear_answer(heard what, std::vector<std::string>& changes) {
  if (!what.complete) {
    what.entries.insert(what.entries.end(), entries_.begin(), entries_.end());
    what.entries = unite(std::move(what.entries));
  }
  const auto before = std::move(status_.nodes);
  std::vector<node_name> guesses;
  for (const auto& each : entries_) {
    if (each.host_is_guess) guesses.push_back(each.name);
  }
  keep(std::move(what.entries));
  status_.detail.clear();
  empty_rounds_ = 0;
  const bool again = !said_.empty();
  said_.clear();

  const auto count = count_of_nodes(entries_.size());
  if (before.empty()) {
    if (again || !status_.asked || !entries_.empty()) {
      changes.push_back(fmt::format("{}: {}{}{}{}", status_.source, again ? "answers again: " : "", count,
                                    entries_.empty() ? "" : ": ", list(status_.nodes)));
    }
    return;
  }
  auto came = only_in_first(status_.nodes, before);
  auto gone = only_in_first(before, status_.nodes);
  for (const auto& guess : guesses) {
    const auto left = std::ranges::find(gone, guess);
    const auto real = std::ranges::find(came, guess.alive(), &node_name::alive);
    if (left == gone.end() || real == came.end()) continue;
    changes.push_back(fmt::format("{}: {} calls itself {}", status_.source, guess.text(), real->text()));
    gone.erase(left);
    came.erase(real);
  }
  if (!again && came.empty() && gone.empty()) return;
  std::string text = fmt::format("{}: {}{}", status_.source, again ? "answers again: " : "", count);
  if (!came.empty()) text += "; new: " + list(came);
  if (!gone.empty()) text += "; no longer listed: " + list(gone);
  changes.push_back(std::move(text));
}

void last_answer::hear_nothing(const heard& what, std::vector<std::string>& changes) {
  if (!believed_empty()) ++empty_rounds_;
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
        fmt::format("; the last answer ({}) stays in force until this is said {} times in a row",
                    count_of_nodes(kept), roster::empty_rounds_to_believe);
  }
  if (said_.insert(what.outcome).second) {
    changes.push_back(fmt::format("{}: {}: {}", status_.source, spoken(what.outcome), status_.detail));
  }
}

void last_answer::hear_failure(const heard& what, std::vector<std::string>& changes) {
  empty_rounds_ = 0;
  status_.detail = what.detail;
  status_.detail += entries_.empty() ? "; no nodes are known from here"
                                     : fmt::format("; the last answer ({}) stays in force",
                                                   count_of_nodes(entries_.size()));
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
