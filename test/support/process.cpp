// Starting, watching and ending programs.
#include "test/support/process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  if (const char* ours = std::getenv("PATH")) path = std::string(ours) + ":" + path;
  std::istringstream folders(path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    auto candidate = folder + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  throw std::runtime_error("no such program: " + name);
}

std::vector<std::string> environment_with(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!changes.contains(std::string(text.substr(0, text.find('='))))) result.emplace_back(text);
  }
  for (const auto& [name, value] : changes) {
    if (!value.empty()) result.push_back(name + "=" + value);
  }
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (auto& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

int open_or_throw(const std::string& path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC, 0600);  // NOLINT(cppcoreguidelines-pro-type-vararg)
  if (file < 0) throw std::system_error(errno, std::generic_category(), path);
  return file;
}

struct overlay {
  std::string from, onto;
};

std::vector<overlay> overlays_of(const std::string& network_namespace) {
  std::vector<overlay> result;
  std::error_code none;
  for (const auto& file : std::filesystem::directory_iterator("/etc/netns/" + network_namespace, none)) {
    result.push_back({file.path().string(), "/etc/" + file.path().filename().string()});
  }
  return result;
}

}  // namespace

process::process(process_options options) {
  if (options.arguments.empty()) throw std::runtime_error("no program given");
  const auto program = find_program(options.arguments.front());
  auto environment = environment_with(options.environment);
  const auto arguments_pointers = pointers(options.arguments);
  const auto environment_pointers = pointers(environment);
  const int out = open_or_throw((files_.path() / "out").string(), O_CREAT | O_WRONLY | O_APPEND);
  const int err = open_or_throw((files_.path() / "err").string(), O_CREAT | O_WRONLY | O_APPEND);
  int in = -1;
  if (options.write_input) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    in = ends[0];
    input_ = ends[1];
  } else {
    in = open_or_throw("/dev/null", O_RDONLY);
  }
  int space = -1;
  std::vector<overlay> overlays;
  if (!options.network_namespace.empty()) {
    space = open_or_throw("/run/netns/" + options.network_namespace, O_RDONLY);
    overlays = overlays_of(options.network_namespace);
  }

  const pid_t parent = getpid();
  id_ = fork();
  if (id_ == 0) {
    // Other threads may have been running: system calls only from here on.
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // NOLINT(cppcoreguidelines-pro-type-vararg)
    if (getppid() != parent) _exit(125);
    if (space >= 0) {
      if (setns(space, CLONE_NEWNET) != 0) _exit(126);
      if (!overlays.empty()) {
        if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) _exit(126);
        for (const auto& one : overlays) mount(one.from.c_str(), one.onto.c_str(), nullptr, MS_BIND, nullptr);
      }
    }
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    execve(program.c_str(), arguments_pointers.data(), environment_pointers.data());
    _exit(127);
  }
  const int fork_error = errno;
  for (const int file : {in, out, err, space}) {
    if (file >= 0) close(file);
  }
  if (id_ < 0) throw std::system_error(fork_error, std::generic_category(), "fork");
  setpgid(id_, id_);
}

process::~process() {
  kill();
  if (input_ >= 0) close(input_);
}

process::process(process&& other) noexcept
    : files_(std::move(other.files_)),
      id_(std::exchange(other.id_, -1)),
      input_(std::exchange(other.input_, -1)),
      status_(other.status_) {}

process& process::operator=(process&& other) noexcept {
  std::swap(files_, other.files_);
  std::swap(id_, other.id_);
  std::swap(input_, other.input_);
  std::swap(status_, other.status_);
  return *this;
}

bool process::running() {
  return !exit_code();
}

std::optional<int> process::exit_code() {
  if (!status_ && id_ > 0) {
    int status = 0;
    if (waitpid(id_, &status, WNOHANG) == id_) {
      status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
  }
  return status_;
}

bool process::wait(milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + patient(limit);
  while (running()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

void process::signal(int number) const {
  if (id_ > 0 && !status_) ::kill(id_, number);
}

void process::kill() {
  if (id_ <= 0) return;
  ::kill(-id_, SIGKILL);
  if (!status_) {
    ::kill(id_, SIGKILL);
    int status = 0;
    while (waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
    status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
}

void process::write(std::string_view text) const {
  while (!text.empty()) {
    const auto written = ::write(input_, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      throw std::system_error(errno, std::generic_category(), "write to a program's input");
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

finished run(process_options options, milliseconds limit) {
  process program(std::move(options));
  finished result;
  if (program.wait(limit)) result.exit_code = program.exit_code().value_or(-1);
  program.kill();
  result.output = program.output();
  result.errors = program.errors();
  return result;
}

std::string run_or_throw(std::vector<std::string> arguments) {
  std::string line;
  for (const auto& argument : arguments) line += argument + " ";
  auto result = run({.arguments = std::move(arguments), .environment = {}, .network_namespace = {}});
  if (result.exit_code != 0) {
    throw std::runtime_error(line + "ended with " + std::to_string(result.exit_code) + ": " + result.errors +
                             result.output);
  }
  return result.output;
}

std::size_t resident_kib(pid_t id) {
  std::istringstream status(read_file("/proc/" + std::to_string(id) + "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  return 0;
}

}  // namespace rollcall::test
