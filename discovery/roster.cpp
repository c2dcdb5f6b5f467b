#include "discovery/roster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "discovery/last_answer.hpp"
#include "discovery/spelling.hpp"

namespace rollcall::discovery {

using asio::experimental::awaitable_operators::operator&&;

namespace {

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};
template <class... F>
overloaded(F...) -> overloaded<F...>;

}  // namespace

std::string label(const source_options& one) {
  return std::visit(
      overloaded{
          [](const srv_source& each) { return fmt::format("srv:{}@{}", each.alive, each.domain); },
          [](const dns_source& each) { return fmt::format("dns:{}@{}", each.alive, each.domain); },
          [](const static_source&) { return std::string("node"); },
          [](const local_source&) { return std::string("local"); },
          [](const kubernetes_source& each) {
            return fmt::format("kubernetes:{}@{}{}{}", each.alive, each.service,
                               each.name_space.empty() ? "" : ".", each.name_space);
          },
      },
      one);
}

boost::system::result<node_name> place_name(std::string_view host) {
  return node_name::make(place_alive, host);
}

std::string shown(const node_name& name) {
  return name.alive() == place_alive ? std::string(name.host()) : name.text();
}

std::string not_a_name(std::string_view alive, std::string_view host,
                       const boost::system::error_code& error) {
  return fmt::format("'{}@{}' is no node name and is left out: {}", alive, host, error.message());
}

struct roster::implementation {
  implementation(asio::io_context& io, const options& chosen, resolver& names,
                 const local_names_function& local)
      : ignore(chosen.ignore), resolve(names) {
    for (const auto& each : chosen.sources) {
      answers.emplace_back(label(each), chosen.linger, chosen.linked);
      sources.push_back(
          std::visit(overloaded{
                         [&](const srv_source& one) { return make_srv_source(one, chosen.srv_port, names); },
                         [&](const dns_source& one) { return make_dns_source(one, names); },
                         [](const static_source& one) { return make_static_source(one); },
                         [&](const local_source&) { return make_local_source(local); },
                         [&](const kubernetes_source& one) {
                           return make_kubernetes_source(io, one, chosen.kubernetes.value_or(api_server{}),
                                                         chosen.family, names, chosen.news);
                         },
                     },
                     each));
    }
  }

  asio::awaitable<void> ask_from(std::size_t index, std::vector<heard>& all) {
    if (index >= all.size()) co_return;
    if (index + 1 == all.size()) {
      co_await ask(index, all[index]);
    } else {
      co_await (ask(index, all[index]) && ask_from(index + 1, all));
    }
  }

  asio::awaitable<void> ask(std::size_t index, heard& what) {
    what = co_await sources[index]->ask();
    what.entries = revised(index, unite(std::move(what.entries)));
    const bool some = what.outcome == query_outcome::ok || what.outcome == query_outcome::partial;
    if (some && what.entries.empty()) {
      what.outcome = query_outcome::empty;  // guarded like any other nothing
      what.detail = what.remarks.empty() ? "every node it lists is ignored" : what.remarks.front();
    }
  }

  // Of entries that are united: under the nodes' own names, without those that are known to be no members.
  std::vector<entry> revised(std::size_t index, std::vector<entry> entries) const {
    bool renamed = false;
    for (auto& each : entries) {
      auto own = spellings.of(each.listed_as.value_or(each.name));
      if (!own || *own == each.name) continue;
      if (!each.listed_as) each.listed_as = each.name;
      each.name = std::move(*own);
      renamed = true;
    }
    if (renamed) entries = unite(std::move(entries));
    std::vector<bool> leave;
    leave.reserve(entries.size());
    for (const auto& each : entries) {
      leave.push_back(!sources[index]->keeps(each, entries) ||
                      std::ranges::any_of(ignore, [&](const std::string& pattern) {
                        return each.pattern.empty() && glob_matches(pattern, each.name.text());
                      }));
    }
    auto left_out = leave.begin();
    std::erase_if(entries, [&](const entry&) { return *left_out++; });
    return entries;
  }

  const entry* find(const node_name& name) const {
    for (const auto& answer : answers) {
      for (const auto& each : answer.entries()) {
        if (each.name == name || each.listed_as == name) return &each;
      }
    }
    return nullptr;
  }

  round collected(std::vector<std::string> changes) const {
    round result;
    result.changes = std::move(changes);
    for (const auto& each : answers) {
      result.sources.push_back(each.status());
      const auto& ttl = each.status().ttl;
      if (ttl && (!result.fresh_for || *ttl < *result.fresh_for)) result.fresh_for = ttl;
    }
    result.entries = everybody();
    return result;
  }

  std::vector<entry> everybody() const {
    if (answers.size() == 1) return answers.front().entries();
    std::vector<entry> all;
    for (const auto& each : answers) all.insert(all.end(), each.entries().begin(), each.entries().end());
    return unite(std::move(all));
  }

  std::vector<std::string> ignore;
  resolver& resolve;
  own_spellings spellings;
  std::vector<std::unique_ptr<source>> sources;  // in configured order
  std::vector<last_answer> answers;              // of each
};

roster::roster(asio::io_context& io, const options& chosen, resolver& names,
               const local_names_function& local)
    : implementation_(std::make_unique<implementation>(io, chosen, names, local)) {}

roster::~roster() = default;

asio::awaitable<round> roster::refresh() {
  auto& own = *implementation_;
  std::vector<heard> all(own.sources.size());
  co_await own.ask_from(0, all);
  const auto now = std::chrono::system_clock::now();
  std::vector<std::string> changes;
  for (std::size_t i = 0; i < all.size(); ++i) {
    own.answers[i].hear(std::move(all[i]), now, changes);
    if (own.answers[i].believed_empty()) own.sources[i]->believed_empty();
  }
  auto result = own.collected(std::move(changes));
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (own.sources[i]->asks()) result.queried.push_back(i);
  }
  co_return result;
}

std::optional<watch_figures> roster::figures() const {
  std::optional<watch_figures> all;
  for (const auto& each : implementation_->sources) {
    const auto* one = each->figures();
    if (one == nullptr) continue;
    const bool first = !all;
    if (first) all.emplace();
    for (std::size_t i = 0; i < list_reason_count; ++i) all->lists[i] += one->lists[i];
    // The oldest: one that never had a line counts as none.
    if (first || (all->last_line && (!one->last_line || *one->last_line < *all->last_line)))
      all->last_line = one->last_line;
  }
  return all;
}

bool roster::learned(const node_name& listed, const node_name& real) {
  auto& own = *implementation_;
  const auto* found = own.find(listed);
  if (found == nullptr) return false;
  if (found->name == real) return true;
  const auto& original = found->listed_as ? *found->listed_as : found->name;
  return own.spellings.learn(original, real, own.resolve.search());
}

bool roster::linked(const node_name& name) {
  auto& own = *implementation_;
  bool changed = false;
  for (std::size_t i = 0; i < own.sources.size(); ++i) {
    for (const auto& each : own.answers[i].entries()) {
      if (each.name == name) changed |= own.sources[i]->linked(each);
    }
  }
  return changed;
}

round roster::review() {
  auto& own = *implementation_;
  std::vector<std::string> changes;
  for (std::size_t i = 0; i < own.sources.size(); ++i) {
    if (auto news = own.answers[i].status().asked ? own.sources[i]->news() : std::nullopt) {
      news->entries = own.revised(i, unite(std::move(news->entries)));
      if (!news->entries.empty())
        own.answers[i].hear(std::move(*news), std::chrono::system_clock::now(), changes);
    }
    own.answers[i].revise(own.revised(i, own.answers[i].entries()), changes);
  }
  return own.collected(std::move(changes));
}

}  // namespace rollcall::discovery
