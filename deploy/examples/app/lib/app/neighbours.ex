defmodule App.Neighbours do
  @moduledoc "Says in the log which node comes and which goes."
  use GenServer
  require Logger

  def start_link(_), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)

  @impl true
  def init(nil) do
    :net_kernel.monitor_nodes(true)
    {:ok, nil}
  end

  @impl true
  def handle_info({:nodeup, node}, state) do
    Logger.info("connected to #{node}")
    {:noreply, state}
  end

  def handle_info({:nodedown, node}, state) do
    Logger.info("lost #{node}")
    {:noreply, state}
  end
end
