// Probes and watchers against real nodes: what they tell, what they leave behind, what they never do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "test/support/loopback.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using testing::HasSubstr;

constexpr const char* watchers =
    "length([P || P <- registered(), lists:prefix(\"rollcall_watcher\", atom_to_list(P))])";

// Views are polled every sixth round only: what is seen sooner was told.
rollcall_program seldom_polling(loopback& cluster, const std::string& interval = "20s") {
  rollcall_options options;
  for (const auto& name : cluster.names())
    options.arguments.insert(options.arguments.end(), {"--node", name});
  options.epmd_port = cluster.mapper().port();
  options.name = "rollcall@127.0.0.1";
  options.interval = interval;
  return rollcall_program(std::move(options));
}

TEST(Watcher, TellsAtOnceAndLeavesNothingBehind) {
  loopback cluster({"a", "b", "c"});
  {
    auto rollcall = seldom_polling(cluster);
    ASSERT_TRUE(eventually([&] { return rollcall.whole(3); }, 60s, "three are one"));
    ASSERT_TRUE(eventually([&] { return cluster.node(0).eval(watchers) == "1"; }, 30s, "one watcher"));
    ASSERT_TRUE(eventually([&] { return cluster.node(1).eval(watchers) == "1"; }, 30s, "one watcher"));
    const auto rounds = [&] { return rollcall.metric("rollcall_round_duration_seconds_count").value_or(0); };
    const auto before = rounds();
    beam stranger({.name = "stranger@127.0.0.1", .epmd_port = cluster.mapper().port()});
    EXPECT_EQ(cluster.node(0).eval("net_kernel:connect_node('stranger@127.0.0.1')"), "true");
    EXPECT_TRUE(
        eventually([&] { return rollcall.metric("erlang_cluster_unlisted_nodes") == 1; }, 15s, "seen"));
    EXPECT_LE(rounds() - before, 1);
    rollcall.terminate();
  }
  // It ends with our link.
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(eventually([&] { return cluster.node(i).eval(watchers) == "0"; }, 30s, "gone with us"));
    EXPECT_THAT(cluster.node(i).output(), testing::Not(HasSubstr("Error in process")));
  }
}

// What the watcher on the first node sends is traced there.
TEST(Watcher, SaysThatNothingHasChangedAndSendsNoNames) {
  loopback cluster({"a", "b"});
  auto& node = cluster.node(0);
  const auto rollcall = cluster.rollcall();
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
  ASSERT_TRUE(eventually([&] { return node.eval(watchers) == "1"; }, 30s, "a watcher"));
  node.eval(R"(
      [Name] = [P || P <- registered(), lists:prefix("rollcall_watcher", atom_to_list(P))],
      Tracer = spawn(fun() -> (fun Again(All) -> receive
          {trace, _, send, {rollcall_watcher, _, {What, _}}, _} -> Again([What | All]);
          {told, From} -> From ! {told, All}, Again(All);
          _ -> Again(All) end end)([]) end),
      register(tracer, Tracer), erlang:trace(whereis(Name), true, [send, {tracer, Tracer}]))");
  const auto told = [&](const std::string& what) {
    return std::stoi(node.eval(
        "tracer ! {told, self()}, receive {told, All} -> length([W || W <- All, W =:= " + what + "]) end"));
  };
  ASSERT_TRUE(eventually([&] { return told("same") >= 2; }, 60s, "nothing has changed"));
  EXPECT_TRUE(rollcall.whole(2));
  const auto others = told("other");
  beam stranger({.name = "stranger@127.0.0.1", .epmd_port = cluster.mapper().port()});
  EXPECT_EQ(node.eval("net_kernel:connect_node('stranger@127.0.0.1')"), "true");
  ASSERT_TRUE(eventually([&] { return told("up") >= 1; }, 30s, "it gained a node"));
  EXPECT_TRUE(eventually([&] { return told("other") > others; }, 60s, "so it is not what it was"));
  EXPECT_TRUE(eventually([&] { return rollcall.metric("erlang_cluster_unlisted_nodes") == 1; }, 15s, "seen"));
}

// A node gains more in a moment than one message tells of, and loses half of it in the same moment.
TEST(Watcher, WhatChangesWithinAMomentIsTakenInOrder) {
  loopback cluster({"a", "b"});
  const auto rollcall = seldom_polling(cluster, "5s");
  auto& node = cluster.node(0);
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
  ASSERT_TRUE(eventually([&] { return node.eval(watchers) == "1"; }, 30s, "a watcher"));
  const auto unlisted = [&] { return rollcall.metric("erlang_cluster_unlisted_nodes").value_or(0); };
  ASSERT_EQ(unlisted(), 0);
  const auto burst = [&](const std::string& messages) {
    return node.eval(R"(
      [Name] = [P || P <- registered(), lists:prefix("rollcall_watcher", atom_to_list(P))], W = whereis(Name),
      Called = fun(N) -> list_to_atom("n" ++ integer_to_list(N) ++ "@127.0.0.1") end,
      spawn(fun() -> erlang:suspend_process(W), [W ! M || M <- )" +
                     messages + R"(], erlang:resume_process(W) end), ok)");
  };
  // What a watcher tells in the first round after its start may be left to the views.
  const auto rounds = [&] { return rollcall.metric("rollcall_round_duration_seconds_count").value_or(0); };
  ASSERT_TRUE(eventually([&, begun = rounds()] { return rounds() >= begun + 2; }, 60s, "two rounds"));
  const auto left = [&] {
    if (unlisted() == 71) return true;
    burst(
        "[{nodeup, Called(N), []} || N <- lists:seq(1, 150)] ++ "
        "[{nodedown, Called(N), []} || N <- lists:seq(1, 149)] ++ "
        "[{nodeup, Called(N), []} || N <- lists:seq(1, 70)]");
    return false;
  };
  EXPECT_TRUE(eventually(left, 15s, "those that are left", 500ms));
}

// Sent by a member that knows the token of its watcher, as that one does.
TEST(Watcher, ListsOfChangesThatMeanNothingHarmNobody) {
  loopback cluster({"a", "b"});
  const auto rollcall = cluster.rollcall();
  auto& node = cluster.node(0);
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2) && rollcall.is_ready(); }, 60s, "two are one"));
  ASSERT_TRUE(eventually([&] { return node.eval(watchers) == "1"; }, 30s, "a watcher"));
  ASSERT_EQ(node.eval(R"(
      [Name] = [P || P <- registered(), lists:prefix("rollcall_watcher", atom_to_list(P))],
      Self = self(),
      Tracer = spawn(fun() -> receive {trace, _, send, {rollcall_watcher, Token, _}, Us} -> Self ! {Us, Token} end end),
      erlang:trace(whereis(Name), true, [send, {tracer, Tracer}]),
      whereis(Name) ! {alive, 0},
      receive {Us, Token} -> persistent_term:put(watcher, {Us, Token}) after 20000 -> nothing end)"),
            "ok");
  const auto tell = [&](const std::string& changes) {
    node.eval(
        "{Us, Token} = persistent_term:get(watcher), "
        "[Us ! {rollcall_watcher, Token, {changes, C}} || C <- " +
        changes + "], ok");
  };
  const auto unlisted = [&] { return rollcall.metric("erlang_cluster_unlisted_nodes").value_or(0); };
  for (int times = 0; times < 20; ++times) {
    tell(R"([[], nothing, "text", 7, <<1>>, [a], [{}], [{up}], [{up, 7}], [{up, nobody}], [{up, 'x@h', y}],
             [{down, 'x@h'}], [[{up, 'x@h'}]], [{up, 'x@h'} | 'x@h'], [{changes, [{up, 'x@h'}]}],
             [{up, 'x@h'}, nonsense, {up, 'y@h'}], [{down, 'y@h', lists:seq(1, 100000)}, {up, 'y@h'}],
             [{down, 'y@h', lists:foldl(fun(_, T) -> {T} end, [], lists:seq(1, 20000))}],
             [{up, list_to_atom(lists:duplicate(255, 233))}],
             lists:duplicate(1001, {down, 'b@127.0.0.1', lost})])");
  }
  const auto believed = [&] {
    tell("[[{up, 'z@h'}]]");
    return unlisted() >= 1;
  };
  EXPECT_TRUE(eventually(believed, 30s, "what follows is taken up", 200ms));
  EXPECT_TRUE(
      eventually([&] { return unlisted() == 0 && rollcall.whole(2); }, 60s, "its view has the last word"));
  EXPECT_TRUE(rollcall.log_with({"suspect"}).empty());
  EXPECT_TRUE(rollcall.json("/api/v1/netsplits").as_array().empty());
}

TEST(Watcher, ThereIsNeverASecondOne) {
  loopback cluster({"a", "b"});
  for (int life = 0; life < 3; ++life) {
    auto rollcall = cluster.rollcall();
    ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
    ASSERT_TRUE(eventually([&] { return cluster.node(0).eval(watchers) == "1"; }, 30s, "one"));
    rollcall.signal(9);
  }
  EXPECT_TRUE(eventually([&] { return cluster.node(0).eval(watchers) == "0"; }, 30s, "none is left"));
}

TEST(Watcher, OneThatWasKilledIsReplacedByPolling) {
  loopback cluster({"a", "b"});
  const auto rollcall = cluster.rollcall();
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 60s, "two are one"));
  ASSERT_TRUE(eventually([&] { return cluster.node(0).eval(watchers) == "1"; }, 30s, "one"));
  cluster.node(0).eval(
      "[exit(whereis(P), kill) || P <- registered(), lists:prefix(\"rollcall_watcher\", atom_to_list(P))]");
  cluster.node(1).eval("erlang:disconnect_node('a@127.0.0.1')");
  EXPECT_TRUE(
      eventually([&] { return rollcall.whole(2) && !cluster.node(0).nodes().empty(); }, 60s, "whole again"));
}

// It never answers again, and nothing else on its node is wrong.
TEST(Watcher, OneThatHangsDoesNotMakeItsNodeSuspect) {
  loopback cluster({"a", "b"});
  const auto rollcall = cluster.rollcall();
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2) && rollcall.is_ready(); }, 60s, "two are one"));
  ASSERT_TRUE(eventually([&] { return cluster.node(0).eval(watchers) == "1"; }, 30s, "one"));
  EXPECT_EQ(cluster.node(0).eval(R"(
      [Name] = [P || P <- registered(), lists:prefix("rollcall_watcher", atom_to_list(P))],
      spawn(fun() -> erlang:suspend_process(whereis(Name)), timer:sleep(infinity) end), Name =/= none)"),
            "true");
  const auto rounds = [&] { return rollcall.metric("rollcall_round_duration_seconds_count").value_or(0); };
  const auto before = rounds();
  ASSERT_TRUE(eventually([&] { return rounds() >= before + 12; }, 60s, "two turns of all views"));
  EXPECT_EQ(cluster.node(0).eval(R"(
      [Name] = [P || P <- registered(), lists:prefix("rollcall_watcher", atom_to_list(P))],
      erlang:process_info(whereis(Name), status))"),
            "{status,suspended}");
  EXPECT_EQ(rollcall.up(), 2U);
  EXPECT_TRUE(rollcall.log_with({"a@127.0.0.1", "suspect"}).empty());
}

// What it did not tell in time is past when it wakes.
TEST(Watcher, OneThatHangsIsNotReliedOn) {
  loopback cluster({"a", "b"});
  const auto rollcall = cluster.rollcall({}, {"--log-level", "debug"});
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2) && rollcall.is_ready(); }, 60s, "two are one"));
  ASSERT_TRUE(eventually([&] { return cluster.node(0).eval(watchers) == "1"; }, 30s, "one"));
  EXPECT_EQ(cluster.node(0).eval(R"(
      [Name] = [P || P <- registered(), lists:prefix("rollcall_watcher", atom_to_list(P))], W = whereis(Name),
      register(holder, spawn(fun() -> erlang:suspend_process(W), receive wake -> erlang:resume_process(W) end,
          timer:sleep(infinity) end)), ok)"),
            "ok");
  const auto asked = [&] {
    return rollcall.log_with({"its view is asked for every round", "a@127.0.0.1", "does not answer"}).size();
  };
  ASSERT_TRUE(eventually([&] { return asked() == 1; }, 60s, "its view is asked for"));
  cluster.node(0).eval("erlang:disconnect_node('b@127.0.0.1'), net_kernel:connect_node('b@127.0.0.1')");
  const auto rounds = [&] { return rollcall.metric("rollcall_round_duration_seconds_count").value_or(0); };
  const auto before = rounds();
  ASSERT_TRUE(eventually([&] { return rounds() >= before + 3 && rollcall.whole(2); }, 60s, "whole"));
  const auto known = rollcall.json("/api/v1/netsplits").as_array().size();
  cluster.node(0).eval("holder ! wake");
  const auto woken = rounds();
  ASSERT_TRUE(eventually([&] { return rounds() >= woken + 12; }, 60s, "two turns of all views"));
  EXPECT_TRUE(rollcall.whole(2));
  EXPECT_EQ(rollcall.json("/api/v1/netsplits").as_array().size(), known);
  EXPECT_EQ(asked(), 1U);
  EXPECT_TRUE(rollcall.log_with({"a node lost a peer", "node=a@127.0.0.1"}).empty());
  EXPECT_EQ(cluster.node(0).eval(watchers), "1");
}

TEST(Watcher, WhatOneNodeSendsIsNotRunOnAnother) {
  loopback cluster({"liar", "honest"});
  cluster.node(1).freeze();
  // The liar's parser turns any text into code that leaves a mark where it runs.
  ASSERT_EQ(cluster.node(0).eval(R"(
      Parse = fun(Text) -> {ok, Tokens, _} = erl_scan:string(Text), {ok, Form} = erl_parse:parse_form(Tokens), Form end,
      {ok, Evil, _} = erl_scan:string("erlang:register(owned, erlang:self()), receive stop -> ok end."),
      {ok, Forms} = erl_parse:parse_exprs(Evil),
      Lie = [Parse("-module(erl_parse)."), Parse("-export([parse_exprs/1])."),
             Parse("parse_exprs(_) -> application:set_env(kernel, asked, true), {ok, persistent_term:get(evil)}.")],
      persistent_term:put(evil, Forms),
      {ok, erl_parse, Code} = compile:forms(Lie),
      true = code:unstick_mod(erl_parse),
      {module, M} = code:load_binary(erl_parse, "lie", Code), M)"),
            "erl_parse");
  const auto rollcall = cluster.rollcall({}, {"--connect-timeout", "1s"});
  ASSERT_TRUE(eventually([&] { return rollcall.up() == 1; }, 60s, "the liar is there first"));
  cluster.node(1).thaw();
  ASSERT_TRUE(eventually([&] { return cluster.node(1).eval(watchers) == "1"; }, 60s, "a watcher"));
  EXPECT_EQ(cluster.node(1).eval("whereis(owned)"), "undefined");
  const std::string liar = cluster.node(0).name();
  const auto on_liar = [&](const std::string& call) {
    return cluster.node(1).eval("erpc:call('" + liar + "', " + call + ")");
  };
  EXPECT_EQ(on_liar("erlang, whereis, [owned]"), "undefined");
  EXPECT_EQ(on_liar("application, get_env, [kernel, asked]"), "undefined") << "no node is asked for code";
}

TEST(Watcher, NoneWhereViewsArePolled) {
  loopback cluster({"a", "b"});
  const auto rollcall = cluster.rollcall({}, {"--views", "poll"});
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2) && rollcall.is_ready(); }, 60s, "two are one"));
  EXPECT_EQ(cluster.node(0).eval(watchers), "0");
}

TEST(Probes, ConnectNobodyAndLeaveNoProcess) {
  loopback cluster({"a", "b"});
  // The fewest of some looks: a call that is under way is a process, too.
  const auto processes = [&] {
    int fewest = 1 << 20;
    for (int look = 0; look < 10; ++look) {
      fewest = std::min(fewest, std::stoi(cluster.node(0).eval("length(processes())")));
    }
    return fewest;
  };
  const auto rollcall = cluster.rollcall({}, {"--heal", "off"});
  ASSERT_TRUE(eventually([&] { return rollcall.up() == 2; }, 60s, "both are up"));
  const auto calls = [&] { return rollcall.metric("rollcall_rpc_duration_seconds_count").value_or(0); };
  EXPECT_TRUE(cluster.node(0).nodes().empty());
  cluster.node(0).eval("net_kernel:connect_node('b@127.0.0.1')");
  ASSERT_TRUE(eventually([&] { return rollcall.whole(2); }, 30s, "linked by themselves"));
  const auto before = processes();
  const auto begun = calls();
  ASSERT_TRUE(eventually([&] { return calls() >= begun + 20; }, 60s, "many probes"));
  EXPECT_TRUE(eventually([&] { return processes() <= before; }, 30s, "no more processes than before"));
  EXPECT_EQ(cluster.node(0).eval("erlang:process_info(whereis(net_kernel), message_queue_len)"),
            "{message_queue_len,0}");
}

TEST(Leave, TakesANodeOutWithoutTearingAndRejoinLetsItIn) {
  loopback cluster({"a", "b", "c", "d"});
  const auto rollcall = cluster.rollcall();
  ASSERT_TRUE(eventually([&] { return rollcall.whole(4); }, 60s, "four are one"));
  beam shell({.name = "shell@127.0.0.1", .epmd_port = cluster.mapper().port(), .hidden = true});
  for (std::size_t i = 0; i < 4; ++i) cluster.node(i).watch();
  const auto call = [&](const std::string& function, const std::string& node) {
    return shell.eval("rpc:call('rollcall@127.0.0.1', rollcall, " + function + ", ['" + node + "'])");
  };
  EXPECT_EQ(call("leave", "nobody@127.0.0.1"), "{error,unknown_node}");
  EXPECT_EQ(call("leave", "d@127.0.0.1"), "ok");
  ASSERT_TRUE(eventually([&] { return cluster.node(3).nodes().empty(); }, 30s, "out"));
  EXPECT_EQ(rollcall.state("d@127.0.0.1"), "leaving");
  const auto rounds = [&] { return rollcall.metric("rollcall_round_duration_seconds_count").value_or(0); };
  const auto before = rounds();
  ASSERT_TRUE(eventually([&] { return rounds() >= before + 6; }, 30s, "some rounds"));
  EXPECT_TRUE(cluster.node(3).nodes().empty()) << "and it stays out";
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(cluster.node(i).downs(), 1) << "nobody lost anybody else";
  EXPECT_TRUE(rollcall.json("/api/v1/netsplits").as_array().empty());
  EXPECT_EQ(call("rejoin", "d@127.0.0.1"), "ok");
  EXPECT_TRUE(eventually([&] { return rollcall.whole(4); }, 60s, "in again"));
}

TEST(StateDir, IncidentsOutliveTheProgram) {
  loopback cluster({"a", "b"});
  temporary_directory folder;
  const std::vector<std::string> arguments{"--state-dir", folder.path().string(), "--heal", "off"};
  {
    auto rollcall = cluster.rollcall({}, arguments);
    ASSERT_TRUE(eventually([&] { return rollcall.up() == 2; }, 60s, "both are up"));
    // Never connected for six intervals.
    ASSERT_TRUE(
        eventually([&] { return rollcall.json("/api/v1/netsplits").as_array().size() == 1; }, 60s, "open"));
    ASSERT_TRUE(
        eventually([&] { return std::filesystem::exists(folder.path() / "incidents.json"); }, 30s, "kept"));
    rollcall.terminate();
  }
  {
    auto rollcall = cluster.rollcall({}, arguments);
    EXPECT_EQ(rollcall.json("/api/v1/netsplits").as_array().size(), 1U) << "from the start";
    cluster.node(0).eval("net_kernel:connect_node('b@127.0.0.1')");
    EXPECT_TRUE(eventually(
        [&] { return !rollcall.json("/api/v1/netsplits").as_array().at(0).at("closed_at").is_null(); }, 60s,
        "over"));
    EXPECT_EQ(rollcall.json("/api/v1/netsplits").as_array().size(), 1U);
    EXPECT_EQ(rollcall.metric("erlang_cluster_netsplits_detected_total", {{"type", "full"}}), 1);
    rollcall.terminate();
  }
  std::ofstream(folder.path() / "incidents.json") << "{";
  auto rollcall = cluster.rollcall({}, arguments);
  EXPECT_TRUE(eventually([&] { return rollcall.up() == 2; }, 60s, "never fatal"));
  EXPECT_EQ(rollcall.log_with({"damaged"}).size(), 1U);
}

}  // namespace
}  // namespace rollcall::test
