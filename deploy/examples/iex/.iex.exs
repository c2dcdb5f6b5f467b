# Rollcall's answers at hand in a shell: copy this to ~/.iex.exs or to the application's folder, or start with
# `iex --dot-iex .iex.exs`.
#
#   iex> Rollcall.table
#   iex> Rollcall.why :"app@10-0-0-7.app.shop.svc.cluster.local"
#   iex> Rollcall.watch; flush
#
# Which Rollcall: ASK_ROLLCALL; else one that this node is linked to already; else the one of the namespace in NAMESPACE;
# else the one of this machine. Rollcall.at(:"rollcall@elsewhere") chooses another for this shell's process.
defmodule Rollcall do
  def at(node), do: Process.put(__MODULE__, node)

  def target do
    Process.get(__MODULE__) || named() || linked() || in_namespace() || :"rollcall@127.0.0.1"
  end

  def members, do: ask(:members)
  def members(state), do: ask(:members, [state])
  def member(node), do: ask(:member, [node])
  def why(node), do: ask(:why, [node])
  def nodes, do: ask(:nodes)
  def nodes(state), do: ask(:nodes, [state])
  def status, do: ask(:status)
  def partitions, do: ask(:partitions)
  def links, do: ask(:links)
  def missing_links, do: ask(:missing_links)
  def netsplits, do: ask(:netsplits)
  def netsplit(id), do: ask(:netsplit, [id])
  def discovery, do: ask(:discovery)
  def config, do: ask(:config)
  def events, do: ask(:events)
  def events(count), do: ask(:events, [count])
  def leave(node), do: ask(:leave, [node])
  def rejoin(node), do: ask(:rejoin, [node])
  def reconnect, do: ask(:reconnect)
  def version, do: ask(:version)
  def help, do: IO.puts(ask(:help))

  # Events come to this shell as messages {:rollcall, node, event}: look at them with flush().
  def watch(pid \\ self()), do: ask(:subscribe, [pid])
  def unwatch(pid \\ self()), do: ask(:unsubscribe, [pid])

  # The members, what is wrong with each, and the cluster in one line.
  def table do
    rows =
      for m <- members() do
        [m.node, m.state, m.reason || "", m.visible, m.missing, m.partition, m.otp_release || ""]
        |> Enum.map(&to_string/1)
      end

    heads = ~w(node state reason sees misses partition otp)

    widths =
      [heads | rows] |> Enum.zip() |> Enum.map(&(Tuple.to_list(&1) |> Enum.map(fn t -> String.length(t) end) |> Enum.max()))

    for row <- [heads | rows] do
      Enum.zip(row, widths)
      |> Enum.map(fn {text, width} -> String.pad_trailing(text, width) end)
      |> Enum.join("  ")
      |> String.trim_trailing()
      |> IO.puts()
    end

    status = status()
    IO.puts("#{status.up} of #{status.expected} up, #{status.partitions} partition(s), #{status.links_missing} link(s) missing: #{status.health}")
    for detail <- status.details, do: IO.puts("  #{detail.text}")
    IEx.dont_display_result()
  end

  def ask(function, arguments \\ []) do
    case :rpc.call(target(), :rollcall, function, arguments, 10_000) do
      {:badrpc, :nodedown} ->
        raise "no link to #{target()}: is it up, is its name right (ASK_ROLLCALL), has this node a name and its cookie?"

      {:badrpc, reason} ->
        raise "#{target()} did not answer #{function}/#{length(arguments)}: #{inspect(reason)}"

      answer ->
        answer
    end
  end

  defp named do
    case System.get_env("ASK_ROLLCALL") do
      name when name in [nil, ""] -> nil
      name -> String.to_atom(name)
    end
  end

  defp linked, do: Enum.find(Node.list(:hidden), &String.starts_with?(to_string(&1), "rollcall@"))

  defp in_namespace do
    case System.get_env("NAMESPACE") do
      name when name in [nil, ""] -> nil
      name -> :"rollcall@rollcall.#{name}.svc.cluster.local"
    end
  end
end
