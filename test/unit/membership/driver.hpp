// A cluster under test in virtual time: facts by short calls, actions and events collected until they are
// looked at.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>

#include "membership/cluster.hpp"

namespace rollcall::membership {

inline void PrintTo(member_state s, std::ostream* out) {
  *out << to_string(s);
}
inline void PrintTo(reason r, std::ostream* out) {
  *out << to_string(r);
}
inline void PrintTo(pair_state p, std::ostream* out) {
  *out << to_string(p);
}
inline void PrintTo(health h, std::ostream* out) {
  *out << to_string(h);
}
inline void PrintTo(event_type e, std::ostream* out) {
  *out << to_string(e);
}

namespace test {

using names = std::vector<std::string>;

inline node_name n(std::string_view text) {
  return node_name::parse(text).value();
}
// "a" is a@host.example
inline node_name full(std::string_view text) {
  return text.find('@') != std::string_view::npos ? n(text) : n(std::string(text) + "@host.example");
}
inline std::vector<node_name> full(const names& texts) {
  std::vector<node_name> all;
  for (const auto& t : texts) all.push_back(full(t));
  return all;
}

class driver {
 public:
  static constexpr wall_time epoch{milliseconds(1'700'000'000'000)};
  explicit driver(settings s = {}) : options(s), core(s) {}

  settings options;
  cluster core;
  milliseconds now{1'000};
  std::vector<any_action> actions;
  std::vector<event> events;

  moment at() const { return {steady_time(now), epoch + now}; }
  step_result step(std::vector<any_fact> facts = {}) {
    auto result = core.step(facts, at());
    std::ranges::copy(result.actions, std::back_inserter(actions));
    std::ranges::copy(result.events, std::back_inserter(events));
    wake = result.wake.steady.time_since_epoch();
    answer_settings();
    return result;
  }
  // Every node tells its settings at once; `told` has those that differ from `usual`.
  void answer_settings() {
    std::vector<any_fact> told;
    for (const auto& asked : take<action::ask_settings>()) {
      ++settings_asked;
      const auto own = settings_of.find(asked.node);
      auto answer = own != settings_of.end() ? own->second : usual;
      answer.node = asked.node;
      told.emplace_back(std::move(answer));
    }
    if (!told.empty()) step(std::move(told));
  }
  // Time goes by, with a step whenever the core asked for one. Members that are asked for their view give it.
  void pass(milliseconds span) {
    const auto until = now + span;
    while (wake < until) {
      now = std::max(wake, now + milliseconds(1));
      step();
      answer_views();
    }
    now = until;
    step();
    answer_views();
  }
  void answer_views() {
    for (bool again = true; again;) {
      again = false;
      for (const auto& name : take_views()) {
        const auto view = automatic.find(name);
        if (view == automatic.end()) continue;
        step({fact::view{name, view->second, milliseconds(1)}});
        again = true;
      }
    }
  }

  void list(const names& nodes, std::vector<source_report> sources = {}) {
    step({fact::listed{full(nodes), std::move(sources)}});
  }
  void up(std::string_view node, std::uint32_t creation = 1, bool visible = true) {
    step({fact::link_up{full(node), creation, visible}});
  }
  void down(std::string_view node, reason why = reason::closed) {
    step({fact::link_down{full(node), why, "lost"}});
  }
  void fail(std::string_view node, reason why, std::optional<node_name> answered_as = {},
            dial_step at = dial_step::tcp) {
    step({fact::dial_failed{full(node), why, "failed", std::move(answered_as), at}});
  }
  // A name server says that there is no such name.
  void fail_without_name(std::string_view node) {
    step({fact::dial_failed{full(node), reason::dns, "no such name", {}, dial_step::dns, true}});
  }
  void view(std::string_view node, const names& seen) {
    step({fact::view{full(node), full(seen), milliseconds(1)}});
  }
  // From now on `node` answers every question with this.
  void sees(std::string_view node, const names& seen) { automatic[full(node)] = full(seen); }
  void silent(std::string_view node) { automatic.erase(full(node)); }

  // All of them listed, linked, up, and meshed.
  void mesh(const names& nodes) {
    list(nodes);
    for (const auto& node : nodes) {
      sees(node, without(nodes, node));
      up(node);
    }
    answer_views();
    pass(milliseconds(6'000));
    actions.clear();
    events.clear();
  }
  static names without(names all, std::string_view one) {
    std::erase(all, one);
    return all;
  }

  const snapshot& shown() {
    held = core.snapshot();
    return *held;
  }
  const member& of(std::string_view node) {
    const auto* found = shown().find(full(node).text());
    if (found == nullptr) throw std::runtime_error("no member " + std::string(node));
    return *found;
  }
  bool known(std::string_view node) { return shown().find(full(node).text()) != nullptr; }
  bool raised(condition name) {
    return std::ranges::any_of(shown().conditions, [&](const auto& c) { return c.name == name; });
  }
  std::string text_of(condition name) {
    for (const auto& c : shown().conditions) {
      if (c.name == name) return c.text;
    }
    return {};
  }
  std::size_t count(event_type type) const {
    return static_cast<std::size_t>(std::ranges::count(events, type, &event::type));
  }

  template <class A>
  std::vector<A> take() {
    std::vector<A> found;
    std::erase_if(actions, [&](const any_action& any) {
      const auto* one = std::get_if<A>(&any);
      if (one != nullptr) found.push_back(*one);
      return one != nullptr;
    });
    return found;
  }
  // Those that are to confirm their view, too: they give it, as one does that has changed.
  std::vector<node_name> take_views() {
    std::vector<node_name> asked;
    for (auto& a : take<action::ask_view>()) asked.push_back(a.node);
    for (auto& a : take<action::confirm_view>()) asked.push_back(a.node);
    return asked;
  }
  names dialled() {
    names all;
    for (const auto& a : take<action::dial>()) all.emplace_back(a.node.alive());
    return all;
  }
  // "a>b": a is asked to connect to b
  names connects() {
    names all;
    for (const auto& a : taken = take<action::connect>()) {
      all.push_back(std::string(a.on.alive()) + ">" + std::string(a.to.alive()));
    }
    std::ranges::sort(all);
    return all;
  }
  void answer(const action::connect& request, connect_outcome outcome) {
    step({fact::connect_result{request.id, outcome, milliseconds(5), ""}});
  }
  void answer_all(connect_outcome outcome) {
    for (const auto& request : std::exchange(taken, {})) answer(request, outcome);
  }

  std::size_t settings_asked = 0;
  fact::settings usual{.node = n("any@host.example"),
                       .otp_release = "25",
                       .prevent_overlapping_partitions = {},
                       .connect_all = true,
                       .dist_auto_connect = {},
                       .net_ticktime = milliseconds(60'000),
                       .net_setuptime = {}};
  std::map<node_name, fact::settings> settings_of;
  std::vector<action::connect> taken;
  milliseconds wake{0};
  std::map<node_name, std::vector<node_name>> automatic;
  snapshot_ptr held;
};

inline source_report source(std::string name, query_outcome outcome, std::optional<wall_time> success) {
  return {.source = std::move(name),
          .outcome = outcome,
          .detail = "",
          .asked = true,
          .records = 0,
          .last_success = success,
          .nodes = {}};
}

using std::chrono_literals::operator""us;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""h;

}  // namespace test
}  // namespace rollcall::membership
