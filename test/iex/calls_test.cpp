// Every question of a shell, in every way of asking, from Erlang; what fails does so as on a real node.
#include "test/iex/shell.hpp"

namespace rollcall::test {
namespace {

class IexCalls : public over_both {
 protected:
  void SetUp() override {
    start({}, false);
    ASSERT_TRUE(cluster->whole());
  }
};
INSTANTIATE_TEST_SUITE_P(Over, IexCalls, testing::Values(wire::headers, wire::no_headers), wire_name);

#define NOW "erlang:system_time(millisecond)"
#define RECENT(at) "abs(" at " - " NOW ") < 600000"

const question functions[] = {
    {"members",
     "[#{node := 'one@127.0.0.1'} = One, #{node := 'two@127.0.0.1'}] = rpc:call(R, rollcall, members, []), "
     "#{state := up, reason := nil, since_at := At, listed := true, visible := 1, missing := 0, partition := "
     "0, "
     "creation := Creation, otp_release := Otp} = One, "
     "{" RECENT("At") ", is_integer(Creation), binary_to_list(Otp) =:= erlang:system_info(otp_release)}",
     "{true,true,true}"},
    {"members of a state", "[maps:get(node, M) || M <- rpc:call(R, rollcall, members, [up])]",
     "['one@127.0.0.1','two@127.0.0.1']"},
    {"members of every state",
     "[length(rpc:call(R, rollcall, members, [S])) || S <- [joining, up, suspect, leaving, down, left]]",
     "[0,2,0,0,0,0]"},
    {"member by atom", "maps:get(node, rpc:call(R, rollcall, member, ['one@127.0.0.1']))", "'one@127.0.0.1'"},
    {"member by binary", "maps:get(node, rpc:call(R, rollcall, member, [<<\"one@127.0.0.1\">>]))",
     "'one@127.0.0.1'"},
    {"member by charlist", "maps:get(node, rpc:call(R, rollcall, member, [\"one@127.0.0.1\"]))",
     "'one@127.0.0.1'"},
    {"a member is one of members",
     "[rpc:call(R, rollcall, member, ['two@127.0.0.1'])] =:= tl(rpc:call(R, rollcall, members, []))", "true"},
    {"no such member", "rpc:call(R, rollcall, member, ['nobody@127.0.0.1'])", "nil"},
    {"nodes", "rpc:call(R, rollcall, nodes, [])", "['one@127.0.0.1','two@127.0.0.1']"},
    {"nodes of a state", "{rpc:call(R, rollcall, nodes, [up]), rpc:call(R, rollcall, nodes, [down])}",
     "{['one@127.0.0.1','two@127.0.0.1'],[]}"},
    {"status",
     "#{health := ok, details := [], expected := 2, up := 2, partitions := 1, links_missing := 0, "
     "netsplit := false, members := #{up := 2, down := 0}, at := At} = rpc:call(R, rollcall, status, "
     "[]), " RECENT("At"),
     "true"},
    {"partitions", "rpc:call(R, rollcall, partitions, [])", "[['one@127.0.0.1','two@127.0.0.1']]"},
    {"links", "[lists:sort(maps:to_list(L)) || L <- rpc:call(R, rollcall, links, [])]",
     "[[{a,'one@127.0.0.1'},{b,'two@127.0.0.1'},{state,connected}]]"},
    {"missing_links", "rpc:call(R, rollcall, missing_links, [])", "[]"},
    {"netsplits", "rpc:call(R, rollcall, netsplits, [])", "[]"},
    {"no such netsplit", "rpc:call(R, rollcall, netsplit, [1])", "nil"},
    {"discovery",
     "[#{source := <<\"node\">>, outcome := ok, records := 2, nodes := Nodes, detail := nil, "
     "last_success_at := At}] = rpc:call(R, rollcall, discovery, []), {Nodes, " RECENT("At") "}",
     "{['one@127.0.0.1','two@127.0.0.1'],true}"},
    {"events",
     "Events = rpc:call(R, rollcall, events, []), "
     "{lists:sort([I || #{id := I} <- Events]) =:= [I || #{id := I} <- Events], rpc:call(R, rollcall, "
     "events, [0]), "
     "rpc:call(R, rollcall, events, [100000]) =:= Events, rpc:call(R, rollcall, events, [1]) =:= "
     "lists:nthtail(max(0, length(Events) - 1), Events)}",
     "{true,[],true,true}"},
    {"why a member is not out",
     "#{node := 'one@127.0.0.1', state := up, reason := nil, steps := Steps, stuck_at := nil, text := Text} "
     "= "
     "rpc:call(R, rollcall, why, ['one@127.0.0.1']), "
     "{is_binary(Text) orelse Text =:= nil, [Step || #{step := Step, ok := true} <- Steps] =:= [Step || "
     "#{step := Step} <- Steps], "
     "[S || S <- [dns, port_mapper, tcp, handshake, cookie, name, call, view], not lists:member(S, [Step || "
     "#{step := Step} <- Steps])]}",
     "{true,true,[]}"},
    {"why of a stranger", "rpc:call(R, rollcall, why, ['nobody@127.0.0.1'])", "nil"},
    {"config",
     "#{name := R, node := ['one@127.0.0.1', 'two@127.0.0.1'], interval_ms := 500, prune_after_ms := nil, "
     "heal := <<\"auto\">>, state_dir := nil, dist_port := 0, cookie_file := File} = Config = rpc:call(R, "
     "rollcall, config, []), "
     "{is_binary(File), binary:match(term_to_binary(Config), atom_to_binary(erlang:get_cookie(), utf8)), "
     "lists:all(fun erlang:is_atom/1, maps:keys(Config))}",
     "{true,nomatch,true}"},
    {"its own name", "{rpc:call(R, erlang, node, []), erpc:call(R, erlang, node, [])}",
     "{'rollcall@127.0.0.1','rollcall@127.0.0.1'}"},
    {"the nodes it sees, as a hidden node does",
     "Known = ['one@127.0.0.1','two@127.0.0.1',node()], Sees = fun(What) -> lists:sort(rpc:call(R, erlang, "
     "nodes, [What])) end, "
     "{rpc:call(R, erlang, nodes, []), Sees(visible), Sees(hidden) =:= lists:sort(Known), Sees(connected) "
     "=:= lists:sort(Known), "
     "Sees(this), Sees(known) =:= lists:sort([R | Known]), Sees([this, visible])}",
     "{[],[],true,true,['rollcall@127.0.0.1'],true,['rollcall@127.0.0.1']}"},
    {"reconnect", "rpc:call(R, rollcall, reconnect, [])", "ok"},
    {"leave and rejoin of a stranger",
     "{rpc:call(R, rollcall, leave, ['nobody@127.0.0.1']), rpc:call(R, rollcall, rejoin, "
     "['nobody@127.0.0.1'])}",
     "{{error,unknown_node},{error,unknown_node}}"},
    {"version", "is_binary(rpc:call(R, rollcall, version, []))", "true"},
    {"help names every function",
     "Help = rpc:call(R, rollcall, help, []), [F || F <- [members, member, nodes, status, partitions, links, "
     "missing_links, netsplits, netsplit, leave, rejoin, discovery, events, reconnect, version, help, why, "
     "config, "
     "subscribe, unsubscribe], "
     "string:find(Help, [atom_to_binary(F, utf8), \"(\"]) =:= nomatch]",
     "[]"},
};

TEST_P(IexCalls, EveryFunctionAnswers) {
  cluster->ask(functions, false);
}

// Each gives [Answer to nodes/0, answer to nodes(down)], or what stands for it.
const question ways[] = {
    {"rpc:call/4", "{rpc:call(R, rollcall, nodes, []), rpc:call(R, rollcall, nodes, [down])}",
     "{['one@127.0.0.1','two@127.0.0.1'],[]}"},
    {"rpc:call/5", "{rpc:call(R, rollcall, nodes, [], 5000), rpc:call(R, rollcall, nodes, [down], infinity)}",
     "{['one@127.0.0.1','two@127.0.0.1'],[]}"},
    {"Elixir's module name",
     "{rpc:call(R, 'Elixir.Rollcall', nodes, []), erpc:call(R, 'Elixir.Rollcall', nodes, [down])}",
     "{['one@127.0.0.1','two@127.0.0.1'],[]}"},
    {"erpc:call/4", "{erpc:call(R, rollcall, nodes, []), erpc:call(R, rollcall, nodes, [down])}",
     "{['one@127.0.0.1','two@127.0.0.1'],[]}"},
    {"erpc:call/5",
     "{erpc:call(R, rollcall, nodes, [], 5000), erpc:call(R, rollcall, nodes, [down], infinity)}",
     "{['one@127.0.0.1','two@127.0.0.1'],[]}"},
    {"erpc:call/5, run in the caller's place",
     "{erpc:call(R, rollcall, nodes, [], #{timeout => 5000, always_spawn => true}), "
     "erpc:call(R, rollcall, nodes, [down], #{always_spawn => true})}",
     "{['one@127.0.0.1','two@127.0.0.1'],[]}", 29},
    {"erpc:multicall", "erpc:multicall([R, R], rollcall, nodes, [down])", "[{ok,[]},{ok,[]}]"},
    {"erpc:multicall, with a limit", "erpc:multicall([R], rollcall, nodes, [down], 5000)", "[{ok,[]}]"},
    {"erpc:multicall, beside a real node", "erpc:multicall([R, node()], erlang, is_atom, [a])",
     "[{error,{exception,undef,[{erlang,is_atom,[a],[]}]}},{ok,true}]"},
    {"rpc:multicall", "rpc:multicall([R], rollcall, nodes, [down])", "{[[]],[]}"},
    {"rpc:multicall, with a limit, and a node that is not there",
     "rpc:multicall([R, 'nobody@127.0.0.1'], rollcall, nodes, [down], 5000)", "{[[]],['nobody@127.0.0.1']}"},
    {"rpc:cast", "rpc:cast(R, rollcall, nodes, [down])", "true"},
    {"erpc:cast", "erpc:cast(R, rollcall, nodes, [down])", "ok"},
    {"erpc:multicast", "erpc:multicast([R], rollcall, nodes, [down])", "ok"},
    {"rpc:async_call", "rpc:yield(rpc:async_call(R, rollcall, nodes, [down]))", "[]"},
    {"rpc:nb_yield", "rpc:nb_yield(rpc:async_call(R, rollcall, nodes, [down]), 5000)", "{value,[]}"},
    {"erpc:send_request", "erpc:receive_response(erpc:send_request(R, rollcall, nodes, [down]))", "[]"},
    {"erpc:wait_response", "erpc:wait_response(erpc:send_request(R, rollcall, nodes, [down]), 5000)",
     "{response,[]}"},
    {"erpc:check_response",
     "Request = erpc:send_request(R, rollcall, nodes, [down]), "
     "receive Message -> erpc:check_response(Message, Request) end",
     "{response,[]}"},
    {"a collection of erpc requests",
     "Two = erpc:send_request(R, rollcall, nodes, [up], b, "
     "erpc:send_request(R, rollcall, nodes, [down], a, erpc:reqids_new())), "
     "{X, L1, Rest} = erpc:receive_response(Two, 5000, true), "
     "{Y, L2, None} = erpc:receive_response(Rest, 5000, true), "
     "{lists:sort([{L1, X}, {L2, Y}]), erpc:reqids_size(None), erpc:receive_response(None, 0, true)}",
     "{[{a,[]},{b,['one@127.0.0.1','two@127.0.0.1']}],0,no_request}", 25},
    {"gen_server:call",
     "{gen_server:call({rollcall, R}, nodes), gen_server:call({rollcall, R}, {nodes, down}, 5000)}",
     "{['one@127.0.0.1','two@127.0.0.1'],[]}"},
    {"gen_server:call without a limit", "gen_server:call({rollcall, R}, {nodes, down}, infinity)", "[]"},
    {"gen_server:call of a function in a tuple", "gen_server:call({rollcall, R}, {nodes})",
     "['one@127.0.0.1','two@127.0.0.1']"},
    {"gen_server:send_request",
     "gen_server:receive_response(gen_server:send_request({rollcall, R}, {nodes, down}), 5000)", "{reply,[]}",
     24},
    {"gen_server:wait_response",
     "gen_server:wait_response(gen_server:send_request({rollcall, R}, {nodes, down}), 5000)", "{reply,[]}"},
    {"a collection of gen_server requests",
     "One = gen_server:send_request({rollcall, R}, {nodes, down}, a, gen_server:reqids_new()), "
     "{Reply, Label, None} = gen_server:receive_response(One, 5000, true), "
     "{Reply, Label, gen_server:reqids_size(None)}",
     "{{reply,[]},a,0}", 25},
    {"gen_server:multi_call", "gen_server:multi_call([R], rollcall, {nodes, down}, 5000)",
     "{[{'rollcall@127.0.0.1',[]}],[]}"},
    {"gen_server:multi_call without a limit", "gen_server:multi_call([R], rollcall, {nodes, down})",
     "{[{'rollcall@127.0.0.1',[]}],[]}"},
    {"gen_server:cast", "gen_server:cast({rollcall, R}, {nodes, down})", "ok"},
    {"gen_server:abcast", "gen_server:abcast([R], rollcall, {nodes, down})", "abcast"},
    {"gen_statem:call", "gen_statem:call({rollcall, R}, {nodes, down})", "[]"},
    {"the same answer in every way",
     "A = rpc:call(R, rollcall, members, []), "
     "[A] =:= lists:usort([erpc:call(R, rollcall, members, []), gen_server:call({rollcall, R}, members), "
     "rpc:call(R, 'Elixir.Rollcall', members, []), element(2, hd(erpc:multicall([R], rollcall, members, "
     "[]))), "
     "rpc:yield(rpc:async_call(R, rollcall, members, []))])",
     "true"},
};

TEST_P(IexCalls, EveryWayOfAskingAnswers) {
  cluster->ask(ways, false);
}

const question processes[] = {
    {"ping", "net_adm:ping(R)", "pong"},
    {"connect", "{net_kernel:connect_node(R), net_kernel:connect_node(R)}", "{true,true}"},
    {"hidden", "pong = net_adm:ping(R), {lists:member(R, nodes()), lists:member(R, nodes(hidden))}",
     "{false,true}"},
    {"send", "{rollcall, R} ! anything", "anything"},
    {"send to nobody", "{nobody, R} ! anything", "anything"},
    {"send, never connecting",
     "pong = net_adm:ping(R), erlang:send({rollcall, R}, x, [noconnect, nosuspend])", "ok"},
    {"monitor",
     "M = erlang:monitor(process, {rollcall, R}), pong = net_adm:ping(R), "
     "receive {'DOWN', M, _, _, Why} -> Why after 100 -> erlang:demonitor(M, [flush, info]) end",
     "true"},
    {"monitor of nobody",
     "M = erlang:monitor(process, {nobody, R}), "
     "receive {'DOWN', M, process, {nobody, R}, Why} -> Why after 5000 -> late end",
     "noproc"},
    {"monitor_node",
     "monitor_node(R, true), erlang:disconnect_node(R), "
     "receive {nodedown, R} -> down after 5000 -> late end",
     "down"},
    {"disconnect and ask again",
     "true = net_kernel:connect_node(R), true = erlang:disconnect_node(R), rpc:call(R, rollcall, nodes, "
     "[down])",
     "[]"},
    {"monitor ends with the link",
     "M = erlang:monitor(process, {rollcall, R}), pong = net_adm:ping(R), erlang:disconnect_node(R), "
     "receive {'DOWN', M, process, {rollcall, R}, Why} -> Why after 5000 -> late end",
     "noconnection"},
    {"a thousand monitors",
     "Ms = [erlang:monitor(process, {rollcall, R}) || _ <- lists:seq(1, 1000)], pong = net_adm:ping(R), "
     "lists:usort([erlang:demonitor(M, [flush, info]) || M <- Ms])",
     "[true]"},
    {"a call that fails leaves a monitor",
     "M = erlang:monitor(process, {rollcall, R}), catch gen_server:call({rollcall, R}, nonesuch), "
     "pong = net_adm:ping(R), receive {'DOWN', M, _, _, Why} -> Why after 0 -> erlang:demonitor(M, [info]) "
     "end",
     "true"},
};

TEST_P(IexCalls, IsANodeWithAProcess) {
  cluster->ask(processes, false);
}

// Whatever is wrong with a question, a real node with a module `rollcall` and a server `rollcall` says the
// same: a row is asked of both, and what tells the two apart (names, pids, places in a source) is taken out.
struct mistake {
  const char* name;
  const char* code;
  int since = 23;
};

const mistake mistakes[] = {
    {"unknown function", "rpc:call(R, rollcall, nonesuch, [1])"},
    {"unknown module", "rpc:call(R, nonesuch, f, [])"},
    {"unknown function, erpc", "erpc:call(R, rollcall, nonesuch, [])"},
    {"unknown function, multicall", "erpc:multicall([R], rollcall, nonesuch, [x, {}])"},
    {"unknown function, rpc:multicall", "rpc:multicall([R], rollcall, nonesuch, [])"},
    {"unknown function, cast", "{rpc:cast(R, rollcall, nonesuch, []), erpc:cast(R, rollcall, nonesuch, [])}"},
    {"unknown function, request",
     "erpc:receive_response(erpc:send_request(R, rollcall, nonesuch, []), 5000)"},
    {"unknown function, in a yield", "rpc:yield(rpc:async_call(R, rollcall, nonesuch, []))"},
    {"wrong arity", "rpc:call(R, rollcall, members, [up, down])"},
    {"wrong arity, erpc", "erpc:call(R, rollcall, members, [up, down])"},
    {"many arguments", "rpc:call(R, rollcall, version, lists:seq(1, 250))"},
    {"wrong state", "rpc:call(R, rollcall, members, [banana])"},
    {"wrong type",
     "[rpc:call(R, rollcall, members, [X]) || X <- [1, 1.5, <<>>, [], {}, #{}, self(), "
     "make_ref(), fun lists:map/2, \"up\", [up], 1 bsl 80, <<1:3>>]]"},
    {"wrong type, erpc", "erpc:call(R, rollcall, members, [{up}])"},
    {"wrong type of a number", "[rpc:call(R, rollcall, events, [X]) || X <- [-1, 1.0, a, []]]"},
    {"wrong type of a number, again", "[rpc:call(R, rollcall, netsplit, [X]) || X <- [-1, 1.0, a, []]]"},
    {"wrong type of a name", "[rpc:call(R, rollcall, member, [X]) || X <- [1, {a}, #{}]]"},
    {"arguments that are no list", "rpc:call(R, rollcall, members, up)"},
    {"a module that is no atom", "rpc:call(R, \"rollcall\", members, [])"},
    {"a function that is no atom", "rpc:call(R, rollcall, <<\"members\">>, [])"},
    {"no time at all", "rpc:call(R, rollcall, version, [], 0)"},
    {"no time at all, erpc", "erpc:call(R, rollcall, version, [], 0)"},
    {"a bad limit", "rpc:call(R, rollcall, version, [], -1)"},
    {"a kind of nodes that there is not", "rpc:call(R, erlang, nodes, [banana])"},
    {"a function of erlang with an arity that it has not", "rpc:call(R, erlang, node, [1, 2, 3])"},
    {"unknown function, server", "gen_server:call({rollcall, R}, nonesuch)"},
    {"wrong arity, server", "gen_server:call({rollcall, R}, {members, up, down})"},
    {"wrong state, server", "gen_server:call({rollcall, R}, {members, banana}, infinity)"},
    {"no function, server", "gen_server:call({rollcall, R}, 17)"},
    {"an empty tuple, server", "gen_server:call({rollcall, R}, {})"},
    {"a tuple without a function, server", "gen_server:call({rollcall, R}, {1, 2})"},
    {"a list, server", "gen_server:call({rollcall, R}, [members])"},
    {"unknown server", "gen_server:call({nobody, R}, members)"},
    {"unknown server, without a limit", "gen_server:call({nobody, R}, members, infinity)"},
    {"unknown server, request",
     "gen_server:wait_response(gen_server:send_request({nobody, R}, members), 5000)"},
    {"unknown server, cast", "gen_server:cast({nobody, R}, members)"},
    {"unknown server, multi_call", "gen_server:multi_call([R], nobody, members, 5000)"},
    {"failing server, multi_call", "gen_server:multi_call([R], rollcall, nonesuch, 5000)"},
    {"failing server, request",
     "gen_server:wait_response(gen_server:send_request({rollcall, R}, nonesuch), 5000)", 24},
    {"monitors of nobody",
     "[begin M = erlang:monitor(process, {N, R}), receive {'DOWN', M, T, O, W} -> "
     "{T, O, W} after 5000 -> late end end || N <- [nobody, '', rollcall@]]"},
    {"a request nobody runs",
     "Q = spawn_request(R, erpc, execute_call, [x, rollcall, nonesuch, []], [monitor]), "
     "receive {spawn_reply, Q, ok, _} -> receive {'DOWN', Q, _, _, W} -> W end; Other -> Other end"},
};

// Node names, pids and references stand as marks; a stack is its first frame without its place.
constexpr const char* comparable =
    "Plain = fun Self(T) when is_pid(T) -> pid; Self(T) when is_reference(T) -> ref; "
    "Self(T) when T =:= R -> there; "
    "Self([{M, handle_call, _, _} | _]) -> [{M, handle_call}]; "
    "Self([{M, F, A, L} | _]) when is_atom(M), is_atom(F), is_list(L) -> [{M, F, Self(A)}]; "
    "Self([H | T]) -> [Self(H) | Self(T)]; Self(T) when is_tuple(T) -> "
    "list_to_tuple(Self(tuple_to_list(T))); Self(T) -> T end, "
    "Plain(try ";

std::string plainly(const std::string& code) {
  return comparable + code + " catch C_:R_ -> {raised, C_, R_} end)";
}

TEST_P(IexCalls, FailsAsARealNodeDoes) {
  auto& twin = cluster->nodes.add({.name = "twin@127.0.0.1"});
  ASSERT_EQ(
      twin.eval("{ok, rollcall, Code} = compile:file(\"" ROLLCALL_SOURCE_DIR
                "/test/iex/rollcall\", [binary]), "
                "{module, rollcall} = code:load_binary(rollcall, \"rollcall\", Code), rollcall:start()"),
      "ok");
  const auto otp = cluster->at.otp();
  for (const auto& row : mistakes) {
    if (otp < row.since) continue;
    SCOPED_TRACE(std::string(row.name) + ", on OTP " + std::to_string(otp) + ": " + row.code);
    const auto expected = cluster->at.erlang(plainly(row.code), twin.name());
    EXPECT_EQ(cluster->at.erlang(plainly(row.code)), expected);
    EXPECT_EQ(expected.find("hangs"), std::string::npos);
  }
}

}  // namespace
}  // namespace rollcall::test
