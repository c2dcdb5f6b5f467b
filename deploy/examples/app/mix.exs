defmodule App.MixProject do
  use Mix.Project

  def project do
    [
      app: :app,
      version: "0.1.0",
      elixir: "~> 1.11",
      start_permanent: Mix.env() == :prod,
      deps: [],
      releases: [
        app: [include_executables_for: [:unix], steps: [:assemble, &cookie_from_file/1]]
      ]
    ]
  end

  def application do
    [extra_applications: [:logger, :eex, :ssl], mod: {App, []}]
  end

  # The start script of a release gives the cookie to the VM on its command line, where everybody on the machine can read it.
  # Without that, the VM takes it from $HOME/.erlang.cookie, which rel/env.sh.eex writes. RELEASE_COOKIE means nothing then.
  defp cookie_from_file(release) do
    script = Path.join([release.path, "bin", Atom.to_string(release.name)])
    before = File.read!(script)
    changed = String.replace(before, ~S( --cookie "$RELEASE_COOKIE"), "")

    if changed == before or changed =~ "--cookie" do
      Mix.raise("#{script} gives the cookie to the VM in another way than expected")
    end

    File.write!(script, changed)
    release
  end
end
