// Our node among real Erlang nodes: links both ways, calls out, and everything a shell sends in.
#include <gtest/gtest.h>

#include "app/timely_command.hpp"
#include "cnode/flags.hpp"
#include "test/support/beam.hpp"
#include "test/support/epmd.hpp"
#include "test/support/headerless.hpp"
#include "test/unit/cnode/node_under_test.hpp"

namespace rollcall::test {
namespace {

beam_options erlang_node(std::string name, std::uint16_t epmd_port, wire spoken = wire::headers) {
  beam_options made;
  made.name = std::move(name);
  made.epmd_port = epmd_port;
  made.arguments = arguments_of(spoken);
  return made;
}

class cnode_calls : public testing::Test {
 protected:
  explicit cnode_calls(wire spoken = wire::headers) : spoken_(spoken) {}
  // One Erlang node for all of them: booting one takes longer than a test.
  static void SetUpTestSuite() { mapper = new epmd(); }
  static void TearDownTestSuite() {
    erlang.reset();
    delete mapper;
  }
  void SetUp() override {
    if (!erlang || of_erlang != spoken_) {
      erlang.reset();
      ASSERT_TRUE(until([] { return !mapper->knows("one"); }, 10s, "its name is free"));
      erlang = std::make_unique<beam>(erlang_node("one@127.0.0.1", mapper->port(), spoken_));
      of_erlang = spoken_;
    }
    ours.options.port_mapper = cnode::port_mapper_mode::register_only;
    ours.options.port_mapper_port = mapper->port();
    ASSERT_TRUE(ours.start());
    ASSERT_TRUE(until([] { return mapper->knows("roll"); }, 10s, "our registration"));
  }
  void TearDown() override {
    EXPECT_TRUE(is_over_it());
    asked_another.reset();
    ours.stop();
    ASSERT_TRUE(until([] { return !mapper->knows("roll"); }, 10s, "our name is free again"));
    // A call that goes out over the link that is just closing would fail.
    ASSERT_TRUE(until([] { return eval("nodes(hidden)") == "[]"; }, 10s, "the node saw us leave"));
  }
  cnode::target erlang_target() { return {*node_name::parse("one@127.0.0.1"), "one", "127.0.0.1", {}, {}}; }
  static std::string eval(const std::string& text) { return erlang->eval(text); }
  // What the node announced, as both sides have it.
  testing::AssertionResult is_over_it() {
    constexpr auto of_headers = cnode::flags::dist_hdr_atom_cache | cnode::flags::fragments;
    const auto wanted = spoken_ == wire::headers          ? of_headers
                        : spoken_ == wire::fragments_only ? cnode::flags::fragments
                                                          : 0;
    for (const auto& name : ours.peers()) {
      const auto flags = thread.on([&] { return (*ours).linked(*node_name::parse(name))->flags; });
      if ((flags & of_headers) != wanted)
        return testing::AssertionFailure() << name << " announced " << std::hex << flags;
    }
    return announced(asked_another ? *asked_another : *erlang, spoken_);
  }

  static inline epmd* mapper = nullptr;
  static inline std::unique_ptr<beam> erlang;
  static inline wire of_erlang = wire::headers;
  std::optional<beam> asked_another;  // in its place
  io_thread thread;
  node_under_test ours{thread, "roll@127.0.0.1"};

 private:
  wire spoken_;
};

class CnodeCalls : public cnode_calls, public testing::WithParamInterface<wire> {
 protected:
  CnodeCalls() : cnode_calls(GetParam()) {}
};
INSTANTIATE_TEST_SUITE_P(Over, CnodeCalls,
                         testing::Values(wire::headers, wire::fragments_only, wire::no_headers), wire_name);

class CnodeCommand : public cnode_calls {};

// Bytes in the socket of a frozen node run when it wakes; a command among them has ended by then. The same
// with headers and without: the node's own clock decides.
TEST_F(CnodeCommand, IsNeverCarriedOutWhenItIsNotAnsweredInTime) {
  const auto linked = ours.dial(erlang_target());
  ASSERT_TRUE(linked) << linked.error().detail;
  const auto set = [](const char* key) {
    return cnode::term_writer().list_header(3).atom("kernel").atom(key).atom("true").nil().bytes();
  };
  const auto time = [&] {
    const auto told = ours.call("one@127.0.0.1", "erlang", "monotonic_time", {cnode::atom{"millisecond"}});
    return *told->as<std::int64_t>();
  };
  const auto evaluate = [&](const cnode::byte_string& arguments, milliseconds limit) {
    return ours.call_encoded("one@127.0.0.1", "erl_eval", "exprs", arguments, limit);
  };
  const auto in_time = evaluate(app::timely("application", "set_env", set("in_time"), time() + 60'000), 30s);
  ASSERT_TRUE(in_time) << in_time.error().detail;
  ASSERT_NE(app::value_of(*in_time), nullptr);
  EXPECT_TRUE(app::value_of(*in_time)->is_atom("ok"));

  const auto end = time() + 1'000;
  erlang->freeze();
  EXPECT_FALSE(evaluate(app::timely("application", "set_env", set("late"), end), 1s));
  EXPECT_FALSE(ours.call_encoded("one@127.0.0.1", "application", "set_env", set("plain"), 1s));
  erlang->thaw();
  EXPECT_TRUE(until([] { return eval("application:get_env(kernel, plain)") == "{ok,true}"; }, 30s,
                    "a plain call is carried out late"));
  EXPECT_EQ(eval("application:get_env(kernel, in_time)"), "{ok,true}");
  EXPECT_EQ(eval("application:get_env(kernel, late)"), "undefined");
  const auto expired = evaluate(app::timely("application", "set_env", set("late"), end), 30s);
  ASSERT_TRUE(expired) << expired.error().detail;
  EXPECT_TRUE(app::value_of(*expired)->is_atom("expired"));
}

TEST_P(CnodeCalls, DialsThroughThePortMapperAndCallsOut) {
  const auto linked = ours.dial(erlang_target());
  ASSERT_TRUE(linked) << linked.error().detail;
  EXPECT_EQ(linked->name.text(), "one@127.0.0.1");
  EXPECT_TRUE(linked->visible);
  EXPECT_GT(linked->creation, 3U);
  EXPECT_EQ(eval("erlang:nodes(hidden)"), "['roll@127.0.0.1']");
  EXPECT_EQ(eval("erlang:nodes()"), "[]");

  const auto nodes = ours.call("one@127.0.0.1", "erlang", "nodes", {cnode::atom{"known"}});
  ASSERT_TRUE(nodes) << nodes.error().detail;
  EXPECT_NE(cnode::to_string(*nodes).find("'roll@127.0.0.1'"), std::string::npos) << cnode::to_string(*nodes);

  const auto undefined = ours.call("one@127.0.0.1", "erlang", "nowhere");
  ASSERT_FALSE(undefined);
  EXPECT_EQ(undefined.error().kind, cnode::call_failure_kind::raised);
  EXPECT_EQ(undefined.error().detail, "error:undef in [{erlang,nowhere,[],[]}]");

  const auto exits = ours.call("one@127.0.0.1", "erlang", "exit", {cnode::atom{"why"}});
  ASSERT_FALSE(exits);
  EXPECT_EQ(exits.error().detail, "exit:why");

  const auto late = ours.call("one@127.0.0.1", "timer", "sleep", {std::int64_t{60'000}}, 50ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, cnode::call_failure_kind::timed_out);

  const auto nobody = ours.call("two@127.0.0.1", "erlang", "nodes");
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().kind, cnode::call_failure_kind::no_link);
}

struct evaluation {
  const char* name;
  const char* expression;
  const char* expected;
  const char* on_23 = nullptr;  // where OTP 23 has not what is called, or says otherwise what came of it
};

void PrintTo(const evaluation& row, std::ostream* out) {
  *out << row.expression;
}

std::string expected(const evaluation& row, beam& erlang) {
  static const bool otp_23 = erlang.eval("erlang:system_info(otp_release)") == "\"23\"";
  return otp_23 && row.on_23 != nullptr ? row.on_23 : row.expected;
}

class CnodeShell : public cnode_calls, public testing::WithParamInterface<evaluation> {};

// The Erlang node dials us for each of these: no dial of ours comes first.
TEST_P(CnodeShell, Sees) {
  EXPECT_EQ(eval(GetParam().expression), expected(GetParam(), *erlang));
}

const evaluation evaluations[] = {
    {"Ping", "net_adm:ping('roll@127.0.0.1')", "pong"},
    {"RpcCall", "rpc:call('roll@127.0.0.1', rollcall, members, [])", "[one,two]"},
    {"RpcCallElixirModule", "rpc:call('roll@127.0.0.1', 'Elixir.Rollcall', members, [])", "[one,two]"},
    {"RpcCallWithTimeout", "rpc:call('roll@127.0.0.1', rollcall, members, [], 5000)", "[one,two]"},
    {"RpcCallUndefined", "rpc:call('roll@127.0.0.1', rollcall, nonesuch, [1])",
     "{badrpc,{'EXIT',{undef,[{rollcall,nonesuch,[1],[]}]}}}"},
    {"RpcCallOtherModule", "rpc:call('roll@127.0.0.1', lists, reverse, [[1,2]])",
     "{badrpc,{'EXIT',{undef,[{lists,reverse,[[1,2]],[]}]}}}"},
    {"ErpcCall",
     "erpc:call('roll@127.0.0.1', rollcall, echo, [{a, \"text\", <<1>>, #{k => 1.5}, [], self() =:= "
     "self()}])",
     "{a,\"text\",<<1>>,#{k => 1.5},[],true}"},
    {"ErpcCallBigArgument",
     "byte_size(erpc:call('roll@127.0.0.1', rollcall, echo, [binary:copy(<<7>>, 300000)]))", "300000"},
    {"ErpcCallLargeAnswer", "byte_size(erpc:call('roll@127.0.0.1', rollcall, large, []))", "1048576"},
    {"ErpcCallPidAndFun",
     "P = self(), F = fun(X) -> X end, {P, F, fun lists:map/2} =:= "
     "erpc:call('roll@127.0.0.1', rollcall, echo, [{P, F, fun lists:map/2}])",
     "true"},
    {"ErpcFunctionClause", "try erpc:call('roll@127.0.0.1', rollcall, clause, [x]) catch C:R -> {C, R} end",
     "{error,{exception,function_clause,[{rollcall,clause,[x],[]}]}}"},
    {"ErpcBadArgument", "try erpc:call('roll@127.0.0.1', rollcall, bad, []) catch C:R -> {C, R} end",
     "{error,{exception,badarg,[{rollcall,bad,[],[]}]}}"},
    {"ErpcError", "try erpc:call('roll@127.0.0.1', rollcall, wrong, [1, 2]) catch C:R -> {C, R} end",
     "{error,{exception,wrong,[{rollcall,wrong,2,[]}]}}"},
    {"ErpcFun", "try erpc:call('roll@127.0.0.1', fun() -> 1 end) catch C:{exception, R, _} -> {C, R} end",
     "{error,undef}"},
    {"RpcMulticall", "rpc:multicall(['roll@127.0.0.1', node()], erlang, nodes, [])", "{[[],[]],[]}"},
    {"RpcMulticallUndefined", "rpc:multicall(['roll@127.0.0.1'], erlang, processes, [])",
     "{[{badrpc,{'EXIT',{undef,[{erlang,processes,[],[]}]}}}],[]}"},
    {"ErpcMulticall", "erpc:multicall(['roll@127.0.0.1'], rollcall, members, [], 5000)", "[{ok,[one,two]}]"},
    {"ErpcSendRequest",
     "erpc:receive_response(erpc:send_request('roll@127.0.0.1', rollcall, members, []), 5000)", "[one,two]"},
    {"RpcAsyncCall", "rpc:yield(rpc:async_call('roll@127.0.0.1', rollcall, members, []))", "[one,two]"},
    {"ErpcCast", "erpc:cast('roll@127.0.0.1', rollcall, members, [])", "ok"},
    {"RpcCast", "rpc:cast('roll@127.0.0.1', rollcall, members, [])", "true"},
    {"SpawnMonitorOfACall",
     "{P, M} = erlang:spawn_opt('roll@127.0.0.1', erpc, execute_call, [r, rollcall, members, []], "
     "[monitor]), "
     "receive {'DOWN', M, process, P, R} -> R after 5000 -> late end",
     "{r,return,[one,two]}"},
    {"SpawnLinkOfACall",
     "process_flag(trap_exit, true), "
     "P = spawn_link('roll@127.0.0.1', erpc, execute_call, [r, rollcall, members, []]), "
     "receive {'EXIT', P, R} -> R after 5000 -> late end",
     "{r,return,[one,two]}"},
    {"SpawnOfAnythingElseEnds",
     "{_, M} = spawn_monitor(fun() -> spawn('roll@127.0.0.1', lists, seq, [1, 2]), exit(done) end), "
     "receive {'DOWN', M, _, _, {R, [_ | _]}} -> R; {'DOWN', M, _, _, R} -> R after 5000 -> hangs end",
     "done", "notsup"},
    {"SpawnRequestOfAnythingElse",
     "R = spawn_request('roll@127.0.0.1', lists, seq, [1, 2], [monitor]), "
     "receive {spawn_reply, R, error, E} -> E after 5000 -> late end",
     "notsup"},
    {"GenServerCall", "gen_server:call({rollcall, 'roll@127.0.0.1'}, members)", "[one,two]"},
    {"GenServerCallTuple", "gen_server:call({rollcall, 'roll@127.0.0.1'}, {echo, hello})", "hello"},
    {"GenServerCallInfinity", "gen_server:call({rollcall, 'roll@127.0.0.1'}, members, infinity)",
     "[one,two]"},
    {"GenServerSendRequest",
     "gen_server:receive_response(gen_server:send_request({rollcall, 'roll@127.0.0.1'}, members), 5000)",
     "{reply,[one,two]}", "error: error:undef"},
    {"GenServerCallUndefined",
     "try gen_server:call({rollcall, 'roll@127.0.0.1'}, nonesuch, infinity) catch C:R -> {C, R} end",
     "{exit,{{undef,[{rollcall,nonesuch,[],[]}]},{gen_server,call,[{rollcall,'roll@127.0.0.1'},nonesuch,"
     "infinity]}}}"},
    {"GenServerCallNoFunction",
     "try gen_server:call({rollcall, 'roll@127.0.0.1'}, 17, infinity) catch C:R -> {C, R} end",
     "{exit,{{function_clause,[{rollcall,handle_call,[17],[]}]},{gen_server,call,[{rollcall,'roll@127.0.0.1'}"
     ",17,infinity]}"
     "}}"},
    {"GenServerCallUnknownName",
     "try gen_server:call({nobody, 'roll@127.0.0.1'}, x, infinity) catch C:{R, _} -> {C, R} end",
     "{exit,noproc}"},
    {"GenServerCast", "gen_server:cast({rollcall, 'roll@127.0.0.1'}, anything)", "ok"},
    {"NetKernelCallOfAnotherKind",
     "try gen_server:call({net_kernel, 'roll@127.0.0.1'}, longnames, infinity) catch C:{R, _} -> {C, R} end",
     "{exit,notsup}"},
    {"MonitorOfRollcallStays",
     "M = erlang:monitor(process, {rollcall, 'roll@127.0.0.1'}), pong = net_adm:ping('roll@127.0.0.1'), "
     "receive {'DOWN', M, _, _, R} -> R after 0 -> erlang:demonitor(M, [flush, info]) end",
     "true"},
    {"MonitorOfNobody",
     "M = erlang:monitor(process, {nobody, 'roll@127.0.0.1'}), "
     "receive {'DOWN', M, _, _, R} -> R after 5000 -> late end",
     "noproc"},
    {"MonitorSurvivesAFailingCall",
     "M = erlang:monitor(process, {rollcall, 'roll@127.0.0.1'}), "
     "catch gen_server:call({rollcall, 'roll@127.0.0.1'}, nonesuch), pong = net_adm:ping('roll@127.0.0.1'), "
     "receive {'DOWN', M, _, _, R} -> R after 0 -> alive end",
     "alive"},
    {"ErpcCallGiganticArgument",
     "try erpc:call('roll@127.0.0.1', rollcall, echo, [binary:copy(<<7>>, 20000000)]) catch C:R -> {C, R} "
     "end",
     "{error,{erpc,system_limit}}"},
    {"GenServerCallGiganticArgument",
     "try gen_server:call({rollcall, 'roll@127.0.0.1'}, {echo, binary:copy(<<7>>, 20000000)}, infinity) "
     "catch C:{R, _} -> {C, R} end",
     "{exit,system_limit}"},
    {"Node", "rpc:call('roll@127.0.0.1', erlang, node, [])", "'roll@127.0.0.1'"},
    {"NodesOfAHiddenNode",
     "[rpc:call('roll@127.0.0.1', erlang, nodes, A) || A <- [[], [visible], [hidden], [connected], "
     "[this], [[this, hidden]], [[]]]]",
     "[[],[],['one@127.0.0.1'],['one@127.0.0.1'],['roll@127.0.0.1'],['one@127.0.0.1','roll@127.0.0.1'],[]]"},
    {"NodesKnown", "lists:sort(rpc:call('roll@127.0.0.1', erlang, nodes, [known]))",
     "['one@127.0.0.1','roll@127.0.0.1']"},
    {"NodesOfNoKind", "rpc:call('roll@127.0.0.1', erlang, nodes, [[foo]])",
     "{badrpc,{'EXIT',{badarg,[{erlang,nodes,[[foo]],[]}]}}}"},
    {"Whereis",
     "P = rpc:call('roll@127.0.0.1', erlang, whereis, [rollcall]), "
     "{node(P), gen_server:call(P, members), rpc:call('roll@127.0.0.1', erlang, whereis, [nobody])}",
     "{'roll@127.0.0.1',[one,two],undefined}"},
    {"Registered", "rpc:call('roll@127.0.0.1', erlang, registered, [])", "[rollcall,net_kernel,rex]"},
    {"RpcCallImproperArguments", "rpc:call('roll@127.0.0.1', rollcall, members, [up | down])",
     "{badrpc,{'EXIT',{badarg,[{erlang,apply,[rollcall,members,[up|down]],[]}]}}}"},
    {"SysGetState", "try sys:get_state({rollcall, 'roll@127.0.0.1'}) catch C:{R, _} -> {C, R} end",
     "{exit,notsup}"},
    {"GenServerStop", "try gen_server:stop({rollcall, 'roll@127.0.0.1'}) catch C:R -> {C, R} end",
     "{exit,{notsup,{sys,terminate,[{rollcall,'roll@127.0.0.1'},normal,infinity]}}}"},
    {"GenEventCall", "try gen_event:which_handlers({rollcall, 'roll@127.0.0.1'}) catch C:R -> {C, R} end",
     "{exit,notsup}"},
    {"RexMessage",
     "{rex, 'roll@127.0.0.1'} ! {self(), {call, rollcall, members, [], self()}}, "
     "receive {rex, A} -> A after 5000 -> late end",
     "[one,two]"},
    {"RexMessageUndefined",
     "{rex, 'roll@127.0.0.1'} ! {self(), {call, lists, seq, [1, 2], self()}}, "
     "receive {rex, A} -> A after 5000 -> late end",
     "{badrpc,{'EXIT',{undef,[{lists,seq,[1,2],[]}]}}}"},
    {"RexSbcast", "rpc:sbcast(['roll@127.0.0.1'], nobody, hello)", "{[],['roll@127.0.0.1']}"},
    {"RexCall", "gen_server:call({rex, 'roll@127.0.0.1'}, {call, rollcall, members, [], self()})",
     "[one,two]"},
    {"RexCallOfNothing",
     "try gen_server:call({rex, 'roll@127.0.0.1'}, hello, infinity) catch C:{R, _} -> {C, R} end",
     "{exit,notsup}"},
    {"EnsureLoaded", "rpc:call('roll@127.0.0.1', code, ensure_loaded, [lists])", "{error,nofile}"},
    {"HiddenOnly", "pong = net_adm:ping('roll@127.0.0.1'), {nodes(), nodes(hidden)}",
     "{[],['roll@127.0.0.1']}"},
};
INSTANTIATE_TEST_SUITE_P(All, CnodeShell, testing::ValuesIn(evaluations),
                         [](const auto& row) { return std::string(row.param.name); });

class CnodeShellOver : public cnode_calls, public testing::WithParamInterface<wire> {
 protected:
  CnodeShellOver() : cnode_calls(GetParam()) {}
};
INSTANTIATE_TEST_SUITE_P(Over, CnodeShellOver, testing::Values(wire::fragments_only, wire::no_headers),
                         wire_name);

// All of them over one link.
TEST_P(CnodeShellOver, SeesTheSame) {
  for (const auto& row : evaluations) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(eval(row.expression), expected(row, *erlang));
  }
}

TEST_P(CnodeCalls, IsAGroupLeaderThatRefusesInsteadOfHanging) {
  ASSERT_TRUE(ours.dial(erlang_target()));
  const auto written =
      ours.call("one@127.0.0.1", "io", "format", {cnode::list{{std::int64_t{'x'}}, nullptr}}, 5s);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, cnode::call_failure_kind::raised) << written.error().detail;
}

TEST_P(CnodeCalls, LinksToOurProcessesAndUnlinks) {
  ASSERT_TRUE(ours.dial(erlang_target()));
  const auto self = thread.on([&] { return (*ours).self(); });
  // link/1 to the process behind `rollcall`, then unlink: acknowledged, or the node would keep it for ever.
  const auto source = ours.call("one@127.0.0.1", "erlang", "put", {cnode::atom{"x"}, self});
  ASSERT_TRUE(source) << source.error().detail;
  const auto linked = ours.call("one@127.0.0.1", "erlang", "link", {self});
  ASSERT_TRUE(linked) << linked.error().detail;
  auto nobody = self;
  nobody.id = 9'999;
  // The process that runs the call gets our noproc; it may have returned already.
  const auto dangling = ours.call("one@127.0.0.1", "erlang", "link", {nobody});
  if (!dangling) {
    EXPECT_EQ(dangling.error().kind, cnode::call_failure_kind::raised);
  }
  EXPECT_EQ(ours.peers(), std::vector<std::string>{"one@127.0.0.1"});
}

// What the node sends has atoms in its cache, and goes in fragments where it is large; all of it comes back
// as it was.
TEST_P(CnodeCalls, TermsComeBackAsTheyWereThroughTheAtomCacheAndInFragments) {
  EXPECT_EQ(
      eval("Atoms = fun(A, B) -> [list_to_atom(\"atom\" ++ integer_to_list(I)) || I <- lists:seq(A, B)] end,"
           "Long = list_to_atom([16#10348 || _ <- lists:seq(1, 255)]),"
           "Local = Atoms(1, 3),"
           "Terms = [Atoms(1, 20), Atoms(1, 600), Atoms(400, 5000), Long, {Long, '', 'gr\\x{fc}n'},"
           "  {self(), make_ref(), fun lists:map/2, fun(X) -> {X, Local, node()} end, hd(erlang:ports())},"
           "  #{a => node(), node() => [a | b]}, binary:copy(<<\"x\">>, 1000000),"
           "  [{I, alpha, binary:copy(<<I>>, 1000)} || I <- lists:seq(1, 200)]],"
           "[ok || T <- Terms, _ <- [1, 2, 3], T =/= rpc:call('roll@127.0.0.1', rollcall, echo, [T])]"),
      "[]");
  EXPECT_TRUE(ours.seen.downs().empty());
}

TEST_P(CnodeCalls, FragmentsOfManyProcessesAlternate) {
  EXPECT_EQ(eval("Echo = fun(K) -> T = {list_to_atom(\"k\" ++ integer_to_list(K)), binary:copy(<<K>>, "
                 "500000), node()},"
                 "  exit(T =:= erpc:call('roll@127.0.0.1', rollcall, echo, [T])) end,"
                 "All = [element(2, spawn_monitor(fun() -> Echo(K) end)) || K <- lists:seq(1, 30)],"
                 "lists:usort([receive {'DOWN', R, process, _, Why} -> Why end || R <- All])"),
            "[true]");
  // The other way: answers of calls of ours, whose reason is the payload (EXIT_PAYLOAD).
  ASSERT_TRUE(ours.dial(erlang_target()));
  for (int i = 0; i < 3; ++i) {
    const auto copied =
        ours.call("one@127.0.0.1", "binary", "copy", {cnode::binary{"0123456789"}, std::int64_t{400'000}});
    ASSERT_TRUE(copied) << copied.error().detail;
    const auto* bytes = copied->as<cnode::binary>();
    ASSERT_NE(bytes, nullptr);
    EXPECT_EQ(bytes->data.size(), 4'000'000U);
  }
  EXPECT_TRUE(ours.seen.downs().empty());
}

// However it is asked for, and while others ask: fragments of ours, which alternate with whole messages.
TEST_P(CnodeCalls, ALongAnswerComesInFragments) {
  EXPECT_EQ(eval("R = 'roll@127.0.0.1', N = 40,"
                 "Value = [{list_to_atom(\"atom\" ++ integer_to_list(I rem 600)), I} || I <- lists:seq(0, N "
                 "* 1000 - 1)],"
                 "Ways = [fun() -> rpc:call(R, rollcall, in_turns, [N]) end,"
                 "  fun() -> erpc:call(R, rollcall, in_turns, [N]) end,"
                 "  fun() -> gen_server:call({rollcall, R}, {in_turns, N}, 30000) end,"
                 "  fun() -> gen_server:call({rex, R}, {call, rollcall, in_turns, [N], self()}, 30000) end,"
                 "  fun() -> {rex, R} ! {self(), {call, rollcall, in_turns, [N], self()}},"
                 "    receive {rex, V} -> V after 30000 -> late end end,"
                 "  fun() -> [one, two] = rpc:call(R, rollcall, members, []), Value end],"
                 "All = [element(2, spawn_monitor(fun() -> exit(Value =:= W()) end)) || W <- Ways ++ Ways],"
                 "lists:usort([receive {'DOWN', M, process, _, Why} -> Why end || M <- All])"),
            "[true]");
  EXPECT_TRUE(ours.seen.downs().empty());
}

TEST_P(CnodeCalls, MonitorNodeSeesUsLeave) {
  EXPECT_EQ(eval("pong = net_adm:ping('roll@127.0.0.1'), monitor_node('roll@127.0.0.1', true)"), "true");
  ours.stop();
  EXPECT_EQ(eval("receive {nodedown, N} -> N after 10000 -> late end"), "'roll@127.0.0.1'");
  EXPECT_TRUE(
      until([&] { return ours.seen.has_down("one@127.0.0.1", cnode::error::stopping); }, 5s, "link_down"));
}

TEST_P(CnodeCalls, AShellThatWantsANameGetsOne) {
  auto& nameless =
      asked_another.emplace(erlang_node("undefined@127.0.0.1", mapper->port(), GetParam()), false);
  EXPECT_EQ(nameless.eval("net_kernel:connect_node('roll@127.0.0.1')"), "true");
  EXPECT_EQ(nameless.eval("rpc:call('roll@127.0.0.1', rollcall, members, [])"), "[one,two]");
  const auto names = ours.seen.ups();
  ASSERT_EQ(names.size(), 1U);
  EXPECT_TRUE(names.front().ends_with("@127.0.0.1")) << names.front();
  EXPECT_EQ(nameless.eval("atom_to_binary(node())"), "<<\"" + names.front() + "\">>");
}

}  // namespace
}  // namespace rollcall::test
