// How many lines one member may cause: what changes all the time fills a disk, and hides what matters.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>

namespace rollcall::app {

class line_limit {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::size_t most = 20;  // lines of one member in each window
  static constexpr std::chrono::minutes window{1};
  static constexpr std::size_t max_members = 4096;

  enum class verdict {
    write,
    write_and_say_so,  // the last one of this window
    leave_out,
  };
  verdict ask(const std::string& member, time_point now);

 private:
  struct count {
    time_point begun;
    std::size_t lines = 0;
  };
  std::map<std::string, count> members_;
};

}  // namespace rollcall::app
