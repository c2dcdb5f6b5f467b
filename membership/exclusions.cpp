// What the plan says about those it leaves out: who cannot reach which node, and what was found. Readers and
// incidents are told of what changed only.
#include <fmt/format.h>

#include <algorithm>

#include "membership/planner.hpp"

namespace rollcall::membership {

namespace {

template <class T>
void unique(std::vector<T>& list) {
  std::ranges::sort(list);
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

// Why one is left out, a sentence for each that it cannot reach: those that differ by that one's name are
// one, with all their names.
class sentences {
 public:
  void add(const std::string& text, const std::string& name) {
    const auto at = std::min(text.find(name), text.size());
    const auto after = std::min(at + name.size(), text.size());
    const std::pair around{text.substr(0, at), text.substr(after)};
    const auto same = std::ranges::find(all_, around, &std::pair<around_name, std::string>::first);
    if (same == all_.end()) {
      all_.emplace_back(around, name);
    } else {
      same->second += ", " + name;
    }
  }
  std::string text() const {
    std::string joined;
    for (const auto& [around, names] : all_)
      joined += (joined.empty() ? "" : "; ") + around.first + names + around.second;
    return joined;
  }

 private:
  using around_name = std::pair<std::string, std::string>;
  std::vector<std::pair<around_name, std::string>> all_;
};

}  // namespace

void planner::leave_out(std::uint32_t who, std::uint32_t cannot_reach) {
  auto& others = left_out_[who];
  const auto at = std::ranges::lower_bound(others, cannot_reach);
  if (at == others.end() || *at != cannot_reach) others.insert(at, cannot_reach);
}

// A pair that is looked at again is what it was until more is known: nobody is let in, left out and let in
// within a moment.
void planner::keep_exclusions(const step_context& context, const path_book& paths) {
  const auto is_out = [this](std::uint32_t who, std::uint32_t cannot_reach) {
    const auto known = left_out_.find(who);
    return known != left_out_.end() && std::ranges::binary_search(known->second, cannot_reach);
  };
  for (const auto& e : excluded_) {
    for (const auto id : e.cannot_reach) {
      if (is_out(e.node, id) || is_out(id, e.node)) continue;
      const auto* a = context.members.find(e.node);
      const auto* b = context.members.find(id);
      if (a == nullptr || b == nullptr || !a->joinable() || !b->joinable()) continue;
      // A link that an end still believes in, or that probes call dark, is none.
      const bool linked = context.views.sees(a->rank, b->rank) && context.views.sees(b->rank, a->rank);
      if (linked && !context.suspected.sees(a->rank, b->rank)) continue;
      if (quarantine::path_works(context, paths, *a, *b) && !quarantine_.barred(*a, *b, context.now))
        continue;
      leave_out(e.node, id);
    }
  }
}

const planner::exclusion* planner::excluded_before(std::uint32_t id) const {
  const auto at = std::ranges::lower_bound(excluded_, id, {}, &exclusion::node);
  return at != excluded_.end() && at->node == id ? &*at : nullptr;
}

// Hundreds are left out in a large cut, in each step: a sentence is written when what it says has changed.
planner::exclusion planner::excluded_now(const step_context& context, const path_book& paths,
                                         const member_record& m, std::vector<std::uint32_t> others) const {
  constexpr std::size_t most_named = 5;
  exclusion e{.node = m.id, .cannot_reach = std::move(others), .text = {}};
  std::vector<const member_record*> named;
  std::size_t known = 0;
  for (const auto other : e.cannot_reach) {
    const auto* o = context.members.find(other);
    if (o == nullptr) continue;
    const auto fault = quarantine_.what_fails(paths, m, *o);
    e.path_only &= fault == quarantine::fault::path || fault == quarantine::fault::none;
    if (++known > most_named) break;
    named.push_back(o);
    e.why.push_back(quarantine_.trouble_of(paths, m, *o, context.views.linked(m.rank, o->rank)));
  }
  const auto* before = excluded_before(m.id);
  if (before != nullptr && before->cannot_reach == e.cannot_reach && before->why == e.why) {
    e.text = before->text;
    return e;
  }
  sentences why;
  for (std::size_t i = 0; i < named.size(); ++i) {
    why.add(quarantine::describe(e.why[i], named[i]->name), named[i]->name.text());
  }
  if (known > most_named)
    why.add(fmt::format("the same with {} more", e.cannot_reach.size() - most_named), {});
  e.text = fmt::format("{} is left out: {}", m.name.text(), why.text());
  return e;
}

void planner::publish_exclusions(const step_context& context, const path_book& paths) {
  std::vector<pair_key> pairs;
  std::map<std::uint32_t, std::vector<std::uint32_t>> out;
  for (const auto& [id, others] : left_out_) {
    for (const auto other : others) {
      pairs.push_back(key_of(id, other));
      // The one in the set that was joined stays; the other one is left out.
      const bool inside =
          std::ranges::binary_search(chosen_, id) && !std::ranges::binary_search(chosen_, other);
      out[inside ? other : id].push_back(inside ? id : other);
    }
  }
  unique(pairs);
  std::vector<exclusion> next;
  for (auto& [id, others] : out) {
    unique(others);
    const auto* m = context.members.find(id);
    if (m != nullptr) next.push_back(excluded_now(context, paths, *m, std::move(others)));
  }
  tell_exclusions(context, next);
  const auto same = [](const exclusion& a, const exclusion& b) {
    return a.node == b.node && a.cannot_reach == b.cannot_reach && a.text == b.text;
  };
  if (pairs == quarantined_ && std::ranges::equal(next, excluded_, same)) return;
  quarantined_ = std::move(pairs);
  excluded_ = std::move(next);
  ++exclusions_;
}

void planner::tell_exclusions(const step_context& context, const std::vector<exclusion>& next) {
  for (const auto& e : next) {
    if (excluded_before(e.node) == nullptr) told_.emplace_back(e.node, e.text);
  }
  for (const auto& e : excluded_) {
    const auto* m = context.members.find(e.node);
    if (m == nullptr || !m->in_mesh() || std::ranges::binary_search(next, e.node, {}, &exclusion::node))
      continue;
    told_.emplace_back(e.node,
                       fmt::format("{} may join again: {}", m->name.text(),
                                   e.path_only ? "a probe has found a path" : "what kept it out has passed"));
  }
}

}  // namespace rollcall::membership
