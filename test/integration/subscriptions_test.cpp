// Events as messages: to processes that receive, that do not, that end, and to a node that does not read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "test/support/beam.hpp"
#include "test/support/epmd.hpp"
#include "test/support/rollcall_program.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Subscriptions : public testing::Test {
 protected:
  Subscriptions() {
    rollcall.emplace(rollcall_options{.arguments = {"--local"},
                                      .epmd_port = mapper.port(),
                                      .name = "rollcall@127.0.0.1",
                                      .interval = "500ms"});
  }
  beam node(const std::string& alive) {
    beam_options options;
    options.name = alive + "@127.0.0.1";
    options.epmd_port = mapper.port();
    return beam(options);
  }
  testing::AssertionResult meshed(std::size_t count) {
    return eventually([&] { return rollcall->whole(count); }, 60s, "the mesh is whole");
  }
  // Waits for an event of that type, in the process that evaluates.
  static std::string next(beam& on, const std::string& type) {
    return on.eval("receive {rollcall, From, #{type := " + type +
                       ", id := I, at := A, node := N, text := T}} when is_integer(I), is_integer(A), "
                       "is_binary(T) -> {From, N} after 60000 -> late end",
                   90s);
  }
  static std::string ask(beam& on, const std::string& function, const std::string& arguments) {
    return on.eval("rpc:call('rollcall@127.0.0.1', rollcall, " + function + ", [" + arguments + "])");
  }

  epmd mapper;
  std::optional<rollcall_program> rollcall;
};

// One made with erl_interface: it takes no monitors, and runs no calls.
TEST_F(Subscriptions, ReachACNode) {
  auto one = node("one");
  ASSERT_TRUE(meshed(1));
  process client(
      {.arguments = {ROLLCALL_LIBEI_SUBSCRIBER, "client", "127.0.0.1", "chocolate", "rollcall@127.0.0.1"},
       .environment = {{"ERL_EPMD_PORT", std::to_string(mapper.port())}},
       .network_namespace = {}});
  ASSERT_TRUE(eventually([&] { return client.output() == "subscribed ok\n"; }, 30s, "subscribed"))
      << client.output();
  auto two = node("two");
  EXPECT_TRUE(eventually([&] { return client.output().find("event member_joined\n") != std::string::npos; },
                         60s, "told"))
      << client.output();
  EXPECT_EQ(client.output().find("something else"), std::string::npos) << client.output();
  EXPECT_TRUE(client.running());
}

// One made with JInterface, where a JDK and Debian's erlang-jinterface are installed; what it announces is
// played in unit_cnode everywhere.
TEST_F(Subscriptions, ReachAJavaNode) {
  const std::string jar = "/usr/share/java/OtpErlang.jar";
  if (!std::filesystem::exists("/usr/bin/javac") || !std::filesystem::exists(jar)) {
    GTEST_SKIP() << "no JDK with JInterface here";
  }
  auto one = node("one");
  ASSERT_TRUE(meshed(1));
  process client(
      {.arguments = {"java", "-cp", jar, ROLLCALL_SOURCE_DIR "/test/integration/jinterface/Subscriber.java",
                     "client@127.0.0.1", "chocolate", "rollcall@127.0.0.1"},
       .environment = {{"ERL_EPMD_PORT", std::to_string(mapper.port())}},
       .network_namespace = {}});
  ASSERT_TRUE(eventually([&] { return client.output() == "subscribed ok\n"; }, 60s, "subscribed"))
      << client.output() << client.errors();
  auto two = node("two");
  EXPECT_TRUE(
      eventually([&] { return client.output().find("member_joined") != std::string::npos; }, 60s, "told"))
      << client.output() << client.errors();
  EXPECT_TRUE(client.running());
}

TEST_F(Subscriptions, AreToldOfEventsUntilTheyAreGivenUp) {
  auto one = node("one");
  ASSERT_TRUE(meshed(1));
  EXPECT_EQ(ask(one, "subscribe", "self()"), "ok");
  EXPECT_EQ(ask(one, "subscribe", "self()"), "ok") << "once more is once";
  {
    auto two = node("two");
    EXPECT_EQ(next(one, "member_joined"), "{'rollcall@127.0.0.1','two@127.0.0.1'}");
    EXPECT_EQ(one.eval("receive {rollcall, _, #{type := member_joined}} -> twice after 0 -> once end"),
              "once");
  }
  EXPECT_EQ(next(one, "member_suspect"), "{'rollcall@127.0.0.1','two@127.0.0.1'}");
  EXPECT_EQ(ask(one, "unsubscribe", "self()"), "ok");
  one.eval("(fun F() -> receive {rollcall, _, _} -> F() after 0 -> ok end end)()");
  auto three = node("three");
  ASSERT_TRUE(eventually([&] { return rollcall->is("three@127.0.0.1", "up"); }, 60s, "three is up"));
  // A round trip behind whatever was sent before.
  EXPECT_EQ(ask(one, "subscribe", "self()"), "ok");
  EXPECT_EQ(one.eval("receive {rollcall, _, E} -> E after 0 -> none end"), "none");
}

TEST_F(Subscriptions, AreRefusedForWhatIsNoReachableProcess) {
  auto one = node("one");
  ASSERT_TRUE(meshed(1));
  EXPECT_THAT(ask(one, "subscribe", "me"),
              StartsWith("{badrpc,{'EXIT',{function_clause,[{rollcall,subscribe,[me]"));
  // A pid of a node that nobody is linked to.
  EXPECT_EQ(ask(one, "subscribe",
                "binary_to_term(<<131,88,119,16,\"nobody@127.0.0.1\",0,0,0,99,0,0,0,0,0,0,0,7>>)"),
            "{error,noconnection}");
  EXPECT_EQ(one.eval("gen_server:call({rollcall, 'rollcall@127.0.0.1'}, {subscribe, self()})"), "ok");
}

// What such a process has not taken cannot be seen from here but by asking its node.
TEST_F(Subscriptions, AProcessThatDoesNotReceiveIsLeftAloneAndToldLater) {
  auto one = node("one");
  ASSERT_TRUE(meshed(1));
  // Its queue is long already; it takes nothing until it is told to.
  EXPECT_EQ(
      one.eval(
          "P = spawn(fun() -> receive go -> ok end, "
          "F = fun F(Seen) -> receive {rollcall, _, #{type := T, node := N}} -> F([{T, N} | Seen]); "
          "{tell, To} -> To ! {seen, lists:reverse(Seen)}, F(Seen); noise -> F(Seen) end end, F([]) end), "
          "register(sleeper, P), [sleeper ! noise || _ <- lists:seq(1, 1500)], ok"),
      "ok");
  EXPECT_EQ(ask(one, "subscribe", "whereis(sleeper)"), "ok");
  EXPECT_EQ(ask(one, "subscribe", "self()"), "ok");
  auto two = node("two");
  EXPECT_EQ(next(one, "member_joined"), "{'rollcall@127.0.0.1','two@127.0.0.1'}");
  EXPECT_EQ(one.eval("element(2, process_info(whereis(sleeper), message_queue_len))"), "1500");
  EXPECT_EQ(one.eval("sleeper ! go"), "go");
  EXPECT_TRUE(eventually(
      [&] {
        return one.eval(
                   "sleeper ! {tell, self()}, receive {seen, S} -> "
                   "lists:member({member_joined, 'two@127.0.0.1'}, S) after 5000 -> late end") == "true";
      },
      60s, "it is told what it had not seen"));
}

TEST_F(Subscriptions, EndWithTheProcessAndWithTheNode) {
  auto one = node("one");
  ASSERT_TRUE(meshed(1));
  const auto monitored = [&] {
    return one.eval(
        "length([P || P <- processes(), {monitored_by, L} <- [process_info(P, monitored_by)], X <- L, "
        "is_pid(X), node(X) =:= 'rollcall@127.0.0.1'])");
  };
  const auto before = monitored();  // the watcher that tells of changes
  one.eval(
      "[begin P = spawn(fun() -> receive stop -> ok end end), put(P, x), "
      "ok = rpc:call('rollcall@127.0.0.1', rollcall, subscribe, [P]) end || _ <- lists:seq(1, 50)], ok");
  EXPECT_EQ(monitored(), std::to_string(std::stoi(before) + 50));
  {
    auto two = node("two");
    ASSERT_TRUE(meshed(2));
    EXPECT_EQ(ask(two, "subscribe", "self()"), "ok");
  }
  one.eval("[P ! stop || {P, x} <- get()], ok");
  EXPECT_TRUE(eventually([&] { return monitored() == before; }, 30s, "no monitor is left"));
  // And it goes on for others.
  EXPECT_EQ(ask(one, "subscribe", "self()"), "ok");
  auto three = node("three");
  EXPECT_EQ(next(one, "member_joined"), "{'rollcall@127.0.0.1','three@127.0.0.1'}");
}

}  // namespace
}  // namespace rollcall::test
