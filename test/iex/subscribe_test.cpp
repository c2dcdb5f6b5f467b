// Events as messages: who gets which, when they stop, and what a subscriber that falls behind costs and
// misses.
#include <csignal>

#include "test/iex/shell.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

// Keeps what it is sent and shows it in order; a deaf one receives nothing until it is told to wake.
constexpr const char* collector =
    "Collect = fun(Deaf) -> spawn(fun() -> case Deaf of true -> receive wake -> ok end; false -> ok end, "
    "(fun Loop(All) -> receive {look, From, At} -> From ! {seen, self(), At(lists:reverse(All))}, Loop(All); "
    "{rollcall, R, One} -> Loop([One | All]) end end)([]) end) end, ";

class IexSubscribe : public over_both {
 protected:
  void SetUp() override {
    start({"--heal", "off"}, true);
    cluster->nodes.node(0).eval("net_kernel:connect_node('two@127.0.0.1')");
    ASSERT_TRUE(cluster->whole());
  }
  void TearDown() override {
    if (cluster == nullptr) return;
    cluster->at.erlang(
        "rpc:call(R, rollcall, unsubscribe, [whereis(collector)]), exit(whereis(collector), kill)");
    over_both::TearDown();
  }

  void collect() {
    ASSERT_EQ(
        cluster->at.erlang(std::string(collector) + "register(collector, Collect(false)), "
                                                    "rpc:call(R, rollcall, subscribe, [whereis(collector)])"),
        "ok");
  }
  // Each is an event and its end: member_leaving, member_up.
  void make_events(int pairs) {
    ASSERT_EQ(cluster->node.eval(
                  "lists:usort([rpc:call('rollcall@127.0.0.1', rollcall, F, ['two@127.0.0.1']) || _ <- "
                  "lists:seq(1, " +
                      std::to_string(pairs) + "), F <- [leave, rejoin]])",
                  120s),
              "[ok]");
  }
  testing::AssertionResult comes(const std::string& code, const std::string& expected) {
    return eventually(
        [&] {
          const auto now = cluster->at.erlang(code);
          return now == expected ? testing::AssertionSuccess() : testing::AssertionFailure() << now;
        },
        60s, code + " gives " + expected);
  }
};
INSTANTIATE_TEST_SUITE_P(Over, IexSubscribe, testing::Values(wire::headers, wire::no_headers), wire_name);

// What is counted in events, and takes seconds: the same however a link writes them.
class IexSubscribeLimits : public IexSubscribe {};
INSTANTIATE_TEST_SUITE_P(Over, IexSubscribeLimits, testing::Values(wire::headers), wire_name);

// What processes make of the events that they got so far.
constexpr const char* got =
    "Each = fun(Ps, At) -> [P ! {look, self(), At} || P <- Ps], [receive {seen, P, Seen} -> Seen end || P <- "
    "Ps] end, "
    "Got = fun(P) -> hd(Each([P], fun(All) -> All end)) end, "
    "OfTwo = fun(P) -> length([1 || #{node := 'two@127.0.0.1'} <- Got(P)]) end, ";

TEST_P(IexSubscribe, EventsAreThoseOfTheList) {
  collect();
  make_events(1);
  ASSERT_TRUE(comes(
      std::string(got) + "lists:sublist([{T, N} || #{type := T, node := N} <- Got(whereis(collector))], 2)",
      "[{member_leaving,'two@127.0.0.1'},{member_up,'two@127.0.0.1'}]"));
  EXPECT_EQ(cluster->at.erlang(std::string(got) +
                               "Sent = Got(whereis(collector)), "
                               "Listed = rpc:call(R, rollcall, events, []), "
                               "{[E || E <- Sent, not lists:member(E, Listed)], "
                               "lists:usort([lists:sort(maps:keys(E)) -- [netsplit] || E <- Sent])}"),
            "{[],[[at,id,node,reason,text,type]]}");
}

TEST_P(IexSubscribeLimits, ARealDeathIsTold) {
  collect();
  auto& two = cluster->nodes.node(1);
  two.kill();
  const auto told = [this](const std::string& type) {
    return comes(std::string(got) + "lists:member(" + type +
                     ", [T || #{type := T, node := 'two@127.0.0.1'} <- Got(whereis(collector))])",
                 "true");
  };
  ASSERT_TRUE(told("member_suspect"));
  two.restart();
  cluster->nodes.node(0).eval("net_kernel:connect_node('two@127.0.0.1')");
  ASSERT_TRUE(told("member_restarted"));
}

const question subscribing[] = {
    {"in every way",
     "P = whereis(collector), lists:usort([rpc:call(R, rollcall, subscribe, [P]), erpc:call(R, "
     "'Elixir.Rollcall', "
     "subscribe, [P]), gen_server:call({rollcall, R}, {subscribe, P})])",
     "[ok]"},
    {"no process",
     "[element(1, element(2, element(2, rpc:call(R, rollcall, F, [X])))) || F <- [subscribe, unsubscribe], "
     "X <- [collector, {collector, node()}, 1, make_ref(), <<>>]]",
     "[function_clause,function_clause,function_clause,function_clause,function_clause,function_clause,"
     "function_"
     "clause,function_clause,function_clause,function_clause]"},
    {"a process of a node that Rollcall has no link to",
     "rpc:call(R, rollcall, subscribe, [rpc:call('apart@127.0.0.1', "
     "erlang, whereis, [init])])",
     "{error,noconnection}"},
    {"a process that is gone", "P = spawn(fun() -> ok end), rpc:call(R, rollcall, subscribe, [P])", "ok"},
    {"unsubscribe, twice, and of one that never did",
     "P = spawn(fun() -> receive x -> ok end end), [rpc:call(R, rollcall, F, [P]) || F <- [unsubscribe, "
     "subscribe, "
     "unsubscribe, unsubscribe]]",
     "[ok,ok,ok,ok]"},
    {"for a process elsewhere",
     "rpc:call(R, rollcall, subscribe, [rpc:call('one@127.0.0.1', erlang, whereis, [init])])", "ok"},
};

TEST_P(IexSubscribe, OnceAndUntilUnsubscribed) {
  cluster->nodes.add({.name = "apart@127.0.0.1"});
  collect();
  cluster->ask(subscribing, false);
  make_events(2);
  // However often it subscribed, each comes once.
  ASSERT_TRUE(comes(std::string(got) + "OfTwo(whereis(collector))", "4"));
  ASSERT_EQ(cluster->at.erlang(
                std::string(collector) +
                "rpc:call(R, rollcall, unsubscribe, [whereis(collector)]), "
                "register(other, Collect(false)), rpc:call(R, rollcall, subscribe, [whereis(other)])"),
            "ok");
  make_events(2);
  ASSERT_TRUE(comes(std::string(got) + "OfTwo(whereis(other))", "4"));
  EXPECT_EQ(cluster->at.erlang(std::string(got) + "OfTwo(whereis(collector))"), "4");
}

// With the link the subscription goes: a node that comes back subscribes again.
TEST_P(IexSubscribe, EndsWithTheLink) {
  collect();
  make_events(1);
  const auto count = std::string(got) + "OfTwo(whereis(collector))";
  ASSERT_TRUE(comes(count, "2"));
  ASSERT_EQ(cluster->at.erlang("M = erlang:monitor(process, {rollcall, R}), erlang:disconnect_node(R), "
                               "receive {'DOWN', M, _, _, Why} -> Why after 5000 -> late end"),
            "noconnection");
  make_events(1);
  ASSERT_EQ(cluster->at.erlang(count), "2");
  ASSERT_EQ(cluster->at.erlang("rpc:call(R, rollcall, subscribe, [whereis(collector)])"), "ok");
  make_events(1);
  ASSERT_TRUE(comes(count, "4"));
}

// More than can be subscribed at a time, one after the other.
TEST_P(IexSubscribeLimits, ProcessesThatAreGoneAreForgotten) {
  for (int i = 0; i < 9; ++i) {
    ASSERT_EQ(cluster->node.eval(
                  "lists:usort([begin P = spawn(fun() -> receive x -> ok end end), "
                  "Said = rpc:call('rollcall@127.0.0.1', rollcall, subscribe, [P]), exit(P, kill), Said end "
                  "|| _ <- lists:seq(1, 2000)])",
                  120s),
              "[ok]")
        << i;
  }
}

// It is sent no more while a thousand wait for it; what does not fit until it receives is counted for it.
TEST_P(IexSubscribeLimits, AProcessThatDoesNotReceiveIsPaused) {
  ASSERT_EQ(
      cluster->at.erlang(std::string(collector) + "register(collector, Collect(true)), "
                                                  "rpc:call(R, rollcall, subscribe, [whereis(collector)])"),
      "ok");
  make_events(1500);
  const auto waiting = [&] {
    return std::stoi(cluster->at.erlang("element(2, process_info(whereis(collector), message_queue_len))"));
  };
  ASSERT_TRUE(eventually([&] { return waiting() > 1000; }, 30s, "more than a thousand wait"));
  EXPECT_LT(waiting(), 1400);
  EXPECT_TRUE(throughout([&] { return waiting() < 1400; }, 3s, "no more come"));
  // It has its wits again: the rest comes, and what it missed is said.
  cluster->at.erlang("whereis(collector) ! wake");
  const auto accounted = std::string(got) +
                         "All = Got(whereis(collector)), "
                         "Seen = length([1 || #{type := T, node := 'two@127.0.0.1'} <- All, T =/= missed]), "
                         "Missed = lists:sum([C || #{type := missed, count := C} <- All]), ";
  ASSERT_TRUE(comes(accounted + "{Missed > 0, Seen + Missed >= 3000}", "{true,true}"));
  EXPECT_EQ(
      cluster->at.erlang(
          accounted + "Ids = [I || #{id := I, type := T} <- All, T =/= missed], {Ids =:= lists:usort(Ids), "
                      "length([1 || #{type := missed} <- All])}"),
      "{true,1}");
}

// A node that does not read: so much memory and no more, nobody else waits, and its processes are told.
TEST_P(IexSubscribeLimits, ANodeThatDoesNotReadCostsBoundedMemory) {
  auto& deaf = cluster->nodes.add({.name = "deaf@127.0.0.1"});
  shell there(deaf, "rollcall@127.0.0.1");
  ASSERT_EQ(there.erlang(std::string(collector) +
                         "Ps = [Collect(false) || _ <- lists:seq(1, 100)], persistent_term:put(all, Ps), "
                         "lists:usort([rpc:call(R, rollcall, subscribe, [P]) || P <- Ps])"),
            "[ok]");
  collect();
  make_events(20);
  const auto before = cluster->program.rss_kib();
  deaf.freeze();
  make_events(700);
  EXPECT_LT(cluster->program.rss_kib(), before + 48 * 1024) << "KiB, from " << before;
  // What else became of the node meanwhile comes besides; but nothing twice, and all of it in its order.
  ASSERT_TRUE(comes(std::string(got) + "OfTwo(whereis(collector)) >= 1440", "true"));
  constexpr const char* in_order = "fun(All) -> Ids = [I || #{id := I} <- All], Ids =:= lists:usort(Ids) end";
  EXPECT_EQ(cluster->at.erlang(std::string(got) + "Each([whereis(collector)], " + in_order + ")"), "[true]");
  deaf.thaw();
  const auto accounted = std::string(got) +
                         "All = Each(persistent_term:get(all), fun(All) -> "
                         "{length([1 || #{type := T, node := 'two@127.0.0.1'} <- All, T =/= missed]), "
                         "lists:sum([C || #{type := missed, count := C} <- All])} end), ";
  ASSERT_TRUE(eventually(
      [&] {
        const auto short_of =
            there.erlang(accounted + "length([1 || {Seen, Missed} <- All, Seen + Missed < 1440])");
        return short_of == "0" ? testing::AssertionSuccess()
                               : testing::AssertionFailure() << short_of << " of them";
      },
      90s, "each of its processes has, or knows it missed, every event", 500ms));
  EXPECT_EQ(there.erlang(accounted + "length([1 || {_, Missed} <- All, Missed > 0]) > 0"), "true");
  EXPECT_EQ(there.erlang(std::string(got) + "lists:usort(Each(persistent_term:get(all), fun(All) -> (" +
                         in_order + ")([E || #{type := T} = E <- All, T =/= missed]) end))"),
            "[true]");
}

}  // namespace
}  // namespace rollcall::test
