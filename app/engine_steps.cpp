// Facts in, one step of the core, actions out.
#include "app/engine_implementation.hpp"
#include "app/patience.hpp"

namespace rollcall::app {

using namespace std::chrono_literals;

namespace {

// A view of a thousand names takes 50 to 100 KiB while it waits for its step: so many end the rest after the
// last one.
constexpr std::size_t most_views_gathered = 64;
// What many members do in it is one line.
constexpr milliseconds one_moment = 1'000ms;
// Of steps that follow each other within this, which take their time, the last one is drawn.
constexpr milliseconds one_glance = 200ms;
constexpr milliseconds longest_taking = 5ms;  // of facts, in one turn of the loop

}  // namespace

void engine::implementation::tell(membership::any_fact&& f) {
  if (standing_by_) return;  // of links that are gone
  views_gathered_ += std::holds_alternative<fact::view>(f) ? 1 : 0;
  const auto patience = patience_for(f, is_calm(*snapshot_));
  facts_.push_back(std::move(f));
  if (!stopping_) due(patience);
}

void engine::implementation::due(milliseconds patience) {
  // It is due as soon as one may be: the clock is not read for each of a thousand facts.
  if (step_due_ && due_at_ <= pace_.next() && views_gathered_ < most_views_gathered) return;
  const auto now = pace::clock::now();
  const auto due = std::max(pace_.next(), now + patience);
  if (step_due_) {
    if (now >= due || views_gathered_ == most_views_gathered) {
      rest_.cancel();
    } else if (due < due_at_) {
      rest_until(due);  // what is there already waits for less, then
    }
    return;
  }
  step_due_ = true;
  due_at_ = due;
  if (now >= due) {
    asio::post(io_, [self = shared_from_this()] { self->take_facts(); });
  } else {
    rest_until(due);
  }
}

void engine::implementation::rest_until(pace::clock::time_point due) {
  due_at_ = due;
  rest_.expires_at(due);
  // One that was set again is over early, and is not the one that is waited for.
  rest_.async_wait([self = shared_from_this(), mine = ++rests_](boost::system::error_code) {
    if (mine == self->rests_) self->take_facts();
  });
}

// What somebody orders is a step of its own: two orders in one would be one event.
void engine::implementation::tell_at_once(membership::any_fact f) {
  pace_.at_once();
  tell(std::move(f));
  rest_.cancel();
}

void engine::implementation::take_facts() {
  step_due_ = false;
  if (!facts_.empty()) step();
}

// A thousand nodes that lose or gain each other tell so much that taking it alone would keep everybody else
// waiting, and so may what follows from it: their turn comes in between.
void engine::implementation::step() {
  if (std::exchange(taking_, true)) return;
  spent_on_step_ = {};
  all_taken_ = false;
  if (turn_has_time()) {
    step_some();
  } else {
    step_later();
  }
}

void engine::implementation::step_later() {
  asio::post(io_, [self = shared_from_this()] {
    if (self->taking_) self->step_some();
  });
}

void engine::implementation::step_some() {
  const auto begun = pace::clock::now();
  if (!all_taken_) {
    all_taken_ = take_some();
    const auto took = pace::clock::now() - begun;
    use_turn(took);
    if (!all_taken_ || took >= pace::short_step) {
      spent_on_step_ += took;
      step_later();
      return;
    }
  }
  taking_ = false;
  make_step();
  const auto ended = pace::clock::now();
  use_turn(ended - begun);
  pace_.stepped(begun - spent_on_step_, ended);
  if (!facts_.empty() && !stopping_) due(0ms);
}

// Links read in a turn as long as it is short, and a step begins in a turn that has been short so far.
bool engine::implementation::turn_has_time() const {
  return !cnode::reading_turns::of(io_.get_executor()).over(pace::clock::duration::zero());
}

void engine::implementation::use_turn(pace::clock::duration took) {
  cnode::reading_turns::of(io_.get_executor()).used(took, io_.get_executor());
}

// False: the step has more of them, and this turn had its share. What is told meanwhile is the next step's.
bool engine::implementation::take_some() {
  if (stopping_ || standing_by_) return true;
  if (facts_of_step_ == 0) facts_of_step_ = facts_.size();
  const auto begun = pace::clock::now();
  const auto at = now();
  for (; facts_taken_ < facts_of_step_; ++facts_taken_) {
    if (pace::clock::now() - begun > longest_taking) return false;
    core_.take({&facts_.front(), 1}, at);
    facts_.pop_front();
  }
  facts_of_step_ = facts_taken_ = 0;
  views_gathered_ = static_cast<std::size_t>(
      std::ranges::count_if(facts_, [](const auto& f) { return std::holds_alternative<fact::view>(f); }));
  return true;
}

void engine::implementation::make_step() {
  if (stopping_ || standing_by_) return;
  const auto begun = pace::clock::now();
  auto result = core_.step({}, now());
  for (const auto& e : result.events) subscriptions_.publish(e);
  membership::snapshot_ptr before;
  if (result.changed) before = std::exchange(snapshot_, core_.snapshot());
  // What a long step leaves to be done has turns of its own.
  const bool was_long = pace::clock::now() - begun >= pace::short_step;
  if (result.changed) {
    if (!was_long) {
      note_history();
    } else if (!std::exchange(noting_, true)) {
      noted_.expires_after(one_glance);
      noted_.async_wait([self = shared_from_this()](boost::system::error_code) {
        if (self->noting_) self->note_history();
      });
    }
    record_->keep(*snapshot_);
  }
  if (before || !result.events.empty()) report(result.events, before);
  tell_pods(result.events);
  std::ranges::move(result.actions, std::back_inserter(actions_));
  if (!carrying_out_ && !actions_.empty()) {
    if (!was_long) {
      carry_out_some();
    } else {
      carrying_out_ = true;
      asio::post(io_, [self = shared_from_this()] { self->carry_out_some(); });
    }
  }
  wait_until(result.wake.steady);
}

void engine::implementation::note_history() {
  noting_ = false;
  noted_.cancel();
  if (!stopping_ && !standing_by_) history_.note(*snapshot_);
}

// Members come and go a link at a time, each in a step of its own, though it is one moment: what is told of
// them waits for its end, where they are enough to be one line. An incident waits for nothing.
void engine::implementation::report(const std::vector<membership::event>& events,
                                    const membership::snapshot_ptr& before) {
  const auto is_of_member = [](const membership::event& e) { return e.node.has_value(); };
  if (snapshot_->members.size() < reporter::many) {
    tell_gathered();
    reporter_.happened(events);
    if (before) reporter_.changed(*before, *snapshot_, events);
    return;
  }
  std::vector<membership::event> at_once;
  std::ranges::copy_if(events, std::back_inserter(at_once), std::not_fn(is_of_member));
  reporter_.happened(at_once);
  std::ranges::copy_if(events, std::back_inserter(gathered_), is_of_member);
  if (!before_moment_) before_moment_ = before;
  if (std::exchange(gathering_, true)) return;
  moment_.expires_after(one_moment);
  moment_.async_wait([self = shared_from_this()](boost::system::error_code code) {
    if (!code) self->tell_gathered();
  });
}

void engine::implementation::tell_gathered() {
  gathering_ = false;
  moment_.cancel();
  const auto events = std::exchange(gathered_, {});
  reporter_.happened(events);
  if (const auto before = std::exchange(before_moment_, {})) reporter_.changed(*before, *snapshot_, events);
}

void engine::implementation::wait_until(membership::steady_time when) {
  wake_at(started_ + when.time_since_epoch());
}

// After a long step others have their turn first, for whatever reason the next one is wanted.
void engine::implementation::wake_at(pace::clock::time_point at) {
  wake_.expires_at(at);
  wake_.async_wait([self = shared_from_this()](boost::system::error_code code) {
    if (code) return;
    if (pace::clock::now() < self->pace_.next()) {
      self->wake_at(self->pace_.next());
    } else {
      self->step();
    }
  });
}

}  // namespace rollcall::app
