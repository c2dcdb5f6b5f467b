// A program under test's control: started with arguments and environment, in a network namespace when wanted,
// its output in files, killed with its whole group when the object goes, and by the kernel when the test
// dies.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/files.hpp"

namespace rollcall::test {

using std::chrono::milliseconds;

struct process_options {
  std::vector<std::string> arguments{};  // [0] is the program, looked up in PATH and the sbin directories
  std::map<std::string, std::string> environment{};  // beside our own; an empty value removes the variable
  std::string
      network_namespace;     // of `ip netns`; /etc/netns/NAME/* is laid over /etc, as `ip netns exec` does
  bool write_input = false;  // a pipe as standard input; else /dev/null
};

class process {
 public:
  explicit process(process_options);  // throws std::runtime_error when it cannot be started
  ~process();
  process(process&& other) noexcept;
  process& operator=(process&& other) noexcept;

  pid_t id() const noexcept { return id_; }
  bool running();
  // False when it still runs after `limit` (scaled by patient()).
  bool wait(milliseconds limit);
  // 128 + N when signal N ended it; absent while it runs.
  std::optional<int> exit_code();

  void signal(int number) const;  // the process alone
  void kill();                    // SIGKILL to the group, and reaped

  void write(std::string_view text) const;  // to its standard input
  std::string output() const { return read_file(files_.path() / "out"); }
  std::string errors() const { return read_file(files_.path() / "err"); }

 private:
  temporary_directory files_;
  pid_t id_ = -1;
  int input_ = -1;
  std::optional<int> status_;
};

struct finished {
  int exit_code = -1;
  std::string output, errors;
};
// Runs a program to its end; killed, and exit_code -1, after `limit`.
finished run(process_options, milliseconds limit = milliseconds(30'000));
// As run(), for what must work: throws std::runtime_error with its errors when the exit code is not 0.
std::string run_or_throw(std::vector<std::string> arguments);

// Resident memory of a process, in KiB; 0 when it is gone.
std::size_t resident_kib(pid_t);

}  // namespace rollcall::test
