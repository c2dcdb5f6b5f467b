// A real Erlang (or Elixir) node. It is asked through its standard input, so that asking opens no
// distribution link.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "test/support/process.hpp"

namespace rollcall::test {

// ROLLCALL_TEST_OTP_ROOT: the folder made by test/support/otp_root whose OTP the nodes are of; empty: this
// machine's.
std::string otp_root();
// A program of that OTP with its arguments, as process_options take it: {"iex", "--name", ...}.
std::vector<std::string> of_otp(const std::string& root, std::vector<std::string> arguments);

struct beam_options {
  std::string name{};       // alive@host
  bool short_name = false;  // -sname instead of -name
  std::string cookie = "chocolate";
  std::uint16_t epmd_port = 0;  // ERL_EPMD_PORT; 0: the usual 4369. The node never starts one itself.
  std::string network_namespace{};
  std::vector<std::string> arguments{};  // more of erl's, such as {"-kernel", "net_ticktime", "8"}
  std::map<std::string, std::string> environment{};
  bool hidden = false;
  bool elixir = false;      // with Elixir's libraries in its path
  std::string erl = "erl";  // another OTP's, by path
  std::string root = otp_root();
};

// What net_kernel:monitor_nodes/1 told a node, and when by the machine's clock.
struct link_change {
  std::chrono::system_clock::time_point at;
  bool up;
  std::string peer;
};

class beam {
 public:
  // Booted and distributed when this returns, unless `wait_until_up` is false (start many, then call
  // ready()).
  explicit beam(beam_options, bool wait_until_up = true);

  void ready();
  // Value of Erlang expressions ("erlang:nodes()."; the final dot may be left out) as ~0tp writes it; a
  // raised exception gives "error: Class:Reason". Throws std::runtime_error when nothing comes within
  // `limit`.
  std::string eval(const std::string& expressions, milliseconds limit = milliseconds(30'000));
  // The same of Elixir code, as inspect/1 writes it; needs beam_options::elixir.
  std::string elixir(const std::string& code, milliseconds limit = milliseconds(30'000));

  std::vector<std::string> nodes();  // visible ones, sorted
  // Notes nodeup and nodedown messages from now on; read by downs() and changes().
  void watch();
  int downs();
  std::vector<link_change> changes();  // oldest first

  const std::string& name() const noexcept { return options_.name; }
  beam_options& options() noexcept { return options_; }  // used by the next restart()
  pid_t id() const noexcept { return process_->id(); }
  bool running() { return process_ && process_->running(); }
  std::string output() const { return process_ ? process_->output() : std::string(); }

  void kill();    // -9
  void freeze();  // SIGSTOP
  void thaw();    // SIGCONT
  void stop();    // init:stop/0, waited for
  // The same, with an application that takes so long to end.
  void stop_slowly(milliseconds lasts);
  void restart();  // kill() when it runs, then a new one with options()

 private:
  void start();
  beam_options options_;
  std::optional<process> process_;
  std::size_t read_ = 0;  // of the output
  unsigned asked_ = 0;
};

// Elixir's library folders, as erl's -pa takes them; empty when it is not installed.
std::vector<std::string> elixir_paths(const std::string& root = otp_root());

}  // namespace rollcall::test
