defmodule StartGate do
  @moduledoc """
  A child that keeps what stands behind it in the supervision tree from starting while this node is still alone: singletons
  (`:global`, Horde, Oban's peers, a job that runs once) would start on every node, and be killed on all but one later.

      children = [{StartGate, limit: 20_000}, MyApp.Singleton, ...]

  It opens when Rollcall says that this node is linked to all others that are up, and that they are the majority of those
  expected; after `limit` milliseconds in any case, and after `silence` when Rollcall does not answer: an app must not depend
  on what watches it. Needs nothing but the kernel application. Options: `url` (ROLLCALL_URL, or http://rollcall:14369),
  `limit` (20_000), `silence` (3_000), `node` (this one).
  """
  require Logger

  def child_spec(options),
    do: %{id: __MODULE__, start: {__MODULE__, :start_link, [options]}, restart: :temporary}

  # Nothing is left running: a supervisor goes on with the next child when this returns.
  def start_link(options \\ []) do
    url = URI.parse(options[:url] || System.get_env("ROLLCALL_URL", "http://rollcall:14369"))
    node = options[:node] || Node.self()
    now = System.monotonic_time(:millisecond)
    limit = now + Keyword.get(options, :limit, 20_000)
    silence = now + Keyword.get(options, :silence, 3_000)
    # Before the line is written: Logger does not look at the text of a line that it leaves out.
    how = wait(url, node, limit, silence)
    Logger.info("start gate: #{how} after #{System.monotonic_time(:millisecond) - now} ms")
    :ignore
  end

  defp wait(url, node, limit, silence) do
    answer = ask(url, "/api/v1/ready/#{node}?strict=1")
    now = System.monotonic_time(:millisecond)

    cond do
      answer =~ ~r{^HTTP/1\.\d 200} and answer =~ ~s("verdict":"majority") -> "open"
      now >= limit -> "open, although this node is not linked to the others yet"
      answer == "" and now >= silence -> "open, since Rollcall does not answer"
      true -> Process.sleep(200) && wait(url, node, limit, silence)
    end
  end

  # The whole answer as text, "" when there is none.
  defp ask(url, path) do
    host = String.to_charlist(url.host)

    with {:ok, socket} <- :gen_tcp.connect(host, url.port, [:binary, active: false], 1_000) do
      :gen_tcp.send(socket, "GET #{path} HTTP/1.0\r\nHost: #{url.host}\r\n\r\n")
      answer = read(socket, "")
      :gen_tcp.close(socket)
      answer
    else
      _ -> ""
    end
  end

  defp read(socket, answer) do
    case :gen_tcp.recv(socket, 0, 1_000) do
      {:ok, more} when byte_size(answer) < 65_536 -> read(socket, answer <> more)
      _ -> answer
    end
  end
end
