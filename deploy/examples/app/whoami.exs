# The smallest app that shows a cluster: one page with the host's name, this node's name, and the nodes it is connected to.
# No dependencies: gen_tcp and Elixir's own EEx.
#
#   PORT=4000 elixir --name app@10.0.0.7 --cookie-file ... whoami.exs      (in a release: a supervised task)
defmodule Whoami do
  @page """
  <!doctype html><meta charset="utf-8"><title><%= node %></title>
  <h1><%= host %></h1>
  <p>This is <b><%= node %></b>.</p>
  <p>Connected to <%= length(others) %>:</p>
  <ul><%= for other <- others do %><li><%= other %></li><% end %></ul>
  """

  def start(port) do
    {:ok, listener} =
      :gen_tcp.listen(port, [:binary, packet: :http_bin, active: false, reuseaddr: true])

    accept(listener)
  end

  defp accept(listener) do
    {:ok, socket} = :gen_tcp.accept(listener)
    {:ok, pid} = Task.start(fn -> receive(do: (:go -> answer(socket))) end)
    :gen_tcp.controlling_process(socket, pid)
    send(pid, :go)
    accept(listener)
  end

  defp answer(socket) do
    with {:ok, {:http_request, _, _, _}} <- :gen_tcp.recv(socket, 0, 5_000) do
      {:ok, host} = :inet.gethostname()
      bindings = [host: host, node: Node.self(), others: Enum.sort(Node.list())]
      body = EEx.eval_string(@page, bindings)

      :gen_tcp.send(socket, [
        "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close\r\n",
        "content-length: #{byte_size(body)}\r\n\r\n",
        body
      ])
    end

    :gen_tcp.close(socket)
  end
end

Application.ensure_all_started(:eex)
Whoami.start(String.to_integer(System.get_env("PORT", "4000")))
