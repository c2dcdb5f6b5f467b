%% What a real node would answer if it had a module and a server named rollcall: the measure of every error.
-module(rollcall).
-behaviour(gen_server).
-export([start/0, members/0, members/1, member/1, nodes/1, events/1, netsplit/1, version/0, leave/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

members() -> [].
members(State) when State =:= up; State =:= down -> [].
member(Node) when is_atom(Node); is_binary(Node) -> nil.
nodes(State) when State =:= up; State =:= down -> [].
events(Count) when is_integer(Count), Count >= 0 -> [].
netsplit(Id) when is_integer(Id), Id >= 0 -> nil.
version() -> <<"1">>.
leave(Node) when is_atom(Node) -> {error, unknown_node}.

%% A server that was ended by what it was asked is there again at once, as under a supervisor.
start() ->
    Parent = self(),
    spawn(fun() -> keep(Parent) end),
    receive started -> ok end.

keep(Tell) ->
    process_flag(trap_exit, true),
    logger:set_primary_config(level, none),
    {ok, Server} = gen_server:start_link({local, rollcall}, ?MODULE, [], []),
    Tell ! started,
    receive {'EXIT', Server, _} -> keep(self()) end.

init([]) -> {ok, nil}.
handle_call(Request, _, State) when is_atom(Request) -> {reply, apply(?MODULE, Request, []), State};
handle_call(Request, _, State) when is_tuple(Request), is_atom(element(1, Request)) ->
    [Function | Arguments] = tuple_to_list(Request),
    {reply, apply(?MODULE, Function, Arguments), State}.
handle_cast(_, State) -> {noreply, State}.
handle_info(_, State) -> {noreply, State}.
