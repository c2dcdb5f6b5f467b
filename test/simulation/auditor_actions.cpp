// What the observer asks for.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "test/simulation/auditor.hpp"

namespace rollcall::simulation {

using namespace membership;

namespace {

constexpr milliseconds window{10'000};

std::pair<place, place> ordered(place a, place b) {
  return {std::min(a, b), std::max(a, b)};
}

}  // namespace

void auditor::stepped(const step_result& result) {
  ++covered_.steps;
  covered_.actions += result.actions.size();
  if (world_.us.life() != life_events_) {
    life_events_ = world_.us.life();
    counters_.clear();
    alarms_ = {};
    // It reports incidents that go on from the life before.
    justified_.clear();
    for (const auto& i : *world_.us.snapshot()->incidents) {
      opened_.insert(i.id);
      justified_.insert(i.id);
    }
  }
  if (result.wake.steady.time_since_epoch() <= world_.time.now())
    broken(rule::spins, "asks to be called again in the past");
  if (!world_.us.asked_twice().empty()) broken(rule::calls_twice, world_.us.asked_twice());
  check_actions(result);
  check_events(result.events);
  if (result.changed) check_snapshot(*world_.us.snapshot());
}

void auditor::check_actions(const step_result& result) {
  const auto now = world_.time.now();
  const auto& asked = world_.us.connects();
  for (; answers_seen_ < asked.size() && asked[answers_seen_].answered; ++answers_seen_) {
    ++covered_.outcomes[static_cast<std::size_t>(asked[answers_seen_].outcome)];
  }
  std::set<place> entering;
  for (const auto& any : result.actions) {
    if (const auto* c = std::get_if<action::connect>(&any)) {
      check_connect(*c);
      const auto on = world_.us.at(c->on), to = world_.us.at(c->to);
      if (!world_.mesh[on].ever_linked && world_.mesh[to].ever_linked) entering.insert(on);
      if (!world_.mesh[to].ever_linked && world_.mesh[on].ever_linked) entering.insert(to);
      continue;
    }
    acted_.push_back(now);
    if (const auto* h = std::get_if<action::hang_up>(&any))
      broken(rule::hangs_up, "hangs up on " + h->node.text());
    if (const auto* l = std::get_if<action::leave_mesh>(&any)) {
      if (!world_.mesh.present(world_.us.at(l->node))) continue;
      count_decision(decision::moves_the_odd_one);
    }
  }
  if (entering.size() > 1) count_decision(decision::introduces_several);
  while (!acted_.empty() && now - acted_.front() > window) acted_.pop_front();
  // A round asks each for its view, its status, a batch of probes and some paths; the rest is healing.
  const auto most = 300 + 60 * world_.mesh.size() * static_cast<std::size_t>(window / interval_);
  if (acted_.size() > most) {
    broken(rule::too_many_actions,
           fmt::format("{} actions besides requests in {} s with {} nodes, and {} are allowed", acted_.size(),
                       window / milliseconds(1'000), world_.mesh.size(), most));
    acted_.clear();
  }
}

void auditor::check_connect(const action::connect& c) {
  const auto on = world_.us.at(c.on), to = world_.us.at(c.to);
  const auto pair = ordered(on, to);
  const auto text = fmt::format("{} is asked to connect to {}", c.on.text(), c.to.text());
  const auto& asked = world_.us.connects();
  const auto index = asks_seen_++;
  const auto [before, first] = last_asked_.try_emplace(pair, index);
  if (!first) {
    const auto& last = asked[std::exchange(before->second, index)];
    if (last.life == world_.us.life()) {
      if (!last.answered) broken(rule::asks_twice, text + " while that pair is not answered");
      if (last.answered && last.outcome != connect_outcome::connected) count_decision(decision::asks_again);
      if (last.on != on) count_decision(decision::asks_the_other_side);
    }
  }
  const auto s = world_.us.snapshot();
  for (const auto* name : {&c.on, &c.to}) {
    const auto* m = s->find(name->text());
    if (m == nullptr || m->state == member_state::leaving || m->state == member_state::left ||
        m->state == member_state::down) {
      broken(rule::asks_absent, text + fmt::format(", and {} is {}", name->text(),
                                                   m == nullptr ? "unknown" : to_string(m->state)));
    }
  }
  classify(on, to);
}

bool auditor::in_one_group(place from, place to) {
  if (groups_of_step_ != covered_.steps) {
    groups_of_step_ = covered_.steps;
    group_of_.assign(world_.mesh.size(), 0);
    std::size_t number = 0;
    for (const auto& group : world_.mesh.groups()) {
      ++number;
      for (const auto i : group) group_of_[i] = number;
    }
  }
  return group_of_[from] == group_of_[to];
}

void auditor::classify(place on, place to) {
  const auto& mesh = world_.mesh;
  const bool new_on = !mesh[on].ever_linked, new_to = !mesh[to].ever_linked;
  if (new_on && new_to) return count_decision(decision::forms_a_mesh);
  if (new_on || new_to) return count_decision(decision::introduces_newcomer);
  if (mesh.sees(on, to) != mesh.sees(to, on)) return count_decision(decision::repairs_one_way);
  if (mesh.degree(on) == 0 || mesh.degree(to) == 0) return count_decision(decision::tries_a_loner);
  count_decision(in_one_group(on, to) ? decision::repairs_inside : decision::joins_groups);
}

}  // namespace rollcall::simulation
