// Facts that are taken a few at a time make the same step as all of them at once.
#include <gmock/gmock.h>

#include "test/unit/membership/driver.hpp"

namespace rollcall::membership::test {
namespace {

struct made {
  std::vector<std::size_t> actions;  // by their kind
  names events, members;
  std::size_t partitions, links_missing;
  std::uint64_t version;
};

made made_by(driver& one, const step_result& result) {
  made found{{}, {}, {}, one.shown().partitions.size(), one.shown().links_missing, one.shown().version};
  for (const auto& a : result.actions) found.actions.push_back(a.index());
  for (const auto& e : result.events) found.events.push_back(e.text);
  for (const auto& m : one.shown().members) {
    found.members.push_back(m.name.text() + " " + std::string(to_string(m.state)) + " " +
                            std::string(to_string(m.why)) + " " + m.detail);
  }
  return found;
}

void expect_alike(driver& whole, const step_result& at_once, driver& parts, const step_result& in_parts) {
  const auto one = made_by(whole, at_once), other = made_by(parts, in_parts);
  EXPECT_EQ(one.actions, other.actions);
  EXPECT_EQ(one.events, other.events);
  EXPECT_EQ(one.members, other.members);
  EXPECT_EQ(one.partitions, other.partitions);
  EXPECT_EQ(one.links_missing, other.links_missing);
  EXPECT_EQ(one.version, other.version);
  EXPECT_EQ(at_once.wake.steady, in_parts.wake.steady);
}

TEST(Parts, MakeTheSameStepAsAllAtOnce) {
  settings s;
  s.probe = s.watch = true;
  driver whole(s), parts(s);
  const names all{"a", "b", "c", "d", "e", "f"};
  for (auto* each : {&whole, &parts}) each->mesh(all);
  // e is restarted, f is lost, and those that watch tell of both; then both are back.
  const std::vector<std::vector<any_fact>> told{
      {fact::link_down{full("e"), reason::closed, "lost"},
       fact::peer_changed{full("a"), full("e"), false, "connection_closed"},
       fact::peer_changed{full("b"), full("e"), false, "connection_closed"},
       fact::link_up{full("e"), 2, true}, fact::link_down{full("f"), reason::tick_timeout, "mute"},
       fact::peer_changed{full("a"), full("f"), false, "net_tick_timeout"},
       fact::view{full("c"), full(names{"a", "b", "d"}), 1ms}},
      {fact::link_up{full("f"), 1, true}, fact::view{full("e"), {}, 1ms},
       fact::view{full("f"), full(names{"b", "c", "d"}), 1ms},
       fact::peer_changed{full("a"), full("f"), true, ""}}};
  std::size_t events = 0;
  for (const auto& facts : told) {
    const auto at_once = whole.core.step(facts, whole.at());
    events += at_once.events.size();
    for (const auto& each : facts) {
      const auto before = parts.core.snapshot();
      parts.core.take({&each, 1}, parts.at());
      EXPECT_EQ(parts.core.snapshot(), before) << "nobody sees half a step";
    }
    expect_alike(whole, at_once, parts, parts.core.step({}, parts.at()));
    for (auto* each : {&whole, &parts}) each->now += 2'000ms;
    const auto later = whole.core.step({}, whole.at());
    expect_alike(whole, later, parts, parts.core.step({}, parts.at()));
  }
  EXPECT_GT(events, 1U) << "the story has something to tell";
}

}  // namespace
}  // namespace rollcall::membership::test
