#include "test/simulation/jail.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace rollcall::simulation {

namespace {

void write_all(int fd, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const auto n = ::write(fd, text.data() + done, text.size() - done);
    if (n <= 0) ::_exit(3);
    done += static_cast<std::size_t>(n);
  }
}

}  // namespace

std::string in_jail(const std::function<std::string()>& play, unsigned seconds_at_most) {
  int ends[2];
  // Nobody else's child may hold the writing end: this one's last word would be waited for until that one
  // ends.
  static std::mutex one_at_a_time;
  std::unique_lock lock(one_at_a_time);
  if (::pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  const auto child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    ::close(ends[0]);
    ::alarm(seconds_at_most);
    std::string said;
    try {
      said = play();
    } catch (const std::exception& e) {
      said = fmt::format("exception: {}", e.what());
    }
    write_all(ends[1], said);
    ::_exit(0);
  }
  ::close(ends[1]);
  lock.unlock();
  std::string said;
  char buffer[4096];
  for (;;) {
    const auto n = ::read(ends[0], buffer, sizeof buffer);
    if (n <= 0) break;
    said.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) {
    if (WTERMSIG(status) == SIGALRM) return fmt::format("not done after {} s", seconds_at_most);
    return fmt::format("crash: {}", ::strsignal(WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) != 0) return fmt::format("ended with {}", WEXITSTATUS(status));
  return said;
}

void share_out(std::size_t count, unsigned jobs, const std::function<void(std::size_t)>& play) {
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(jobs, 1U); ++i) {
    threads.emplace_back([&] {
      for (auto at = next++; at < count; at = next++) play(at);
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace rollcall::simulation
