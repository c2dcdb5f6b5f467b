// The observer around membership::cluster, as `app` is: it carries out actions on the played nodes and brings
// back facts, each after its time. It can be slow, cut off, killed and started again with or without what it
// remembered; its questions can end without an answer, or be answered late.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "membership/cluster.hpp"
#include "test/simulation/beam.hpp"

namespace rollcall::simulation {

// What discovery says. Names enter with a node; entries come and go.
struct name_service {
  std::set<place> listed;
  std::map<milliseconds, std::set<place>> history;  // for a cache in front of it
  milliseconds cached_for{0};
  bool away = false;
  fault_id away_by = no_fault, cached_by = no_fault;
};

class shell {
 public:
  static constexpr membership::wall_time epoch{milliseconds(1'700'000'000'000)};
  static constexpr milliseconds dial_limit{5'000}, call_limit{5'000}, settings_limit{10'000},
      watcher_patience{1'000};

  struct trouble {
    milliseconds slow{0};       // added to every answer
    unsigned without_word = 0;  // of a hundred probes and calls
    unsigned late = 0;          // of a hundred answers
    fault_id slow_by = no_fault, without_word_by = no_fault, late_by = no_fault;
  };
  struct asked_pair {
    milliseconds at;
    place on, to;
    unsigned life = 0;  // of the observer
    bool answered = false;
    membership::connect_outcome outcome{};
    milliseconds answered_at{};
  };

  shell(timeline&, network&, beam_mesh&, name_service&, membership::settings, beam_mesh::listener&);

  void start();  // discovers from now on
  void restart(bool with_its_state);
  void stop();  // killed
  bool running() const noexcept { return cluster_ != nullptr; }
  // It takes no step until it resumes: all that is told waits for it, and so do its timers. Its peers hear no
  // tick of it meanwhile.
  void stall(fault_id by);
  void resume();
  bool stalled() const noexcept { return stalled_by_ != no_fault; }
  milliseconds started() const noexcept { return started_; }

  // One step, when there are facts or it is time; the result of it, else nullptr.
  const membership::step_result* step_if_due();
  milliseconds wake() const noexcept;

  // The mesh's news.
  void peer_changed(place on, place peer, bool up, const std::string& why);
  void booted(place);
  void ended(place);
  void frozen_or_thawed(place);
  void path_changed(place);

  // Its watcher does nothing, or everything later by this, until it recovers: what it is asked waits for it,
  // and what it would tell. Another one that takes its place is well.
  void watcher_hangs(place, fault_id by);
  void watcher_slows(place, milliseconds by_this, fault_id by);
  void watcher_recovers(place);
  void watcher_dies(place, fault_id by);  // and the observer hears of it

  membership::snapshot_ptr snapshot() const { return cluster_->snapshot(); }
  void tell(membership::any_fact f) { facts_.push_back(std::move(f)); }
  const node_name& name(place i) const { return names_[i]; }
  place at(const node_name& name) const { return by_name_.at(name.text()); }
  bool linked(place i) const { return ours_[i].up; }
  milliseconds linked_since(place i) const { return ours_[i].since; }
  bool reaches(place i) const;
  void add(place, const std::string& name);
  const std::vector<asked_pair>& connects() const noexcept { return connects_; }
  unsigned life() const noexcept { return life_; }
  // The last of what was asked while it was unwell is answered, or given up, then.
  milliseconds unwell_until() const noexcept { return unwell_until_; }
  bool watches() const noexcept { return settings_.watch; }
  // Names that are new are waited for until then, as those of nodes that are linked to it are looked up.
  milliseconds waits_for_name(place i) const { return ours_[i].since + settings_.introduce_timeout / 2; }
  bool was_told(place i) const { return told_.contains(i); }  // discovery has given it to us

  trouble ours;
  // Asked of somebody while the same question was not answered: the first of them.
  const std::string& asked_twice() const noexcept { return asked_twice_; }

 private:
  struct question {
    std::uint64_t number = 0;  // 0: none is under way
    milliseconds at{0};
  };
  struct its_watcher {
    bool watches = false, hangs = false, at_work = false;
    milliseconds slow{0};
    fault_id by = no_fault;
    std::uint32_t run = 0;
    question alive{}, same{};
    std::deque<std::function<void()>> to_do{};
    bool holds = false;  // what changes now is told together, in a moment
    std::vector<membership::any_fact> held{};
  };
  struct link {
    bool up = false;
    std::uint32_t number = 0, deafness = 0;
    std::uint32_t boots = 0;  // of the run it is with
    milliseconds told_until{0};
    milliseconds since{0};
    std::deque<membership::any_fact> on_its_way{};  // what its watcher said, in order
    std::uint64_t said = 0;                         // how much that was in all
    its_watcher watcher{};
  };

  struct new_name {  // as app/new_names.hpp has it
    std::uint32_t boots = 0;
    milliseconds since{0}, known_since{-1}, failed_at{-1};
  };

  struct last_view {
    std::uint32_t link = 0;
    std::size_t digest = 0;
  };

  milliseconds rest() const;
  // watchers
  void in_its_turn(place, std::function<void()>);
  void go_on(place);
  void say(place on, std::vector<membership::any_fact>);
  void hold(place);
  void say_held(place);
  void tell_what_was_said(place, std::uint64_t until);
  // `look`: what the watcher does in its turn; what it makes is told with the time it took.
  bool ask_watcher(place, question its_watcher::*about,
                   std::function<std::function<void(milliseconds)>()> look);
  void ask_status(place);
  void call_for_status(place);
  // Only while we are the same life: answers to an earlier one are nobody's.
  void later(milliseconds, std::function<void()>);
  void answer(place, milliseconds, std::function<void()>);
  milliseconds wait(place, std::int64_t low, std::int64_t high);
  bool without_word();
  void bite(place);  // what keeps it from being reached
  void lose(place, membership::reason);
  void listen(place);
  void discover();
  void read_listing();
  void carry_out(const membership::any_action&);
  void dial(const membership::action::dial&);
  void ask_view(const membership::action::ask_view&);
  void confirm_view(place);
  void ask_settings(place);
  void watch(place);
  void probe_links(const membership::action::probe_links&);
  void probe_path(const membership::action::probe_path&);
  bool name_known(place on, place whose, milliseconds patience);
  void try_handshake(const membership::action::probe_path&);
  void connect(const membership::action::connect&);
  membership::link_probe probe(place on, place to, bool confirm) const;

  timeline& time_;
  network& net_;
  beam_mesh& mesh_;
  name_service& names_service_;
  membership::settings settings_;
  beam_mesh::listener& tell_;
  std::unique_ptr<membership::cluster> cluster_;
  membership::step_result result_;
  unsigned life_ = 0;
  fault_id stalled_by_ = no_fault;
  std::uint64_t stalls_ = 0;
  bool listing_is_late_ = false;
  milliseconds started_{0}, unwell_until_{0};
  milliseconds wake_{0}, rests_until_{0}, last_good_{0};
  std::vector<membership::any_fact> facts_;
  std::vector<node_name> names_;
  std::vector<link> ours_;
  std::map<place, new_name> new_names_;
  std::map<std::string, place> by_name_;
  std::set<place> told_;
  std::set<place> dialling_, viewing_;                          // not answered yet
  std::map<place, last_view> last_views_;                       // that were told
  std::map<place, std::vector<std::function<void()>>> asking_;  // connect requests: ends each
  std::string asked_twice_;
  std::uint64_t last_question_ = 0;
  std::vector<asked_pair> connects_;
  std::vector<membership::incident> remembered_;
  membership::incident_totals totals_;
};

}  // namespace rollcall::simulation
