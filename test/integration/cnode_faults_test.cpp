// What goes wrong between our node and real Erlang nodes: cookies, names, deaths, freezes, restarts, the port
// mapper.
#include <gtest/gtest.h>

#include "test/support/beam.hpp"
#include "test/support/epmd.hpp"
#include "test/support/scripted_peer.hpp"
#include "test/unit/cnode/node_under_test.hpp"

namespace rollcall::test {
namespace {

using cnode::error;

class CnodeFaults : public testing::Test {
 protected:
  beam_options erlang_node(std::string name) const {
    beam_options made;
    made.name = std::move(name);
    made.epmd_port = port_;
    return made;
  }
  static cnode::target by_name(const std::string& name) {
    const auto parsed = *node_name::parse(name);
    return {parsed, std::string(parsed.alive()), std::string(parsed.host()), {}, {}};
  }
  void start(cnode::port_mapper_mode mode = cnode::port_mapper_mode::register_only) {
    ours.options.port_mapper = mode;
    ours.options.port_mapper_port = port_;
    ASSERT_TRUE(ours.start());
  }

  static bool is_otp_23(beam& node) { return node.eval("erlang:system_info(otp_release)") == "\"23\""; }

  std::uint16_t port_ = free_port();
  io_thread thread;
  node_under_test ours{thread, "roll@127.0.0.1"};
};

TEST_F(CnodeFaults, OtherCookieOutwards) {
  epmd mapper(port_);
  auto options = erlang_node("one@127.0.0.1");
  options.cookie = "vanilla";
  beam erlang(options);
  start();
  const auto linked = ours.dial(by_name("one@127.0.0.1"));
  ASSERT_FALSE(linked);
  EXPECT_EQ(linked.error().code, error::cookie_refused) << linked.error().detail;
  EXPECT_EQ(linked.error().step, cnode::dial_step::handshake);
  EXPECT_NE(linked.error().detail.find("cookies differ"), std::string::npos);

  // While a cookie is rotated there are two: the second one opens, in the same dial.
  thread.on([&] { (*ours).cookies({"chocolate", "vanilla"}); });
  const auto again = ours.dial(by_name("one@127.0.0.1"));
  EXPECT_TRUE(again) << again.error().detail;
}

TEST_F(CnodeFaults, OtherCookieInwards) {
  epmd mapper(port_);
  auto options = erlang_node("one@127.0.0.1");
  options.cookie = "vanilla";
  beam erlang(options);
  start();
  ASSERT_TRUE(until([&] { return mapper.knows("roll"); }, 10s, "our registration"));
  EXPECT_EQ(erlang.eval("net_adm:ping('roll@127.0.0.1')"), "pang");
  EXPECT_TRUE(
      until([&] { return ours.seen.has_handshake(cnode::direction::incoming, error::cookie_refused); }, 10s,
            "the refusal is told"));
  EXPECT_TRUE(ours.peers().empty());
}

TEST_F(CnodeFaults, AnotherNameThanDialled) {
  epmd mapper(port_);
  beam erlang(erlang_node("one@127.0.0.1"));
  start();
  auto where = by_name("one@localhost");
  where.address = boost::asio::ip::make_address("127.0.0.1");
  const auto linked = ours.dial(where);
  ASSERT_FALSE(linked);
  EXPECT_EQ(linked.error().code, error::name_mismatch);
  ASSERT_TRUE(linked.error().peer);
  EXPECT_EQ(linked.error().peer->text(), "one@127.0.0.1");
  EXPECT_NE(linked.error().detail.find("calls itself one@127.0.0.1"), std::string::npos)
      << linked.error().detail;
}

TEST_F(CnodeFaults, NotRegisteredAndNoPortMapper) {
  start();
  const auto away = ours.dial(by_name("one@127.0.0.1"));
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().code, error::refused);
  EXPECT_EQ(away.error().step, cnode::dial_step::port_mapper);
  epmd mapper(port_);
  const auto unknown = ours.dial(by_name("one@127.0.0.1"));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, error::not_registered);
  EXPECT_NE(unknown.error().detail.find("does not know \"one\"; no node is registered there"),
            std::string::npos)
      << unknown.error().detail;
  EXPECT_TRUE(until([&] { return mapper.knows("roll"); }, 10s, "registered once the port mapper runs"));
}

TEST_F(CnodeFaults, KilledAndRestartedUnderTheSameName) {
  epmd mapper(port_);
  beam erlang(erlang_node("one@127.0.0.1"));
  start();
  const auto first = ours.dial(by_name("one@127.0.0.1"));
  ASSERT_TRUE(first) << first.error().detail;
  erlang.kill();
  ASSERT_TRUE(
      until([&] { return ours.seen.has_down("one@127.0.0.1", error::closed); }, 10s, "the loss is seen"));
  erlang.restart();
  const auto second = ours.dial(by_name("one@127.0.0.1"));
  ASSERT_TRUE(second) << second.error().detail;
  EXPECT_NE(first->creation, second->creation);
}

TEST_F(CnodeFaults, FrozenForLongerThanItsTick) {
  epmd mapper(port_);
  auto options = erlang_node("one@127.0.0.1");
  options.arguments = {"-kernel", "net_ticktime", "4"};
  beam erlang(options);
  start();
  ASSERT_TRUE(ours.dial(by_name("one@127.0.0.1")));
  thread.on([&] { (*ours).tick_time(*node_name::parse("one@127.0.0.1"), 4s); });
  // Two idle tick times: both sides keep the link by ticks alone.
  std::this_thread::sleep_for(8s);
  ASSERT_EQ(ours.peers().size(), 1U);
  EXPECT_EQ(erlang.eval("nodes(hidden)"), "['roll@127.0.0.1']");
  erlang.freeze();
  ASSERT_TRUE(until([&] { return ours.seen.has_down("one@127.0.0.1", error::tick_timed_out); }, 10s,
                    "tick time-out"));
  // A frozen node still accepts connections, and says nothing.
  const auto frozen = ours.dial(by_name("one@127.0.0.1"), 300ms);
  ASSERT_FALSE(frozen);
  EXPECT_EQ(frozen.error().code, error::timed_out);
  EXPECT_EQ(frozen.error().step, cnode::dial_step::handshake) << frozen.error().detail;
  erlang.thaw();
  ASSERT_TRUE(
      until([&] { return ours.dial(by_name("one@127.0.0.1"), 2s).has_value(); }, 20s, "linked again"));
}

TEST_F(CnodeFaults, TheNodeDialsAnewWhileWeHoldItsDeadLink) {
  epmd mapper(port_);
  beam erlang(erlang_node("one@127.0.0.1"));
  start();
  ASSERT_TRUE(until([&] { return mapper.knows("roll"); }, 10s, "our registration"));
  // The link under that name is a fake node's that never answers again.
  fake_node dead("one@127.0.0.1", "chocolate", misbehaviour::never_reads);
  ASSERT_TRUE(ours.dial("one@127.0.0.1", dead.port()));
  EXPECT_EQ(erlang.eval("net_adm:ping('roll@127.0.0.1')"), "pong");
  EXPECT_TRUE(
      until([&] { return ours.seen.has_down("one@127.0.0.1", error::superseded); }, 5s, "the old link goes"));
  EXPECT_EQ(ours.peers(), std::vector<std::string>{"one@127.0.0.1"});
  EXPECT_EQ(ours.seen.ups().size(), 2U);
}

TEST_F(CnodeFaults, TheNodeStillHoldsALinkThatWeLost) {
  epmd mapper(port_);
  beam erlang(erlang_node("one@127.0.0.1"));
  ours.options.port_mapper = cnode::port_mapper_mode::none;
  start(cnode::port_mapper_mode::none);
  ASSERT_TRUE(ours.dial(by_name("one@127.0.0.1")));
  // Another program of our name takes over: the node asks it whether it is `alive`.
  node_under_test newer(thread, "roll@127.0.0.1");
  newer.options.port_mapper_port = port_;
  ASSERT_TRUE(newer.start());
  auto taken = newer.dial(by_name("one@127.0.0.1"));
  if (is_otp_23(erlang)) {
    // It waits for the older link to end instead of ending it.
    EXPECT_FALSE(taken);
    EXPECT_EQ(ours.peers(), std::vector<std::string>{"one@127.0.0.1"});
    thread.on([&] { (*ours).hang_up(*node_name::parse("one@127.0.0.1")); });
    EXPECT_TRUE(until([&] { return newer.dial(by_name("one@127.0.0.1")).has_value(); }, 20s,
                      "the newer is let in once the older is gone"));
    return;
  }
  ASSERT_TRUE(taken) << taken.error().detail;
  EXPECT_TRUE(
      until([&] { return ours.seen.has_down("one@127.0.0.1", error::closed); }, 5s, "the older loses it"));
}

TEST_F(CnodeFaults, BothDialAtOnce) {
  epmd mapper(port_);
  beam lesser(erlang_node("alpha@127.0.0.1"));
  beam greater(erlang_node("zulu@127.0.0.1"));
  start();
  ASSERT_TRUE(until([&] { return mapper.knows("roll"); }, 10s, "our registration"));
  for (int round = 0; round < 10; ++round) {
    for (auto* erlang : {&lesser, &greater}) {
      auto asked = std::async(std::launch::async,
                              [&] { return erlang->eval("net_kernel:connect_node('roll@127.0.0.1')"); });
      const auto linked = ours.dial(by_name(erlang->name()));
      EXPECT_TRUE(linked) << linked.error().detail;
      EXPECT_EQ(asked.get(), "true");
    }
    ASSERT_TRUE(until([&] { return ours.peers().size() == 2; }, 5s, "both linked"));
    for (auto* erlang : {&lesser, &greater}) {
      EXPECT_EQ(erlang->eval("nodes(hidden)"), "['roll@127.0.0.1']");
      thread.on([&] { (*ours).hang_up(*node_name::parse(erlang->name())); });
      EXPECT_EQ(
          erlang->eval(
              "(fun F(0) -> late; F(N) -> case nodes(hidden) of [] -> gone; _ -> timer:sleep(5), F(N-1) "
              "end end)(1000)"),
          "gone");
    }
  }
}

TEST_F(CnodeFaults, RegistersAgainWhenThePortMapperRestarts) {
  epmd mapper(port_);
  start();
  ASSERT_TRUE(until([&] { return mapper.knows("roll"); }, 10s, "our registration"));
  mapper.stop();
  ASSERT_TRUE(until([&] { return ours.seen.port_mapper().size() == 2; }, 5s, "the loss is told"));
  mapper.start();
  ASSERT_TRUE(until([&] { return mapper.knows("roll"); }, 15s, "our registration, again"));
  ASSERT_TRUE(until([&] { return ours.seen.port_mapper().size() == 3; }, 5s, "and told"));
  const auto told = ours.seen.port_mapper();
  EXPECT_FALSE(told[0].first);
  EXPECT_EQ(told[1].first, error::closed);
  EXPECT_FALSE(told[2].first);
  ours.stop();
  EXPECT_TRUE(until([&] { return !mapper.knows("roll"); }, 5s, "unregistered on stop"));
}

TEST_F(CnodeFaults, NameTaken) {
  epmd mapper(port_);
  start();
  ASSERT_TRUE(until([&] { return mapper.knows("roll"); }, 10s, "our registration"));
  node_under_test second(thread, "roll@127.0.0.1");
  second.options.port_mapper = cnode::port_mapper_mode::automatic;
  second.options.port_mapper_port = port_;
  ASSERT_TRUE(second.start());
  ASSERT_TRUE(until([&] { return !second.seen.port_mapper().empty(); }, 5s, "told"));
  EXPECT_EQ(second.seen.port_mapper().front().first, error::name_taken);
  ours.stop();
  ASSERT_TRUE(
      until([&] { return second.seen.port_mapper().size() == 2; }, 10s, "registered once it is free"));
}

TEST_F(CnodeFaults, IsThePortMapperForRealNodes) {
  start(cnode::port_mapper_mode::automatic);
  beam one(erlang_node("one@127.0.0.1"));
  beam two(erlang_node("two@127.0.0.1"));
  EXPECT_EQ(one.eval("net_adm:ping('two@127.0.0.1')"), "pong");
  EXPECT_EQ(one.eval("net_adm:ping('roll@127.0.0.1')"), "pong");
  EXPECT_EQ(one.eval("{ok, L} = net_adm:names({127,0,0,1}), [N || {N, _} <- lists:sort(L)]"),
            "[\"one\",\"roll\",\"two\"]");
  EXPECT_TRUE(ours.dial(by_name("two@127.0.0.1")));
  // OTP's own tool reads our answer.
  const auto listed = run({.arguments = {"epmd", "-port", std::to_string(port_), "-names"},
                           .environment = {},
                           .network_namespace = {}});
  EXPECT_NE(listed.output.find("name roll at port " + std::to_string(ours.port())), std::string::npos)
      << listed.output;
  EXPECT_NE(listed.output.find("name one at port"), std::string::npos) << listed.output;
  // A node with a name that is there already cannot start; one that is gone is forgotten.
  two.kill();
  EXPECT_EQ(one.eval("(fun F(0) -> late; F(N) -> case erl_epmd:port_please(\"two\", {127,0,0,1}) of noport "
                     "-> gone; _ -> "
                     "timer:sleep(5), F(N-1) end end)(1000)"),
            "gone");
  two.restart();
  EXPECT_EQ(one.eval("net_adm:ping('two@127.0.0.1')"), "pong");
  EXPECT_NE(one.eval("erlang:system_info(creation) > 3"), "false");
}

TEST_F(CnodeFaults, TakesThePortMappersPlaceAndNodesComeBackToUs) {
  auto mapper = std::make_unique<epmd>(port_);
  beam one(erlang_node("one@127.0.0.1"));
  start(cnode::port_mapper_mode::automatic);
  ASSERT_TRUE(until([&] { return mapper->knows("roll"); }, 10s, "our registration"));
  mapper.reset();
  const auto known = [&](const std::string& name) {
    return one.eval(
        "(fun F(0) -> late; F(N) -> case erl_epmd:port_please(\"" + name +
            "\", {127,0,0,1}) of {port, _, _} -> back; _ -> timer:sleep(50), F(N-1) end end)(600)",
        60s);
  };
  ASSERT_EQ(known("roll"), "back");
  // Nodes of OTP 23 do not register again, also when it is a port mapper of OTP that comes back.
  if (is_otp_23(one)) one.restart();
  EXPECT_EQ(known("one"), "back");
  EXPECT_TRUE(ours.dial(by_name("one@127.0.0.1")));
}

}  // namespace
}  // namespace rollcall::test
