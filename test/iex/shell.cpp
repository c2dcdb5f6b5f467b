#include "test/iex/shell.hpp"

#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

// Everything between is one expression that gives the value's text.
std::string guarded(const std::string& body) {
  return "begin {Runner__, Monitor__} = spawn_monitor(fun() ->"
         " Text__ = try " +
         body +
         " catch Class__:Reason__ -> io_lib:format(\"~0tp\", [{Class__, Reason__}]) end,"
         // What comes late comes before the answer to this.
         " catch net_adm:ping(R__),"
         " Left__ = (fun Take__() -> receive Message__ -> [Message__ | Take__()] after 0 -> [] end end)(),"
         " exit({text, Text__, Left__}) end),"
         " receive"
         " {'DOWN', Monitor__, _, _, {text, Said__, []}} -> {'$text', unicode:characters_to_binary(Said__)};"
         " {'DOWN', Monitor__, _, _, {text, Said__, Left__}} ->"
         "  {'$text', unicode:characters_to_binary(io_lib:format(\"{~ts,left,~0tp}\", [Said__, Left__]))};"
         " {'DOWN', Monitor__, _, _, Other__} -> {died, Other__}"
         " after 10000 -> exit(Runner__, kill), hangs end end";
}

std::string charlist(const std::string& text) {
  std::string bytes;
  for (const unsigned char byte : text) bytes += (bytes.empty() ? "" : ",") + std::to_string(byte);
  return "[" + bytes + "]";
}

}  // namespace

std::string shell::erlang(const std::string& code) {
  return erlang(code, rollcall_);
}

std::string shell::erlang(const std::string& code, const std::string& about) {
  return node_.eval("R = R__ = '" + about + "', " +
                    guarded("io_lib:format(\"~0tp\", [begin " + code + " end])"));
}

std::string shell::elixir(const std::string& code) {
  return node_.eval("R__ = '" + rollcall_ + "', {ok, _} = application:ensure_all_started(elixir), " +
                    guarded("begin {Value__, _} = 'Elixir.Code':eval_string(list_to_binary(" +
                            charlist("r = :\"" + rollcall_ + "\"; _ = r; " + code) +
                            ")), 'Elixir.Kernel':inspect(Value__, [{limit, infinity}]) end"));
}

int shell::otp() {
  return std::stoi(node_.eval("{'$text', erlang:system_info(otp_release)}"));
}

shell_cluster::shell_cluster(std::vector<std::string> rollcall_arguments, bool with_elixir, wire spoken)
    : nodes({"one", "two"}, arguments_of(spoken)),
      // What a sanitizer keeps of freed memory would hide what the program keeps.
      program(nodes.rollcall({}, std::move(rollcall_arguments), {{"ASAN_OPTIONS", "quarantine_size_mb=1"}})),
      node(nodes.add({.name = "shell@127.0.0.1", .arguments = arguments_of(spoken), .elixir = with_elixir})),
      at(node, "rollcall@127.0.0.1") {}

testing::AssertionResult shell_cluster::whole() {
  return eventually([&] { return program.whole(2); }, 60s, "both members are up and meshed");
}

testing::AssertionResult shell_cluster::is_over(wire spoken) {
  for (auto* each : {&nodes.node(0), &nodes.node(1), &node}) {
    if (each->eval(
            "lists:member('rollcall@127.0.0.1', nodes(hidden)) orelse net_adm:ping('rollcall@127.0.0.1')") ==
        "pang") {
      return testing::AssertionFailure() << each->name() << " has no link";
    }
    if (const auto so = announced(*each, spoken); !so) return so;
  }
  return testing::AssertionSuccess();
}

void over_both::start(std::vector<std::string> rollcall_arguments, bool with_elixir) {
  auto& shared = clusters[GetParam()];
  if (!shared)
    shared = std::make_unique<shell_cluster>(std::move(rollcall_arguments), with_elixir, GetParam());
  cluster = shared.get();
}

void shell_cluster::ask(std::span<const question> questions, bool in_elixir) {
  const auto otp = at.otp();
  for (const auto& row : questions) {
    if (otp < row.since || otp > row.until) continue;
    SCOPED_TRACE(std::string(row.name) + ", on OTP " + std::to_string(otp) + ": " + row.code);
    EXPECT_EQ(in_elixir ? at.elixir(row.code) : at.erlang(row.code), row.answer);
  }
}

}  // namespace rollcall::test
