%% A child that keeps what stands behind it in the supervision tree from starting while this node is still alone: singletons
%% (global, a job that runs once) would start on every node, and be killed on all but one later.
%%
%%     [start_gate:child_spec(#{limit => 20_000}), #{id => my_singleton, ...}]
%%
%% It opens when Rollcall says that this node is linked to all others that are up, and that they are the majority of those
%% expected; after `limit` milliseconds in any case, and after `silence` when Rollcall does not answer: an app must not depend
%% on what watches it. Needs nothing but kernel. Options: `host`, `port` (rollcall, 14369), `limit` (20000), `silence` (3000),
%% `node` (this one).
-module(start_gate).
-export([child_spec/1, start_link/1]).

child_spec(Options) ->
    #{id => ?MODULE, start => {?MODULE, start_link, [Options]}, restart => temporary}.

%% Nothing is left running: a supervisor goes on with the next child when this returns.
start_link(Options) ->
    Host = maps:get(host, Options, "rollcall"),
    Port = maps:get(port, Options, 14369),
    Path = ["/api/v1/ready/", atom_to_list(maps:get(node, Options, node())), "?strict=1"],
    Now = erlang:monotonic_time(millisecond),
    Limit = Now + maps:get(limit, Options, 20000),
    Silence = Now + maps:get(silence, Options, 3000),
    How = wait(fun() -> ask(Host, Port, Path) end, Limit, Silence),
    logger:notice("start gate: ~s after ~b ms", [How, erlang:monotonic_time(millisecond) - Now]),
    ignore.

wait(Ask, Limit, Silence) ->
    Answer = Ask(),
    Now = erlang:monotonic_time(millisecond),
    Whole = re:run(Answer, "^HTTP/1\\.[0-9] 200") =/= nomatch andalso
        binary:match(Answer, <<"\"verdict\":\"majority\"">>) =/= nomatch,
    if
        Whole -> "open";
        Now >= Limit -> "open, although this node is not linked to the others yet";
        Answer =:= <<>>, Now >= Silence -> "open, since Rollcall does not answer";
        true -> timer:sleep(200), wait(Ask, Limit, Silence)
    end.

%% The whole answer, <<>> when there is none.
ask(Host, Port, Path) ->
    case gen_tcp:connect(Host, Port, [binary, {active, false}], 1000) of
        {ok, Socket} ->
            _ = gen_tcp:send(Socket, ["GET ", Path, " HTTP/1.0\r\nHost: ", Host, "\r\n\r\n"]),
            Answer = read(Socket, <<>>),
            _ = gen_tcp:close(Socket),
            Answer;
        _ ->
            <<>>
    end.

read(Socket, Answer) ->
    case gen_tcp:recv(Socket, 0, 1000) of
        {ok, More} when byte_size(Answer) < 65536 -> read(Socket, <<Answer/binary, More/binary>>);
        _ -> Answer
    end.
