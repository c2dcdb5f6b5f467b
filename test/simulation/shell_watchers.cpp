// The watchers on the nodes, and how they are asked, as app/watcher.hpp has it.
#include "test/simulation/shell.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace rollcall::simulation {

using namespace membership;

// ---- in its turn

// One process does one thing after the other, what was to be told before and what it is asked.
void shell::in_its_turn(place i, std::function<void()> what) {
  auto& its = ours_[i].watcher;
  if (its.to_do.empty() && !its.hangs && its.slow == milliseconds(0)) return what();
  its.to_do.push_back(std::move(what));
  go_on(i);
}

void shell::go_on(place i) {
  auto& its = ours_[i].watcher;
  if (its.hangs || its.at_work || its.to_do.empty()) return;
  its.at_work = true;
  later(its.slow, [this, i, number = ours_[i].number, run = its.run] {
    auto& now = ours_[i].watcher;
    if (ours_[i].number != number || now.run != run) return;
    now.at_work = false;
    if (now.hangs) return;
    const auto what = std::move(now.to_do.front());
    now.to_do.pop_front();
    what();
    go_on(i);
  });
}

void shell::peer_changed(place on, place peer, bool up, const std::string& why) {
  if (!running() || !ours_[on].watcher.watches) return;
  in_its_turn(on, [this, on, told = fact::peer_changed{names_[on], names_[peer], up, why}] {
    auto& its = ours_[on].watcher;
    if (its.holds) return its.held.emplace_back(told), void();
    say(on, {told});
    hold(on);
  });
}

// As app/watcher_program.hpp has it.
void shell::hold(place i) {
  constexpr milliseconds moment{50};
  ours_[i].watcher.holds = true;
  later(moment, [this, i, number = ours_[i].number, run = ours_[i].watcher.run] {
    if (ours_[i].number != number || ours_[i].watcher.run != run) return;
    in_its_turn(i, [this, i] {
      if (ours_[i].watcher.held.empty()) {
        ours_[i].watcher.holds = false;
      } else {
        say_held(i);
        hold(i);
      }
    });
  });
}

void shell::say_held(place i) {
  if (auto held = std::exchange(ours_[i].watcher.held, {}); !held.empty()) say(i, std::move(held));
}

// In one message.
void shell::say(place on, std::vector<any_fact> what) {
  auto& l = ours_[on];
  l.told_until =
      std::max(l.told_until, time_.now() + time_.weather.between(1, 5) + mesh_[on].slow + ours.slow);
  l.said += what.size();
  std::ranges::move(what, std::back_inserter(l.on_its_way));
  answer(on, l.told_until - time_.now(), [this, on, until = l.said] { tell_what_was_said(on, until); });
}

// One connection keeps the order: whatever comes over it, what was said before comes first.
void shell::tell_what_was_said(place i, std::uint64_t until) {
  auto& l = ours_[i];
  for (; !l.on_its_way.empty() && l.said - l.on_its_way.size() < until; l.on_its_way.pop_front())
    tell(std::move(l.on_its_way.front()));
}

// ---- what it is asked

// False: it runs no more, or owes the last answer.
bool shell::ask_watcher(place i, question its_watcher::*about,
                        std::function<std::function<void(milliseconds)>()> look) {
  auto& its = ours_[i].watcher;
  if (!its.watches || (its.*about).number != 0) return false;
  const auto number = ++last_question_;
  its.*about = {.number = number, .at = time_.now()};
  if (its.hangs || its.slow > milliseconds(0)) tell_.bit(its.by);
  if (without_word()) return true;
  in_its_turn(i, [this, i, about, number, look = std::move(look)] {
    say_held(i);
    answer(i, wait(i, 1, 20), [this, i, about, number, said = ours_[i].said, tell_it = look()] {
      tell_what_was_said(i, said);
      auto& asked = ours_[i].watcher.*about;
      if (asked.number == number) tell_it(time_.now() - std::exchange(asked, {}).at);
    });
  });
  return true;
}

void shell::ask_status(place i) {
  const auto alive = [this, i] {
    return [this, i](milliseconds took) { tell(fact::heard{names_[i], took, true}); };
  };
  if (!ask_watcher(i, &its_watcher::alive, alive)) return call_for_status(i);
  later(watcher_patience, [this, i, number = last_question_] {
    const auto& its = ours_[i].watcher;
    if (its.alive.number != number) return;
    if (its.hangs || its.slow > milliseconds(0)) tell_.bit(its.by);
    call_for_status(i);
  });
}

void shell::call_for_status(place i) {
  if (without_word()) return;
  const auto takes = wait(i, 1, 20);
  answer(i, takes, [this, i, takes] {
    if (mesh_[i].stopping) {
      tell_.bit(mesh_[i].gone_by);
      viewing_.erase(i);  // it answers what else it was asked, too
      tell(fact::stopping{names_[i]});
    } else {
      tell(fact::heard{names_[i], takes});
    }
  });
}

// Whether anything has changed since the last view.
void shell::confirm_view(place i) {
  ask_watcher(i, &its_watcher::same, [this, i] {
    std::vector<node_name> seen;
    mesh_.each_peer(i, [&](place peer) { seen.push_back(names_[peer]); });
    const auto& last = last_views_[i];
    const auto digest = name_list(seen).digest();
    const bool same = last.link == ours_[i].number && last.digest == digest;
    return [this, i, told = same ? std::optional(digest) : std::nullopt](milliseconds took) {
      tell(fact::view_confirmed{names_[i], told, took});
    };
  });
}

// ---- its life

// A new one ends the one before, however that is.
void shell::watch(place i) {
  if (without_word()) return later(settings_limit, [this, i] { tell(fact::watching{names_[i], false}); });
  answer(i, wait(i, 1, 20), [this, i] {
    ours_[i].watcher = {.watches = true, .run = ours_[i].watcher.run + 1};
    tell(fact::watching{names_[i], true});
  });
}

void shell::watcher_dies(place i, fault_id by) {
  auto& its = ours_[i].watcher;
  if (!running() || !its.watches) return;
  if (its.alive.number != 0 || its.same.number != 0) tell_.bit(by);
  its = {.run = its.run + 1};
  say(i, {fact::watching{names_[i], false}});
}

void shell::watcher_hangs(place i, fault_id by) {
  auto& its = ours_[i].watcher;
  if (!running() || !its.watches) return;
  its.hangs = true;
  its.by = by;
}

void shell::watcher_slows(place i, milliseconds span, fault_id by) {
  auto& its = ours_[i].watcher;
  if (!running() || !its.watches) return;
  its.slow = span;
  its.by = by;
}

void shell::watcher_recovers(place i) {
  auto& its = ours_[i].watcher;
  its.hangs = false;
  its.slow = milliseconds(0);
  go_on(i);
}

}  // namespace rollcall::simulation
