# Acts on netsplits that Rollcall sees: one process, no dependencies. For each open netsplit it sets an alarm, if SASL's alarm
# handler runs, emits [:rollcall, :netsplit, :opened | :closed], if Telemetry is loaded, and logs a line.
#
# In an application, under its supervisor:
#   {NetsplitAlarm, rollcall: :"rollcall@rollcall.shop.svc.cluster.local"}
# Alone:
#   elixir --name alarm@10.0.0.9 --erl "-setcookie ..." netsplit_alarm.exs rollcall@rollcall.shop.svc.cluster.local
defmodule NetsplitAlarm do
  use GenServer
  require Logger

  def start_link(options), do: GenServer.start_link(__MODULE__, options, name: __MODULE__)

  # The netsplits that are open as far as it knows: %{id => netsplit}.
  def open, do: GenServer.call(__MODULE__, :open)

  @impl true
  def init(options) do
    send(self(), :subscribe)
    {:ok, %{rollcall: Keyword.fetch!(options, :rollcall), retry: Keyword.get(options, :retry, 5_000), monitor: nil, open: %{}}}
  end

  @impl true
  def handle_call(:open, _from, state), do: {:reply, state.open, state}

  # The monitor comes first: whatever happens to Rollcall or to the link after that, we hear of it. A Rollcall that is away says
  # nothing about the cluster, so alarms stay as they are until it is back.
  @impl true
  def handle_info(:subscribe, state) do
    monitor = Process.monitor({:rollcall, state.rollcall})

    case :rpc.call(state.rollcall, :rollcall, :subscribe, [self()], 5_000) do
      :ok ->
        {:noreply, look(%{state | monitor: monitor})}

      _ ->
        Process.demonitor(monitor, [:flush])
        {:noreply, again(%{state | monitor: nil})}
    end
  end

  def handle_info({:DOWN, monitor, :process, _, reason}, %{monitor: monitor} = state) do
    Logger.info("rollcall is away: #{inspect(reason)}")
    {:noreply, again(%{state | monitor: nil})}
  end

  # An event says that something changed; what is open now is asked for, so that one that was missed does no harm.
  def handle_info({:rollcall, _, %{type: type}}, state)
      when type in [:netsplit_opened, :netsplit_changed, :netsplit_closed, :missed],
      do: {:noreply, look(state)}

  def handle_info(_, state), do: {:noreply, state}

  defp again(state) do
    Process.send_after(self(), :subscribe, state.retry)
    state
  end

  defp look(state) do
    case :rpc.call(state.rollcall, :rollcall, :netsplits, [], 5_000) do
      netsplits when is_list(netsplits) ->
        now = for %{closed_at: nil} = one <- netsplits, into: %{}, do: {one.id, one}
        for {id, one} <- now, not Map.has_key?(state.open, id), do: opened(one)
        for {id, one} <- state.open, not Map.has_key?(now, id), do: closed(one)
        %{state | open: now}

      # The monitor tells the rest.
      {:badrpc, _} ->
        state
    end
  end

  defp opened(one) do
    if Process.whereis(:alarm_handler), do: :alarm_handler.set_alarm({{:netsplit, one.id}, one.groups})
    emit(:opened, %{opened_at: one.opened_at}, one)
    Logger.error("netsplit #{one.id}: #{inspect(one.groups)}")
  end

  defp closed(one) do
    if Process.whereis(:alarm_handler), do: :alarm_handler.clear_alarm({:netsplit, one.id})
    emit(:closed, %{duration_ms: System.system_time(:millisecond) - one.opened_at}, one)
    Logger.info("netsplit #{one.id} is over")
  end

  defp emit(what, measurements, one) do
    if :erlang.function_exported(:telemetry, :execute, 3),
      do: apply(:telemetry, :execute, [[:rollcall, :netsplit, what], measurements, one])
  end
end

case System.argv() do
  [rollcall | _] ->
    {:ok, _} = NetsplitAlarm.start_link(rollcall: String.to_atom(rollcall))
    Process.sleep(:infinity)

  [] ->
    :ok
end
