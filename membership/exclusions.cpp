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

void planner::publish_exclusions(const step_context& context, const path_book& paths) {
  std::vector<pair_key> pairs;
  std::map<std::uint32_t, std::vector<std::uint32_t>> out;
  for (const auto& [id, others] : left_out_) {
    for (const auto other : others) {
      pairs.push_back(key_of(id, other));
      // The one in the set that was joined stays; the other one is left out.
      const bool inside = chosen_.contains(id) && !chosen_.contains(other);
      out[inside ? other : id].push_back(inside ? id : other);
    }
  }
  unique(pairs);
  std::vector<exclusion> next;
  constexpr std::size_t most_named = 5;
  for (auto& [id, others] : out) {
    unique(others);
    const auto* m = context.members.find(id);
    if (m == nullptr) continue;
    exclusion e{.node = id, .cannot_reach = others, .text = {}};
    sentences why;
    std::size_t named = 0;
    for (const auto other : others) {
      const auto* o = context.members.find(other);
      if (o == nullptr) continue;
      const auto fault = quarantine_.what_fails(paths, *m, *o);
      e.path_only &= fault == quarantine::fault::path || fault == quarantine::fault::none;
      if (named++ == most_named) {
        why.add(fmt::format("the same with {} more", others.size() - most_named), {});
        break;
      }
      why.add(quarantine_.describe(paths, *m, *o, context.views.linked(m->rank, o->rank)), o->name.text());
    }
    e.text = fmt::format("{} is left out: {}", m->name.text(), why.text());
    next.push_back(std::move(e));
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
  const auto known = [](const std::vector<exclusion>& list, std::uint32_t id) {
    return std::ranges::find(list, id, &exclusion::node) != list.end();
  };
  for (const auto& e : next) {
    if (!known(excluded_, e.node)) told_.emplace_back(e.node, e.text);
  }
  for (const auto& e : excluded_) {
    const auto* m = context.members.find(e.node);
    if (m == nullptr || !m->in_mesh() || known(next, e.node)) continue;
    told_.emplace_back(e.node,
                       fmt::format("{} may join again: {}", m->name.text(),
                                   e.path_only ? "a probe has found a path" : "what kept it out has passed"));
  }
}

}  // namespace rollcall::membership
