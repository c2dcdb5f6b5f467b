defmodule App.Page do
  @moduledoc "One page, the same for every path. HTTP by what the kernel application already has."
  use Task, restart: :permanent
  require EEx

  EEx.function_from_string(
    :defp,
    :page,
    """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <title><%= node %></title>
    <style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }</style>
    </head>
    <body>
    <h1><%= host %></h1>
    <p>This is <b><%= node %></b>, connected to <%= length(others) %>:</p>
    <ul>
    <%= for other <- others do %><li><%= other %></li>
    <% end %></ul>
    </body>
    </html>
    """,
    [:host, :node, :others]
  )

  def start_link(port), do: Task.start_link(__MODULE__, :listen, [port])

  def listen(port) do
    {:ok, listener} =
      :gen_tcp.listen(port, [:binary, packet: :http_bin, active: false, reuseaddr: true])

    accept(listener)
  end

  defp accept(listener) do
    {:ok, socket} = :gen_tcp.accept(listener)
    {:ok, pid} = Task.start(fn -> receive(do: (:yours -> answer(socket))) end)
    :gen_tcp.controlling_process(socket, pid)
    send(pid, :yours)
    accept(listener)
  end

  defp answer(socket) do
    with {:ok, {:http_request, _, _, _}} <- :gen_tcp.recv(socket, 0, 5_000),
         :ok <- skip_headers(socket) do
      {:ok, host} = :inet.gethostname()
      body = page(host, Node.self(), Enum.sort(Node.list()))

      :gen_tcp.send(socket, [
        "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close\r\n",
        "content-length: #{byte_size(body)}\r\n\r\n",
        body
      ])
    end

    :gen_tcp.close(socket)
  end

  # A socket that is closed with something unread in it is reset, and the answer may be lost.
  defp skip_headers(socket) do
    case :gen_tcp.recv(socket, 0, 5_000) do
      {:ok, :http_eoh} -> :ok
      {:ok, {:http_header, _, _, _, _}} -> skip_headers(socket)
      other -> other
    end
  end
end
