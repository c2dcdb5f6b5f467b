// deploy/examples/iex: what an application does with events, on a real netsplit.
#include "test/iex/shell.hpp"
#include "test/support/wait.hpp"

#include <csignal>
#include <functional>

namespace rollcall::test {
namespace {

constexpr const char* examples = ROLLCALL_SOURCE_DIR "/deploy/examples/iex/";

// Two members that Rollcall only observes, so that a test can part them, and an application beside them with
// an alarm handler and a Telemetry of its own that notes what it is told.
class IexExamples : public testing::Test {
 protected:
  void SetUp() override {
    start_rollcall();
    ASSERT_EQ(application.eval("application:start(sasl)"), "ok");
    ASSERT_EQ(application.eval(
                  "Forms = [begin {ok, Tokens, _} = erl_scan:string(Text), {ok, Form} = "
                  "erl_parse:parse_form(Tokens), "
                  "Form end || Text <- [\"-module(telemetry).\", \"-export([execute/3]).\", "
                  "\"execute(E, M, #{id := I}) -> told ! {E, maps:keys(M), I}.\"]], "
                  "{ok, telemetry, Code} = compile:forms(Forms), {module, telemetry} = "
                  "code:load_binary(telemetry, \"telemetry\", Code), "
                  "register(told, spawn(fun() -> (fun Loop(All) -> receive {take, From} -> From ! {all, "
                  "lists:reverse(All)}, Loop(All); One -> Loop([One | All]) end end)([]) end)), ok"),
              "ok");
  }

  void start_rollcall() {
    program.reset();
    ASSERT_TRUE(eventually([&] { return !nodes.mapper().knows("rollcall"); }, 10s, "the name is free"));
    program.emplace(
        rollcall_options{.arguments = {"--node", "one@127.0.0.1", "--node", "two@127.0.0.1", "--heal", "off"},
                         .environment = {},
                         .epmd_port = nodes.mapper().port(),
                         .network_namespace = {},
                         .name = "rollcall@127.0.0.1"});
    join();
    ASSERT_TRUE(eventually([&] { return program->whole(2); }, 60s, "both members are up and meshed"));
  }
  void join() {
    nodes.node(0).eval(
        "erlang:set_cookie('two@127.0.0.1', erlang:get_cookie()), net_kernel:connect_node('two@127.0.0.1')");
  }
  // And they stay apart: any message between the two would link them again.
  void part() {
    nodes.node(0).eval("erlang:set_cookie('two@127.0.0.1', apart), erlang:disconnect_node('two@127.0.0.1')");
  }

  testing::AssertionResult alarms(const std::string& expected) {
    return eventually(
        [&] {
          const auto set = application.eval("[Name || {Name, _} <- alarm_handler:get_alarms()]");
          return set == expected ? testing::AssertionSuccess()
                                 : testing::AssertionFailure()
                                       << set << "\n"
                                       << application.output() << program->get("/api/v1/netsplits").body;
        },
        60s, "the alarms are " + expected, 50ms);
  }

  // Subscribed, set on a netsplit, cleared when it is over; the same after Rollcall was away.
  void sees_netsplits() {
    ASSERT_TRUE(alarms("[]"));
    part();
    ASSERT_TRUE(alarms("[{netsplit,1}]"));
    EXPECT_EQ(application.eval("[{_, Groups}] = alarm_handler:get_alarms(), lists:sort(Groups)"),
              "[['one@127.0.0.1'],['two@127.0.0.1']]");
    join();
    ASSERT_TRUE(alarms("[]"));
    EXPECT_EQ(application.eval("told ! {take, self()}, receive {all, All} -> All end"),
              "[{[rollcall,netsplit,opened],[opened_at],1},{[rollcall,netsplit,closed],[duration_ms],1}]");

    program->signal(SIGKILL);
    ASSERT_TRUE(program->running_process().wait(10s));
    start_rollcall();
    part();
    ASSERT_TRUE(alarms("[{netsplit,1}]"));
    join();
    ASSERT_TRUE(alarms("[]"));
  }

  loopback nodes{{"one", "two"}};
  std::optional<rollcall_program> program;
  beam& application{nodes.add({.name = "app@127.0.0.1", .elixir = true})};
};

TEST_F(IexExamples, NetsplitAlarmInElixir) {
  ASSERT_EQ(
      application.elixir(
          "Code.require_file(\"" + std::string(examples) +
          "netsplit_alarm.exs\"); "
          "{:ok, p} = apply(NetsplitAlarm, :start_link, [[rollcall: :\"rollcall@127.0.0.1\", retry: 200]]); "
          "Process.unlink(p)"),
      "true");
  sees_netsplits();
}

TEST_F(IexExamples, NetsplitAlarmInErlang) {
  ASSERT_EQ(application.eval("{ok, netsplit_alarm, Code} = compile:file(\"" + std::string(examples) +
                             "netsplit_alarm\", [binary, warnings_as_errors]), {module, _} = "
                             "code:load_binary(netsplit_alarm, \"netsplit_alarm\", Code), "
                             "{ok, P} = netsplit_alarm:start_link('rollcall@127.0.0.1', 200), unlink(P)"),
            "true");
  sees_netsplits();
}

// The gate of a supervision tree, asked for a member: how long it held back what stands behind it, in
// milliseconds.
class StartGate : public IexExamples {
 protected:
  using gate = std::function<std::string(const std::string& port)>;
  int held_back(const gate& open) { return std::stoi(open(port())); }
  std::string port() const { return std::to_string(program->http_port()); }

  void waits_while_it_is_alone_and_never_longer_than_it_may(const gate& open) {
    EXPECT_LT(held_back(open), 2'000) << "both are linked";
    part();
    ASSERT_TRUE(eventually([&] { return program->get("/api/v1/ready/one@127.0.0.1?strict=1").status == 503; },
                           30s, "it is alone"));
    EXPECT_GE(held_back(open), 2'500) << "it is alone, and the limit is 2.5 s";
    join();
    ASSERT_TRUE(eventually([&] { return program->whole(2); }, 60s, "whole again"));
    EXPECT_LT(held_back(open), 2'000);
    EXPECT_LT(std::stoi(open("1")), 2'500) << "nobody answers: only `silence` is waited for";
  }
};

TEST_F(StartGate, InErlang) {
  ASSERT_EQ(application.eval("{ok, start_gate, Code} = compile:file(\"" + std::string(examples) +
                             "start_gate\", [binary, warnings_as_errors]), {module, _} = "
                             "code:load_binary(start_gate, \"start_gate\", Code), ok"),
            "ok");
  waits_while_it_is_alone_and_never_longer_than_it_may([&](const std::string& port) {
    return application.eval(
        "Begun = erlang:monotonic_time(millisecond), "
        "ignore = start_gate:start_link(#{host => \"127.0.0.1\", port => " +
        port +
        ", node => 'one@127.0.0.1', limit => 2500, silence => 500}), "
        "erlang:monotonic_time(millisecond) - Begun");
  });
}

// As applications have it: a supervisor starts what stands behind the gate when the gate is open.
TEST_F(StartGate, InElixirBeforeASingletonOfTheSameSupervisor) {
  ASSERT_EQ(
      application.elixir("Code.require_file(\"" + std::string(examples) + "start_gate.exs\") |> length()"),
      "1");
  waits_while_it_is_alone_and_never_longer_than_it_may([&](const std::string& port) {
    return application.elixir(
        "begun = System.monotonic_time(:millisecond); "
        "gate = {StartGate, url: \"http://127.0.0.1:" +
        port +
        "\", node: :\"one@127.0.0.1\", limit: 2500, silence: 500}; "
        "singleton = {Agent, fn -> System.monotonic_time(:millisecond) end}; "
        "{:ok, tree} = Supervisor.start_link([gate, singleton], strategy: :one_for_one); "
        "[started] = for {Agent, pid, _, _} <- Supervisor.which_children(tree), do: Agent.get(pid, & &1); "
        "Supervisor.stop(tree); started - begun");
  });
}

}  // namespace
}  // namespace rollcall::test
