// Every condition that a Rollcall raised at any time while this lives, asked for ten times a second.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "test/support/rollcall_program.hpp"

namespace rollcall::test {

class alarms {
 public:
  explicit alarms(const rollcall_program& rollcall)
      : thread_([this, &rollcall](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            const auto answer = rollcall.get("/api/v1/status");
            boost::system::error_code damaged;
            const auto status = boost::json::parse(answer.body, damaged);
            if (!damaged) note(status);
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
          }
        }) {}
  // Of those names, with the last sentence of each.
  std::map<std::string, std::string> of(const std::set<std::string>& names) {
    const std::lock_guard lock(mutex_);
    auto found = raised_;
    std::erase_if(found, [&](const auto& one) { return !names.contains(one.first); });
    return found;
  }
  int looks() {
    const std::lock_guard lock(mutex_);
    return looks_;
  }

 private:
  void note(const boost::json::value& status) {
    const std::lock_guard lock(mutex_);
    ++looks_;
    for (const auto& one : status.at("details").as_array())
      raised_.insert_or_assign(std::string(one.at("name").as_string()),
                               std::string(one.at("text").as_string()));
  }

  std::mutex mutex_;
  std::map<std::string, std::string> raised_;
  int looks_ = 0;
  std::jthread thread_;
};

// What an ordinary departure or deploy never raises.
inline const std::set<std::string> splits{"possible_split", "isolated", "netsplit"};

}  // namespace rollcall::test
