// What an Elixir shell does with a node, and what its tools and Erlang's do by themselves: each gets an
// answer or an error a user understands, and none waits for ever.
#include "test/iex/shell.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

class IexShell : public over_both {
 protected:
  void SetUp() override {
    start({}, true);
    ASSERT_TRUE(cluster->whole());
  }
  // It is there, and as quick as before.
  void TearDown() override {
    if (cluster == nullptr) return;
    over_both::TearDown();
    EXPECT_EQ(cluster->at.elixir(":rpc.call(r, Rollcall, :nodes, [])"),
              "[:\"one@127.0.0.1\", :\"two@127.0.0.1\"]");
  }
};
INSTANTIATE_TEST_SUITE_P(Over, IexShell, testing::Values(wire::headers, wire::no_headers), wire_name);

#define BOTH "[:\"one@127.0.0.1\", :\"two@127.0.0.1\"]"

const question elixir_questions[] = {
    {"rpc", ":rpc.call(r, :rollcall, :nodes, [])", BOTH},
    {"rpc of Rollcall", ":rpc.call(r, Rollcall, :nodes, [], 5_000)", BOTH},
    {"rpc, piped", "r |> :rpc.call(Rollcall, :members, [:up]) |> Enum.map(& &1.node)", BOTH},
    {"erpc", "{:erpc.call(r, Rollcall, :nodes, []), :erpc.call(r, :rollcall, :nodes, [:down], 5_000)}",
     "{" BOTH ", []}"},
    {"erpc multicall", ":erpc.multicall([r], Rollcall, :nodes, [])", "[ok: " BOTH "]"},
    {"rpc multicall", ":rpc.multicall([r], Rollcall, :nodes, [])", "{[" BOTH "], []}"},
    {"erpc send_request", ":erpc.send_request(r, Rollcall, :nodes, []) |> :erpc.receive_response(5_000)",
     BOTH},
    {"casts", "{:rpc.cast(r, Rollcall, :nodes, []), :erpc.cast(r, Rollcall, :nodes, [])}", "{true, :ok}"},
    {"GenServer.call", "GenServer.call({:rollcall, r}, :nodes)", BOTH},
    {"GenServer.call with arguments", "GenServer.call({:rollcall, r}, {:nodes, :down}, :infinity)", "[]"},
    {"GenServer.call of nobody",
     "try do GenServer.call({:nobody, r}, :nodes) catch :exit, {why, {GenServer, :call, _}} -> why end",
     ":noproc"},
    {"GenServer.call of an unknown function",
     "try do GenServer.call({:rollcall, r}, :nonesuch) catch :exit, {{why, [{m, f, a, _}]}, _} -> {why, m, "
     "f, a} end",
     "{:undef, :rollcall, :nonesuch, []}"},
    {"GenServer.cast", "{GenServer.cast({:rollcall, r}, :anything), GenServer.cast({:nobody, r}, 1)}",
     "{:ok, :ok}"},
    {"GenServer.multi_call", "GenServer.multi_call([r], :rollcall, :nodes, 5_000)",
     "{[\"rollcall@127.0.0.1\": " BOTH "], []}"},
    {"GenServer.abcast", "GenServer.abcast([r], :rollcall, :anything)", ":abcast"},
    {"GenServer.whereis", "GenServer.whereis({:rollcall, r})", "{:rollcall, :\"rollcall@127.0.0.1\"}"},
    {"Process.monitor",
     "m = Process.monitor({:rollcall, r}); Node.ping(r); Process.demonitor(m, [:flush, :info])", "true"},
    {"Process.monitor of nobody",
     "m = Process.monitor({:nobody, r}); receive do {:DOWN, ^m, :process, {:nobody, ^r}, why} -> why end",
     ":noproc"},
    {"Node.ping", "Node.ping(r)", ":pong"},
    {"Node.connect",
     "{Node.connect(r), r in Node.list(), r in Node.list(:hidden), r in Node.list(:connected)}",
     "{true, false, true, true}"},
    {"Node.monitor", "Node.monitor(r, true); Node.disconnect(r); receive do {:nodedown, ^r} -> :down end",
     ":down"},
    {"Node.disconnect, and asked again",
     "{Node.ping(r), Node.disconnect(r), :rpc.call(r, Rollcall, :nodes, [:down])}", "{:pong, true, []}"},
    {"send", "send({:rollcall, r}, :anything)", ":anything"},
    {"Process.send", "Process.send({:rollcall, r}, :anything, [:noconnect, :nosuspend])", ":ok"},
    {"a task of many",
     "1..50 |> Enum.map(fn _ -> Task.async(fn -> :rpc.call(r, Rollcall, :nodes, []) end) end) |> "
     "Enum.map(&Task.await/1) |> Enum.uniq()",
     "[" BOTH "]"},
    {"an unknown function", ":rpc.call(r, Rollcall, :nonesuch, [1])",
     "{:badrpc, {:EXIT, {:undef, [{Rollcall, :nonesuch, [1], []}]}}}"},
    {"keys are atoms, text is binaries, absence is nil",
     "[m | _] = :rpc.call(r, Rollcall, :members, []); "
     "{m.node, m.state, m.reason, m.listed, is_integer(m.since_at), is_binary(m.otp_release)}",
     "{:\"one@127.0.0.1\", :up, nil, true, true, true}"},
};

TEST_P(IexShell, AnswersElixir) {
  cluster->ask(elixir_questions, true);
}

// Spawning there is refused: the shell says so, and processes that linked or monitor are told why.
const question elixir_spawns[] = {
    {"Node.spawn", "p = Node.spawn(r, fn -> :ok end); {is_pid(p), Node.ping(r)}", "{true, :pong}", 25},
    {"Node.spawn of a function", "is_pid(Node.spawn(r, IO, :puts, [\"x\"]))", "true", 25},
    // OTP 23 tries the way of older nodes then, and raises what that gives.
    {"Node.spawn, before OTP 25", "Node.spawn(r, fn -> :ok end)", "{error,notsup}", 23, 24},
    {"Node.spawn of a function, before OTP 25", "Node.spawn(r, IO, :puts, [\"x\"])", "{error,notsup}", 23,
     24},
    {"Node.spawn_link, before OTP 25", "Node.spawn_link(r, fn -> :ok end)", "{error,notsup}", 23, 24},
    {"Node.spawn, monitored",
     "{p, m} = Node.spawn(r, IO, :puts, [\"x\"], [:monitor]); "
     "receive do {:DOWN, ^m, :process, ^p, why} -> why end",
     ":notsup", 25},
    {"Node.spawn_link",
     "Process.flag(:trap_exit, true); p = Node.spawn_link(r, fn -> :ok end); "
     "receive do {:EXIT, ^p, why} -> why end",
     ":notsup", 25},
    {"Node.spawn_monitor",
     "try do apply(if(function_exported?(Node, :spawn_monitor, 2), do: Node, else: :erlang), :spawn_monitor, "
     "[r, fn -> :ok end]) catch :error, why -> why end",
     ":notsup"},
    {"a task there",
     "Process.flag(:trap_exit, true); "
     "try do Task.Supervisor.async({Nobody, r}, fn -> 1 end) catch :exit, {why, _} -> why end",
     ":noproc"},
    {"spawn_request",
     "q = :erlang.spawn_request(r, IO, :puts, [\"x\"], [:monitor]); receive do {:spawn_reply, ^q, x, why} -> "
     "{x, why} end",
     "{:error, :notsup}"},
    {"an anonymous function",
     "match?({:badrpc, {:EXIT, {:undef, _}}}, :rpc.call(r, :erlang, :apply, [fn -> 1 end, []]))", "true"},
};

TEST_P(IexShell, RefusesToSpawn) {
  cluster->ask(elixir_spawns, true);
}

const question tools[] = {
    // Tab completion, helpers, remote shells.
    {"which module", "{badrpc, {'EXIT', {undef, _}}} = rpc:call(R, code, which, [observer_backend]), undef",
     "undef"},
    {"module_info", "{badrpc, {'EXIT', {undef, _}}} = rpc:call(R, lists, module_info, [exports]), undef",
     "undef"},
    {"all modules", "{badrpc, {'EXIT', {undef, _}}} = rpc:call(R, code, all_loaded, []), undef", "undef"},
    {"Elixir's code server",
     "{badrpc, {'EXIT', {undef, _}}} = rpc:call(R, 'Elixir.Code', 'ensure_loaded?', ['Elixir.Enum']), undef",
     "undef"},
    {"whereis", "{badrpc, {'EXIT', {undef, _}}} = rpc:call(R, 'Elixir.Process', whereis, [rollcall]), undef",
     "undef"},
    {"process_info", "{badrpc, {'EXIT', {undef, _}}} = rpc:call(R, erlang, process_info, [self()]), undef",
     "undef"},
    {"processes", "{badrpc, {'EXIT', {undef, _}}} = rpc:call(R, erlang, processes, []), undef", "undef"},
    {"system_info",
     "{badrpc, {'EXIT', {undef, _}}} = rpc:call(R, erlang, system_info, [process_count]), undef", "undef"},
    {"pinfo", "is_list(rpc:pinfo(self()))", "true"},
    {"c:nc", "element(1, hd(element(1, rpc:multicall([R], code, load_binary, [x, \"x\", <<>>]))))", "badrpc"},
    // Observer, etop, recon.
    {"observer_backend",
     "{badrpc, {'EXIT', {undef, _}}} = rpc:call(R, observer_backend, sys_info, []), undef", "undef"},
    {"observer's process list",
     "{badrpc, {'EXIT', {undef, _}}} = rpc:call(R, observer_backend, procs_info, [self()]), undef", "undef"},
    {"observer's statistics",
     "process_flag(trap_exit, true), P = spawn_link(R, observer_backend, fetch_stats, [self(), 1000]), "
     "receive {'EXIT', P, Why} -> Why after 5000 -> late end",
     "notsup", 25},
    {"observer's statistics, before OTP 25", "spawn_link(R, observer_backend, fetch_stats, [self(), 1000])",
     "{error,notsup}", 23, 24},
    {"etop's collector",
     "{badrpc, {'EXIT', {undef, _}}} = rpc:call(R, observer_backend, etop_collect, [self()]), undef",
     "undef"},
    {"recon", "{badrpc, {'EXIT', {undef, _}}} = rpc:call(R, recon, proc_count, [memory, 3]), undef", "undef"},
    {"recon, many", "element(2, rpc:multicall([R], recon, info, [self()]))", "[]"},
    // Supervision, applications, sys.
    {"children of a supervisor",
     "try supervisor:which_children({rollcall, R}) catch exit:{{undef, [{M, F, A, _}]}, _} -> {M, F, A} end",
     "{rollcall,which_children,[]}"},
    {"applications",
     "{badrpc, {'EXIT', {undef, _}}} = rpc:call(R, application, which_applications, []), undef", "undef"},
    {"net_kernel", "try gen_server:call({net_kernel, R}, longnames) catch exit:{Why, _} -> Why end",
     "notsup"},
    {"net_kernel, without a limit",
     "try gen_server:call({net_kernel, R}, {spawn, erlang, self, [], group_leader()}, infinity) "
     "catch exit:{Why, _} -> Why end",
     "notsup"},
    // rex, for those who do it as before OTP 23.
    {"block_call", "rpc:block_call(R, rollcall, nodes, [down], 5000) =/= timeout", "true"},
    {"sbcast to nobody", "rpc:sbcast([R], nobody, hello)", "{[],['rollcall@127.0.0.1']}"},
    {"abcast", "rpc:abcast([R], rollcall, hello)", "abcast"},
    {"eval_everywhere", "rpc:eval_everywhere([R], rollcall, nodes, [])", "abcast"},
    // Printing there.
    {"io:format", "try io:format({rollcall, R}, \"x\", []) catch error:_ -> refused end", "refused"},
    {"io:get_line",
     "case catch io:get_line({rollcall, R}, \"x\") of {error, _} -> refused; {'EXIT', _} -> refused end",
     "refused"},
    // What other applications send to every node they see.
    {"pg", "{pg, R} ! {discover, self()}, ok", "ok"},
    {"pg, with a version", "{my_scope, R} ! {discover, self(), 1}, ok", "ok"},
    {"global",
     "{global_name_server, R} ! {init_connect, {5, 1}, node(), {locker, no_longer_a_pid, [], self()}}, ok",
     "ok"},
    {"global, asked",
     "try gen_server:call({global_name_server, R}, get_known) catch exit:{Why, _} -> Why end", "noproc"},
    {"global's lock", "global:set_lock({x, self()}, [R], 1), global:del_lock({x, self()}, [R])", "true"},
    {"global, registering",
     "{global:register_name(iex_test, self()), global:unregister_name(iex_test), global:sync()}",
     "{yes,ok,ok}"},
    {"the port mapper", "{ok, Names} = net_adm:names({127,0,0,1}), lists:keymember(\"rollcall\", 1, Names)",
     "true"},
    {"node_info", "net_kernel:node_info(R, type)", "{ok,hidden}"},
    {"nodes_info", "{ok, Infos} = net_kernel:nodes_info(), lists:keymember(R, 1, Infos)", "true"},
    {"terms of every kind",
     "Terms = [hd(erlang:ports()), self(), make_ref(), fun lists:map/2, fun() -> ok end, 1 bsl 200, "
     "-1.0e300, <<5:3>>, "
     "list_to_tuple(lists:seq(1, 70000)), #{{a} => #{}}, [a | b], \"text\", '\303\244'], "
     "{badrpc, {'EXIT', {undef, [{rollcall, echo, Back, _}]}}} = rpc:call(R, rollcall, echo, Terms), Back "
     "=:= Terms",
     "true"},
};

TEST_P(IexShell, MeetsTools) {
  cluster->ask(tools, false);
}

const question gigantic[] = {
    {"four million bytes",
     "{badrpc, {'EXIT', {function_clause, [{rollcall, members, [Back], _}]}}} = "
     "rpc:call(R, rollcall, members, [binary:copy(<<7>>, 4000000)]), byte_size(Back)",
     "4000000"},
    // Told as a node tells what is above its limits; the link goes on.
    {"more terms than are read", "rpc:call(R, rollcall, members, [lists:duplicate(400000, a)])",
     "{badrpc,{'EXIT',system_limit}}"},
    {"the link is still there", "lists:member(R, nodes(hidden))", "true"},
    // Above the largest frame it is read past, and the caller hears so at once.
    {"twenty million bytes", "rpc:call(R, rollcall, members, [binary:copy(<<7>>, 20000000)])",
     "{badrpc,{'EXIT',system_limit}}"},
    {"twenty million bytes, erpc",
     "try erpc:call(R, rollcall, members, [binary:copy(<<7>>, 20000000)]) catch error:Why -> Why end",
     "{erpc,system_limit}"},
    {"twenty million bytes, server",
     "try gen_server:call({rollcall, R}, {members, binary:copy(<<7>>, 20000000)}) catch exit:{Why, _} -> Why "
     "end",
     "system_limit"},
    {"twenty million bytes, sent", "{rollcall, R} ! binary:copy(<<7>>, 20000000), net_adm:ping(R)", "pong"},
    {"the link is still there, again", "lists:member(R, nodes(hidden))", "true"},
    {"deep",
     "case rpc:call(R, rollcall, members, [lists:foldl(fun(_, T) -> {T} end, x, lists:seq(1, 100000))]) of "
     "{badrpc, _} -> refused end",
     "refused"},
    {"afterwards", "rpc:call(R, rollcall, nodes, [down])", "[]"},
};

TEST_P(IexShell, SurvivesGiganticArguments) {
  cluster->ask(gigantic, false);
}

// Callers that are gone, or gave up, before the answer came.
const question impatient[] = {
    {"gave up",
     "lists:usort([rpc:call(R, rollcall, members, [], 0) || _ <- lists:seq(1, 500)]) -- "
     "[{badrpc, timeout}]",
     "[]"},
    {"gave up on the server",
     "lists:usort([try gen_server:call({rollcall, R}, version, 0), ok catch exit:{timeout, _} -> ok end || "
     "_ <- lists:seq(1, 200)]), timer:sleep(100), "
     "(fun Drop() -> receive _ -> Drop() after 0 -> ok end end)()",
     "ok"},
    {"died",
     "[exit(spawn(fun() -> rpc:call(R, rollcall, members, []) end), kill) || _ <- lists:seq(1, 500)], ok",
     "ok"},
    {"demonitored",
     "[begin M = erlang:monitor(process, {rollcall, R}), erlang:demonitor(M) end || "
     "_ <- lists:seq(1, 20000)], ok",
     "ok"},
    {"lost the link",
     "Me = self(), Ps = [spawn_monitor(fun() -> [case rpc:call(R, rollcall, nodes, [down]) of [] -> ok; "
     "{badrpc, nodedown} -> ok end || _ <- lists:seq(1, 20)] end) || _ <- lists:seq(1, 20)], "
     "[begin erlang:disconnect_node(R), timer:sleep(3) end || _ <- lists:seq(1, 20)], "
     "lists:usort([receive {'DOWN', M, _, P, Why} -> Why after 9000 -> hangs end || {P, M} <- Ps])",
     "[normal]"},
    {"lost the link, server",
     "Ps = [spawn_monitor(fun() -> [try [] = gen_server:call({rollcall, R}, {nodes, down}), ok catch "
     "exit:{{nodedown, _}, _} -> ok; exit:{noconnection, _} -> ok end || _ <- lists:seq(1, 20)] end) || "
     "_ <- lists:seq(1, 20)], "
     "[begin erlang:disconnect_node(R), timer:sleep(3) end || _ <- lists:seq(1, 20)], "
     "lists:usort([receive {'DOWN', M, _, P, Why} -> Why after 9000 -> hangs end || {P, M} <- Ps])",
     "[normal]"},
    {"the next one", "rpc:call(R, rollcall, nodes, [down])", "[]"},
};

TEST_P(IexShell, IsNotBlockedByCallersThatGiveUp) {
  cluster->ask(impatient, false);
  // Nothing of it is kept: the same again costs no memory.
  const auto before = cluster->program.rss_kib();
  for (int i = 0; i < 3; ++i) cluster->ask(std::span(impatient).first(4), false);
  EXPECT_LT(cluster->program.rss_kib(), before + 8192) << "KiB, from " << before;
}

}  // namespace
}  // namespace rollcall::test
