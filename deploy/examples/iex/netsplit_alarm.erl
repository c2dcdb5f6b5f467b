%% Acts on netsplits that Rollcall sees: one process, no dependencies. For each open netsplit it sets an alarm, if SASL's
%% alarm handler runs, emits [rollcall, netsplit, opened | closed], if Telemetry is loaded, and logs a line.
%%
%% Under a supervisor:
%%   #{id => netsplit_alarm, start => {netsplit_alarm, start_link, ['rollcall@rollcall.shop.svc.cluster.local', 5000]}}
-module(netsplit_alarm).
-behaviour(gen_server).
-export([start_link/2, open/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-record(state, {rollcall, retry, monitor, open = #{}}).

%% Retry: after how many milliseconds it subscribes again when Rollcall is away.
start_link(Rollcall, Retry) -> gen_server:start_link({local, ?MODULE}, ?MODULE, {Rollcall, Retry}, []).

%% The netsplits that are open as far as it knows: #{Id => Netsplit}.
open() -> gen_server:call(?MODULE, open).

init({Rollcall, Retry}) ->
    self() ! subscribe,
    {ok, #state{rollcall = Rollcall, retry = Retry}}.

handle_call(open, _From, State) -> {reply, State#state.open, State}.

handle_cast(_, State) -> {noreply, State}.

%% The monitor comes first: whatever happens to Rollcall or to the link after that, we hear of it. A Rollcall that is away
%% says nothing about the cluster, so alarms stay as they are until it is back.
handle_info(subscribe, #state{rollcall = Rollcall} = State) ->
    Monitor = erlang:monitor(process, {rollcall, Rollcall}),
    case rpc:call(Rollcall, rollcall, subscribe, [self()], 5000) of
        ok ->
            {noreply, look(State#state{monitor = Monitor})};
        _ ->
            erlang:demonitor(Monitor, [flush]),
            {noreply, again(State)}
    end;
handle_info({'DOWN', Monitor, process, _, Reason}, #state{monitor = Monitor} = State) ->
    logger:warning("rollcall is away: ~0tp", [Reason]),
    {noreply, again(State)};
%% An event says that something changed; what is open now is asked for, so that one that was missed does no harm.
handle_info({rollcall, _, #{type := Type}}, State) when
    Type =:= netsplit_opened; Type =:= netsplit_changed; Type =:= netsplit_closed; Type =:= missed
->
    {noreply, look(State)};
handle_info(_, State) ->
    {noreply, State}.

again(State) ->
    erlang:send_after(State#state.retry, self(), subscribe),
    State#state{monitor = undefined}.

look(#state{rollcall = Rollcall, open = Before} = State) ->
    case rpc:call(Rollcall, rollcall, netsplits, [], 5000) of
        Netsplits when is_list(Netsplits) ->
            Now = maps:from_list([{Id, One} || #{id := Id, closed_at := nil} = One <- Netsplits]),
            [opened(One) || {Id, One} <- maps:to_list(Now), not maps:is_key(Id, Before)],
            [closed(One) || {Id, One} <- maps:to_list(Before), not maps:is_key(Id, Now)],
            State#state{open = Now};
        %% The monitor tells the rest.
        {badrpc, _} ->
            State
    end.

opened(#{id := Id, opened_at := At, groups := Groups} = One) ->
    [alarm_handler:set_alarm({{netsplit, Id}, Groups}) || has_alarms()],
    emit(opened, #{opened_at => At}, One),
    logger:error("netsplit ~b: ~0tp", [Id, Groups]).

closed(#{id := Id, opened_at := At} = One) ->
    [alarm_handler:clear_alarm({netsplit, Id}) || has_alarms()],
    emit(closed, #{duration_ms => erlang:system_time(millisecond) - At}, One),
    logger:notice("netsplit ~b is over", [Id]).

has_alarms() -> whereis(alarm_handler) =/= undefined.

emit(What, Measurements, One) ->
    case erlang:function_exported(telemetry, execute, 3) of
        true -> apply(telemetry, execute, [[rollcall, netsplit, What], Measurements, One]);
        false -> ok
    end.
