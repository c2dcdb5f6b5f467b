// A real Erlang node under test's control.
#include "test/support/beam.hpp"

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

// Reads "NUMBER EXPRESSIONS" lines and answers "~#~ NUMBER VALUE". Spawned, so that init finishes its boot.
constexpr const char* evaluator =
    "spawn(fun() -> "
    "  io:setopts([{encoding,unicode}]),"
    "  Loop = fun(Self) -> case io:get_line(\"\") of eof -> halt(0); {error,_} -> halt(0); Line ->"
    "    {Number, Text} = lists:splitwith(fun(C) -> C =/= 32 end, unicode:characters_to_list(Line)),"
    "    Answer = try"
    "      {ok, Tokens, _} = erl_scan:string(Text), {ok, Forms} = erl_parse:parse_exprs(Tokens),"
    "      {value, Value, _} = erl_eval:exprs(Forms, []),"
    "      case Value of {'$text', Utf8} -> io_lib:format(\"~ts\", [Utf8]); _ -> io_lib:format(\"~0tp\", "
    "[Value]) end"
    "    catch Class:Reason -> io_lib:format(\"error: ~0tp:~0tp\", [Class, Reason]) end,"
    "    io:format(\"~n~~#~~ ~s ~ts~n\", [Number, Answer]), Self(Self) end end, Loop(Loop) end).";

}  // namespace

beam::beam(beam_options options, bool wait_until_up) : options_(std::move(options)) {
  start();
  if (wait_until_up) ready();
}

void beam::start() {
  std::vector<std::string> arguments{options_.erl,  "-noshell",   options_.short_name ? "-sname" : "-name",
                                     options_.name, "-setcookie", options_.cookie,
                                     "-start_epmd", "false"};
  if (options_.hidden) arguments.emplace_back("-hidden");
  if (options_.elixir) {
    for (const auto& path : elixir_paths(options_.root)) arguments.insert(arguments.end(), {"-pa", path});
  }
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  arguments.insert(arguments.end(), {"-eval", evaluator});
  auto environment = options_.environment;
  if (options_.epmd_port != 0) environment["ERL_EPMD_PORT"] = std::to_string(options_.epmd_port);
  environment["ERL_CRASH_DUMP_BYTES"] = "0";
  // A small emulator: many of them share two cores.
  if (!environment.contains("ERL_FLAGS")) environment["ERL_FLAGS"] = "+S 1 +SDio 1 +A 1";
  read_ = 0;
  process_.emplace(process_options{.arguments = of_otp(options_.root, std::move(arguments)),
                                   .environment = std::move(environment),
                                   .network_namespace = options_.network_namespace,
                                   .write_input = true});
}

void beam::ready() {
  if (const auto alive = eval("erlang:is_alive()", milliseconds(60'000)); alive != "true") {
    throw std::runtime_error(options_.name + " is not distributed: " + alive + "\n" + process_->output());
  }
}

std::string beam::eval(const std::string& expressions, milliseconds limit) {
  if (!process_) throw std::runtime_error(options_.name + " was killed");
  std::string line = expressions;
  std::replace(line.begin(), line.end(), '\n', ' ');
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) line.pop_back();
  if (line.empty() || line.back() != '.') line += '.';
  const auto number = std::to_string(++asked_);
  process_->write(number + " " + line + "\n");

  const auto marker = "\n~#~ " + number + " ";
  const auto deadline = std::chrono::steady_clock::now() + patient(limit);
  for (;;) {
    const bool gone = !process_->running();
    const auto output = process_->output();
    if (const auto at = output.find(marker, read_); at != std::string::npos) {
      const auto from = at + marker.size();
      if (const auto end = output.find('\n', from); end != std::string::npos) {
        read_ = end;
        return output.substr(from, end - from);
      }
    }
    if (gone) throw std::runtime_error(options_.name + " ended:\n" + output + process_->errors());
    if (std::chrono::steady_clock::now() >= deadline) {
      throw std::runtime_error(options_.name + " did not answer " + expressions + "\n" + output +
                               process_->errors());
    }
    std::this_thread::sleep_for(milliseconds(3));
  }
}

std::string beam::elixir(const std::string& code, milliseconds limit) {
  std::string bytes;
  for (const unsigned char byte : code) bytes += (bytes.empty() ? "" : ",") + std::to_string(byte);
  return eval(
      "begin {ok, _} = application:ensure_all_started(elixir),"
      " {V, _} = 'Elixir.Code':eval_string(list_to_binary([" +
          bytes +
          "])),"
          " {'$text', 'Elixir.Kernel':inspect(V)} end.",
      limit);
}

std::vector<std::string> beam::nodes() {
  const auto text =
      eval("{'$text', lists:join(\" \", [atom_to_list(N) || N <- lists:sort(erlang:nodes())])}");
  std::vector<std::string> result;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(' ', at), text.size());
    result.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return result;
}

void beam::watch() {
  // A registered process: {nodedown, N} and {nodeup, N} are kept, {read, Pid} answers with all, the last
  // first.
  eval(
      "begin Parent = self(), catch exit(whereis(link_changes), kill), spawn(fun() ->"
      " timer:sleep(0), (catch unregister(link_changes)), register(link_changes, self()), "
      "net_kernel:monitor_nodes(true),"
      " Parent ! watching,"
      " L = fun(S, C) -> receive {read, P} -> P ! {changes, C}, S(S, C);"
      " {What, N} -> S(S, [{What, erlang:system_time(millisecond), N} | C]); _ -> S(S, C) end end,"
      " L(L, []) end), receive watching -> ok end end.");
}

int beam::downs() {
  return std::stoi(
      eval("begin link_changes ! {read, self()}, receive {changes, C} -> length([N || {nodedown, _, N} <- "
           "C]) end end."));
}

std::vector<link_change> beam::changes() {
  std::istringstream words(eval(
      "begin link_changes ! {read, self()}, receive {changes, C} ->"
      " {'$text', [io_lib:format(\"~s ~b ~ts \", [W, T, N]) || {W, T, N} <- lists:reverse(C)]} end end."));
  std::vector<link_change> all;
  std::string what, peer;
  std::int64_t at = 0;
  while (words >> what >> at >> peer) {
    all.push_back({std::chrono::system_clock::time_point(milliseconds(at)), what == "nodeup", peer});
  }
  return all;
}

void beam::kill() {
  if (process_) process_->kill();
}

// Only the thread that takes the signal stops the others: on a busy machine they go on for a while.
void beam::freeze() {
  process_->signal(SIGSTOP);
  const auto stopped = [&] {
    const auto tasks = "/proc/" + std::to_string(process_->id()) + "/task";
    return std::ranges::all_of(std::filesystem::directory_iterator(tasks), [](const auto& task) {
      const auto stat = read_file(task.path() / "stat");
      const auto end = stat.rfind(')');
      return end == std::string::npos || stat.compare(end, 3, ") T") == 0;
    });
  };
  if (!eventually(stopped, milliseconds(10'000), "stopped", milliseconds(2)))
    throw std::runtime_error(options_.name + " does not stop on SIGSTOP");
}
void beam::thaw() {
  process_->signal(SIGCONT);
}

void beam::stop() {
  eval("init:stop()");
  if (!process_->wait(milliseconds(30'000))) throw std::runtime_error(options_.name + " does not stop");
}

void beam::stop_slowly(milliseconds lasts) {
  const auto time = std::to_string(lasts.count());
  eval(
      "Wait = fun() -> P = proc_lib:spawn_link(fun() -> process_flag(trap_exit, true), receive {'EXIT', _, "
      "shutdown} "
      "-> timer:sleep(" +
      time +
      ") end end), {ok, P} end,"
      "{ok, _} = supervisor:start_child(kernel_safe_sup, #{id => slow, start => {erlang, apply, [Wait, []]}, "
      "shutdown => infinity}), init:stop()");
  if (!process_->wait(milliseconds(30'000) + lasts))
    throw std::runtime_error(options_.name + " does not stop");
}

void beam::restart() {
  kill();
  start();
  ready();
}

std::string otp_root() {
  const char* root = std::getenv("ROLLCALL_TEST_OTP_ROOT");
  return root == nullptr ? "" : root;
}

std::vector<std::string> of_otp(const std::string& root, std::vector<std::string> arguments) {
  if (!root.empty())
    arguments.insert(arguments.begin(), {ROLLCALL_SOURCE_DIR "/test/support/otp_root", "--run", root});
  return arguments;
}

std::vector<std::string> elixir_paths(const std::string& root) {
  std::vector<std::string> result;
  std::error_code none;
  for (const char* library : {"/usr/lib/elixir/lib", "/usr/local/lib/elixir/lib"}) {
    for (const auto& folder : std::filesystem::directory_iterator(root + library, none)) {
      if (std::filesystem::is_directory(folder.path() / "ebin", none))
        result.push_back((folder.path() / "ebin").string().substr(root.size()));
    }
    if (!result.empty()) break;
  }
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace rollcall::test
