// The model and the rules that every history must keep.
#include "test/simulation/before/world.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rollcall::simulation {

using namespace membership;

namespace {

constexpr milliseconds epoch{1'700'000'000'000};
constexpr milliseconds fault_time{100'000};
constexpr std::size_t most_nodes = 14;

std::pair<std::size_t, std::size_t> ordered(std::size_t a, std::size_t b) {
  return {std::min(a, b), std::max(a, b)};
}

}  // namespace

world::world(std::uint64_t seed, mutation broken)
    : random_(seed), mutation_(broken), settings_{.seed = seed, .max_events = 16}, cluster_(settings_) {}

void world::note(const std::string& text) {
  diary_.push_back(fmt::format("{:>8} ms  {}", now_.count(), text));
}

void world::broken(const std::string& rule) {
  if (!broken_.empty()) return;
  broken_ = rule;
  note("BROKEN: " + rule);
}

std::string world::diary() const {
  std::string text;
  const auto from = diary_.size() > 60 ? diary_.size() - 60 : 0;
  for (auto i = from; i < diary_.size(); ++i) text += diary_[i] + "\n";
  return text;
}

std::size_t world::index_of(const node_name& name) const {
  const auto found = by_name_.find(name.text());
  return found != by_name_.end() ? found->second : nodes_.size();
}

std::size_t world::add_node(bool listed) {
  // Now and then one of the other kind: it can never connect to the rest.
  const auto host = random(24) == 0 ? "short" : "pods.example";
  auto name = node_name::parse(fmt::format("n{}@{}", 10 + nodes_.size(), host)).value();
  by_name_[name.text()] = nodes_.size();
  nodes_.push_back({.name = std::move(name), .listed = listed, .links = {}});
  return nodes_.size() - 1;
}

void world::absence(node& n, bool absent) {
  if (absent) {
    if (n.absent_since < milliseconds(0)) n.absent_since = now_;
  } else if (n.absent_since >= milliseconds(0)) {
    n.longest_absence = std::max(n.longest_absence, now_ - n.absent_since);
    n.absent_since = milliseconds(-1);
  }
}

void world::boot(std::size_t i) {
  auto& n = nodes_[i];
  if (n.running) return;
  if (n.creation != 0) ++n.restarts;
  n.running = true;
  n.frozen = n.stopping = false;
  n.creation = n.creation + 1 + static_cast<std::uint32_t>(random(5));
  absence(n, n.dark);
  note(n.name.text() + " boots");
}

void world::lose_our_link(std::size_t i, reason why) {
  auto& n = nodes_[i];
  if (!n.linked_to_us) return;
  n.linked_to_us = false;
  ++n.link_number;
  in(between(0, 5), [this, i, why] {
    view_asked_.erase(i);
    tell(fact::link_down{nodes_[i].name, why, "simulated"});
  });
}

void world::crash(std::size_t i, reason how) {
  auto& n = nodes_[i];
  if (!n.running) return;
  note(n.name.text() + " dies");
  n.running = n.frozen = n.stopping = false;
  absence(n, true);
  for (const auto peer : n.links) nodes_[peer].links.erase(i);
  n.links.clear();
  lose_our_link(i, how);
}

void world::freeze(std::size_t i, milliseconds span) {
  auto& n = nodes_[i];
  if (!present(n)) return;
  note(fmt::format("{} freezes for {} ms", n.name.text(), span.count()));
  n.frozen = true;
  absence(n, true);
  const auto creation = n.creation;
  const auto still = [this, i, creation] { return nodes_[i].frozen && nodes_[i].creation == creation; };
  for (const auto peer : n.links) {
    in(between(45'000, 75'000), [this, i, peer, still] {
      if (still()) drop_pair(i, peer);
    });
  }
  in(between(60'000, 75'000), [this, i, still] {
    if (still()) lose_our_link(i, reason::tick_timeout);
  });
  in(span, [this, i, still] {
    if (!still()) return;
    note(nodes_[i].name.text() + " thaws");
    nodes_[i].frozen = false;
    absence(nodes_[i], nodes_[i].dark);
  });
}

void world::stop_in_order(std::size_t i, bool comes_back) {
  auto& n = nodes_[i];
  if (!present(n) || n.stopping) return;
  note(n.name.text() + " is told to stop");
  n.stopping = true;
  n.gone_for_good = !comes_back;
  in(between(0, 3'000), [this, i] { nodes_[i].listed = false; });
  in(between(1'000, 12'000), [this, i, comes_back] {
    crash(i, reason::closed);
    if (!comes_back) return;
    in(between(500, 8'000), [this, i] {
      nodes_[i].listed = true;
      boot(i);
    });
  });
}

void world::drop_pair(std::size_t a, std::size_t b) {
  if (nodes_[a].links.erase(b) == 0) return;
  nodes_[b].links.erase(a);
}

bool world::link(std::size_t a, std::size_t b) {
  auto& left = nodes_[a];
  auto& right = nodes_[b];
  if (a == b || !present(left) || !present(right) || left.name.kind() != right.name.kind()) return false;
  left.links.insert(b);
  right.links.insert(a);
  return true;
}

void world::discover() {
  std::vector<node_name> listed;
  source_report source{.source = "srv:n@pods.example",
                       .outcome = query_outcome::ok,
                       .detail = "",
                       .asked = true,
                       .records = 0,
                       .last_success = {},
                       .nodes = {}};
  if (dns_away_) {
    source.outcome = query_outcome::timeout;
    source.last_success = epoch + last_good_;
    // The roster keeps its last good answer: nothing is told of a list at all, or the same one again.
    static_cast<void>(cluster_.snapshot());
    for (const auto& m : cluster_.snapshot()->members) {
      if (m.listed) listed.push_back(m.name);
    }
    if (listed.empty()) return;
  } else {
    for (const auto& n : nodes_) {
      if (n.listed) listed.push_back(n.name);
    }
    last_good_ = now_;
    source.last_success = epoch + now_;
  }
  source.nodes = listed;
  tell(fact::listed{std::move(listed), {std::move(source)}});
}

void world::fault() {
  const auto i = random(nodes_.size());
  auto& n = nodes_[i];
  switch (random(11)) {
    case 0:  // crash and restart
      if (!present(n) || n.stopping) break;
      crash(i, reason::closed);
      in(between(500, random(3) == 0 ? 60'000 : 8'000), [this, i] {
        if (!nodes_[i].gone_for_good) boot(i);
      });
      break;
    case 1:  // lost for good, delisted soon or late
      if (!n.running || n.gone_for_good || nodes_.size() < 3) break;
      n.gone_for_good = true;
      crash(i, random(2) == 0 ? reason::closed : reason::tick_timeout);
      in(between(0, 70'000), [this, i] { nodes_[i].listed = false; });
      break;
    case 2:
      freeze(i, between(500, random(2) == 0 ? 14'000 : 80'000));
      break;
    case 3:
      stop_in_order(i, random(2) == 0);
      break;
    case 4:
    case 5: {  // one link
      const auto other = random(nodes_.size());
      note(fmt::format("link {} - {} drops", n.name.text(), nodes_[other].name.text()));
      drop_pair(i, other);
      break;
    }
    case 6:  // DNS away
      if (dns_away_) break;
      note("DNS is away");
      dns_away_ = true;
      in(between(5'000, 70'000), [this] {
        note("DNS is back");
        dns_away_ = false;
      });
      break;
    case 7:  // dark to us only
      if (n.dark || !n.running) break;
      note(n.name.text() + " is dark to us");
      n.dark = true;
      absence(n, true);
      in(between(5'000, 20'000), [this, i] { lose_our_link(i, reason::tick_timeout); });
      in(between(10'000, 70'000), [this, i] {
        note(nodes_[i].name.text() + " is reachable again");
        nodes_[i].dark = false;
        if (present(nodes_[i])) absence(nodes_[i], false);
      });
      break;
    case 8:  // a new pod
      if (nodes_.size() >= most_nodes) break;
      {
        const auto fresh = add_node(true);
        in(between(0, 8'000), [this, fresh] { boot(fresh); });
      }
      break;
    case 9:  // unready for a while: unlisted and alive
      if (!n.running || n.stopping || n.gone_for_good) break;
      n.listed = false;
      in(between(5'000, 60'000), [this, i] {
        if (!nodes_[i].gone_for_good) nodes_[i].listed = true;
      });
      break;
    case 10:
      slow_ = true;
      in(between(2'000, 20'000), [this] { slow_ = false; });
      break;
    default:
      break;
  }
}

void world::carry_out(const any_action& any) {
  if (const auto* d = std::get_if<action::dial>(&any)) carry_out(*d);
  if (const auto* h = std::get_if<action::hang_up>(&any)) carry_out(*h);
  if (const auto* v = std::get_if<action::ask_view>(&any)) carry_out(*v);
  if (const auto* s = std::get_if<action::ask_settings>(&any)) carry_out(*s);
  if (const auto* c = std::get_if<action::connect>(&any)) carry_out(*c);
  // Probes, watchers and status are the other model's: see mesh.hpp.
}

void world::carry_out(const action::dial& dial) {
  const auto i = index_of(dial.node);
  const auto& n = nodes_[i];
  const auto fail = [this, i](milliseconds after, reason why) {
    in(after, [this, i, why] {
      dialled_.erase(i);
      tell(fact::dial_failed{nodes_[i].name, why, "simulated", {}});
    });
  };
  if (n.dark || n.frozen) return fail(milliseconds(5'000), reason::timeout);
  if (!n.running) return fail(between(1, 30), random(2) == 0 ? reason::refused : reason::not_registered);
  in(between(1, slow_ ? 3'000 : 40), [this, i] {
    dialled_.erase(i);
    auto& there = nodes_[i];
    if (!present(there) || there.dark) {
      tell(fact::dial_failed{there.name, there.running ? reason::timeout : reason::refused, "simulated", {}});
      return;
    }
    if (!there.linked_to_us) ++there.link_number;
    there.linked_to_us = true;
    tell(fact::link_up{there.name, there.creation, true});
  });
}

void world::carry_out(const action::hang_up& hang_up) {
  broken("hang_up of " + hang_up.node.text());
}

void world::carry_out(const action::ask_view& ask) {
  const auto i = index_of(ask.node);
  const auto number = nodes_[i].link_number;
  const bool answers = present(nodes_[i]) && !nodes_[i].dark;
  in(answers ? between(1, slow_ ? 4'000 : 30) : milliseconds(4'000), [this, i, number] {
    auto& n = nodes_[i];
    if (n.link_number != number || !n.linked_to_us) return;
    view_asked_.erase(i);
    if (!present(n) || n.dark) {
      tell(fact::view_failed{n.name, reason::timeout, "simulated"});
      return;
    }
    if (n.stopping) tell(fact::stopping{n.name});
    std::vector<node_name> seen;
    for (const auto peer : n.links) seen.push_back(nodes_[peer].name);
    tell(fact::view{n.name, std::move(seen), milliseconds(1)});
  });
}

void world::carry_out(const action::ask_settings& ask) {
  const auto i = index_of(ask.node);
  in(between(1, 100), [this, i] {
    if (present(nodes_[i]) && nodes_[i].linked_to_us) {
      tell(fact::settings{nodes_[i].name, "25", true, true, {}, milliseconds(60'000), milliseconds(7'000)});
    }
  });
}

void world::carry_out(const action::connect& asked) {
  const auto on = index_of(asked.on), to = index_of(asked.to);
  const auto answer = [this, id = asked.id](milliseconds after, connect_outcome outcome) {
    in(after, [this, id, outcome] {
      const auto found = asked_.find(id);
      if (found != asked_.end()) {
        pairs_asked_.erase(ordered(found->second.on, found->second.to));
        asked_.erase(found);
      }
      tell(fact::connect_result{id, outcome, milliseconds(1), "simulated"});
    });
  };
  if (!nodes_[on].linked_to_us) return answer(milliseconds(0), connect_outcome::error);
  if (nodes_[on].frozen || nodes_[on].dark) return answer(asked.limit, connect_outcome::timeout);
  const auto limit = asked.limit;
  in(between(1, 80), [this, on, to, answer, limit] {
    if (!nodes_[on].running) return answer(milliseconds(0), connect_outcome::error);
    if (nodes_[on].frozen) return answer(limit, connect_outcome::timeout);
    if (nodes_[to].frozen) return answer(milliseconds(7'000), connect_outcome::failed);
    if (random(20) == 0 && now_ < faults_until_) return answer(between(1, 50), connect_outcome::failed);
    if (!link(on, to)) return answer(between(1, 50), connect_outcome::failed);
    answer(between(1, 20), connect_outcome::connected);
    // global: whoever either of them knows is introduced to the other's acquaintances.
    in(between(5, 300), [this, on, to] {
      if (!nodes_[on].links.contains(to)) return;
      const auto ours = nodes_[on].links, theirs = nodes_[to].links;
      for (const auto a : ours) {
        for (const auto b : theirs) link(a, b);
        link(a, to);
      }
      for (const auto b : theirs) link(on, b);
    });
  });
}

void world::mutate(std::vector<any_action>& actions) {
  const auto before = actions;
  switch (mutation_) {
    case mutation::none:
      return;
    case mutation::duplicates_requests:
      for (const auto& any : before) {
        if (const auto* c = std::get_if<action::connect>(&any)) {
          actions.push_back(action::connect{c->id + 1'000'000'000, c->to, c->on, c->limit});
        }
      }
      return;
    case mutation::asks_leaving_nodes:
      for (const auto& m : cluster_.snapshot()->members) {
        if (m.state != member_state::leaving || nodes_.size() < 2) continue;
        const auto other = (index_of(m.name) + 1) % nodes_.size();
        actions.push_back(
            action::connect{2'000'000'000 + order_, m.name, nodes_[other].name, milliseconds(10'000)});
      }
      return;
    case mutation::dials_twice:
      for (const auto& any : before) {
        if (std::holds_alternative<action::dial>(any)) actions.push_back(any);
      }
      return;
    case mutation::hangs_up_when_discovery_fails:
      if (dns_away_) {
        for (const auto& m : cluster_.snapshot()->members) {
          if (m.state == member_state::up) actions.push_back(action::hang_up{m.name});
        }
      }
      return;
    case mutation::forgets_pairs:
      // Every third request never leaves, and is reported as done.
      std::erase_if(actions, [this](const any_action& any) {
        const auto* c = std::get_if<action::connect>(&any);
        if (c == nullptr || (index_of(c->on) + index_of(c->to)) % 3 != 0) return false;
        in(milliseconds(1), [this, id = c->id] {
          tell(fact::connect_result{id, connect_outcome::connected, milliseconds(1), ""});
        });
        return true;
      });
      return;
    case mutation::asks_every_step:
      // A planner that connects whatever is missing, each time it looks.
      for (const auto& m : cluster_.snapshot()->members) {
        if (m.state != member_state::up || m.links_missing == 0) continue;
        for (const auto& o : cluster_.snapshot()->members) {
          if (o.state == member_state::up && m.name < o.name && m.name.kind() == o.name.kind() &&
              !nodes_[index_of(m.name)].links.contains(index_of(o.name))) {
            actions.push_back(action::connect{3'000'000'000 + order_ + index_of(o.name), m.name, o.name,
                                              milliseconds(10'000)});
          }
        }
      }
      return;
  }
}

void world::check_actions(const std::vector<any_action>& actions) {
  const auto seen = cluster_.snapshot();
  const auto state_of = [&](const node_name& name) {
    const auto* m = seen->find(name.text());
    return m != nullptr ? std::optional(m->state) : std::nullopt;
  };
  for (const auto& any : actions) {
    if (const auto* c = std::get_if<action::connect>(&any)) {
      const auto on = index_of(c->on), to = index_of(c->to);
      const auto text = fmt::format("request {} > {}", c->on.text(), c->to.text());
      note(text);
      if (on == to || on >= nodes_.size() || to >= nodes_.size()) broken(text + " is no pair of nodes");
      if (!pairs_asked_.insert(ordered(on, to)).second) broken(text + " while that pair is unanswered");
      if (!asked_.emplace(c->id, request{on, to}).second) broken(text + " with an id used before");
      if (state_of(c->on) != member_state::up || state_of(c->to) != member_state::up) {
        broken(text + " with an end that is not up");
      }
      if (c->on.kind() != c->to.kind()) broken(text + " mixes the kinds of names");
      if (c->limit < milliseconds(3'000)) broken(text + " without a sensible limit");
      auto& times = asked_at_[ordered(on, to)];
      times.push_back(now_);
      std::erase_if(times, [this](milliseconds t) { return now_ - t > milliseconds(5'000); });
      // A pair may break again at once; but nobody may hammer.
      if (times.size() > 4) broken(text + " for the fifth time within an interval");
    } else if (const auto* d = std::get_if<action::dial>(&any)) {
      const auto i = index_of(d->node);
      if (!dialled_.insert(i).second)
        broken("a second dial of " + d->node.text() + " while one is under way");
      if (state_of(d->node) == member_state::left) broken("a dial of " + d->node.text() + ", which left");
    } else if (const auto* v = std::get_if<action::ask_view>(&any)) {
      if (!view_asked_.insert(index_of(v->node)).second) {
        broken("a second question for the view of " + v->node.text() + " while one is outstanding");
      }
    }
  }
  if (asked_.size() > 20'000) broken("more requests under way than allowed");
}

void world::check_snapshot(const snapshot& s) {
  std::size_t up = 0, placed = 0;
  for (const auto& m : s.members) {
    up += m.state == member_state::up ? 1 : 0;
    const bool in_partition = m.partition.has_value();
    placed += in_partition ? 1 : 0;
    if (in_partition && (m.state != member_state::up || !m.fresh_view)) {
      broken(m.name.text() + " is in a partition and not up");
    }
    if (m.state == member_state::up && m.why != reason::none) broken(m.name.text() + " is up for a reason");
    auto& before = counters_[m.name.text()];
    const std::array<std::uint64_t, 4> counted{m.joins, m.leaves, m.failures, m.restarts};
    for (std::size_t i = 0; i < counted.size(); ++i) {
      if (counted[i] < before[i]) broken(fmt::format("counter {} of {} went back", i, m.name.text()));
      if (counted[i] > before[i] && s.starting)
        broken(fmt::format("{} was counted while starting", m.name.text()));
    }
    before = counted;
    const auto& n = nodes_[index_of(m.name)];
    if (m.restarts > n.restarts) broken(m.name.text() + " restarted less often than counted");
    const auto absence = n.absent_since >= milliseconds(0) ? now_ - n.absent_since : milliseconds(0);
    // One that dies, comes back and freezes may be missed by every dial in between.
    if (m.failures > 0 && std::max(n.longest_absence, absence) < milliseconds(5'000)) {
      broken(m.name.text() + " was called a failure and was never away for five seconds");
    }
    if (m.leaves > m.joins + 1) broken(m.name.text() + " left more often than it joined");
  }
  if (up != s.up) broken("up is miscounted");
  std::size_t in_parts = 0;
  for (const auto& part : s.partitions) in_parts += part.size();
  if (in_parts != placed) broken("partitions and their members disagree");
  if (s.isolated && !s.partitions.empty()) broken("isolated, and yet it sees partitions");
}

void world::check_whole(const snapshot& s) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto& n = nodes_[i];
    const auto* m = s.find(n.name.text());
    if (n.running && n.listed) {
      if (m == nullptr || m->state != member_state::up) {
        broken(fmt::format("{} is alive, listed, and {} ({}) long after the last fault", n.name.text(),
                           m != nullptr ? to_string(m->state) : "unknown",
                           m != nullptr ? to_string(m->why) : "no member"));
      }
      for (std::size_t j = 0; j < i; ++j) {
        const auto& other = nodes_[j];
        if (other.running && other.listed && other.name.kind() == n.name.kind() && !n.links.contains(j)) {
          broken(fmt::format("{} and {} are not connected long after the last fault", n.name.text(),
                             other.name.text()));
        }
      }
    } else if (!n.running && m != nullptr && m->state == member_state::up) {
      broken(n.name.text() + " is dead and up");
    }
  }
  if (s.links_missing != 0)
    broken(fmt::format("{} links are reported missing in a whole mesh", s.links_missing));
  if (s.partitions.size() > 1) broken("a whole mesh has partitions");
  for (const auto& c : s.conditions) {
    if (c.how_bad == severity::error && c.name != condition::nothing_discovered) {
      broken(fmt::format("a whole mesh raises {}: {}", to_string(c.name), c.text));
    }
  }
}

void world::step() {
  const auto facts = std::exchange(facts_, {});
  steps_without_time_ = now_ == last_step_ ? steps_without_time_ + 1 : 0;
  last_step_ = now_;
  auto result = cluster_.step(facts, {now_, epoch + now_});
  wake_ = result.wake.steady;
  if (wake_ <= now_) broken("asks to be called again in the past");
  for (const auto& e : result.events) note("  " + e.text);
  mutate(result.actions);
  check_actions(result.actions);
  if (result.changed) check_snapshot(*cluster_.snapshot());
  for (const auto& any : result.actions) carry_out(any);
}

std::string world::run() {
  const auto count = 2 + random(9);
  for (std::size_t i = 0; i < count; ++i) {
    const auto fresh = add_node(true);
    if (random(8) != 0)
      boot(fresh);
    else
      in(between(0, 20'000), [this, fresh] { boot(fresh); });
  }
  // Some were meshed before we came.
  if (random(2) == 0) {
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < i; ++j) link(i, j);
    }
  }
  faults_until_ = fault_time;
  std::function<void()> discovering = [&] {
    discover();
    in(settings_.interval, discovering);
  };
  at(milliseconds(1), discovering);
  std::function<void()> breaking = [&] {
    if (now_ < faults_until_) {
      fault();
      in(between(100, 15'000), breaking);
    }
  };
  in(between(100, 10'000), breaking);
  // The last fault's own consequences take up to 80 s; then the stated number of intervals.
  const auto end = fault_time + milliseconds(85'000) + settle_intervals * settings_.interval;
  while (now_ < end && broken_.empty()) {
    const auto next = queue_.empty() ? wake_ : std::min(wake_, queue_.top().when);
    now_ = std::max(now_, next);
    while (!queue_.empty() && queue_.top().when <= now_) {
      auto due = std::move(const_cast<event&>(queue_.top()).what);
      queue_.pop();
      due();
    }
    step();
  }
  if (broken_.empty()) check_whole(*cluster_.snapshot());
  return broken_;
}

}  // namespace rollcall::simulation
