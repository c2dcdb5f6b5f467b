defmodule App do
  @moduledoc """
  The smallest app that shows a cluster: a page with the host's name, this node's name and `Node.list()`, and a line in the
  log for every node that comes or goes. It has no dependencies, and knows of no other node: Rollcall connects them.
  """
  use Application

  @impl true
  def start(_type, _args) do
    port = String.to_integer(System.get_env("PORT", "4000"))
    Supervisor.start_link([App.Neighbours, {App.Page, port}], strategy: :one_for_one)
  end
end
