// What is asked of the API server next, from what it said last: list, watch, or wait. Pure; the client
// (kubernetes.cpp) carries it out.
//
//   start: list ---------> watch ---------> watch ...          (an orderly end: again, from where it was)
//            ^              | 410 Gone, as a status or as an ERROR line: list, from the version we have
//            |              | nothing at all for `silence`: list without a version, and whatever version it
//            +--------------+   has is right: a watch from a version that the server has not reached (its
//            etcd
//                               was restored) answers 200 and is deaf from then on
//   any failure: a pause, then the same again
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>

#include "discovery/endpoint_slice.hpp"

namespace rollcall::discovery {

enum class list_reason { start, gone, silent, error };
inline constexpr std::size_t list_reason_count = 4;
std::string_view to_string(list_reason) noexcept;

class watch_plan {
 public:
  using milliseconds = std::chrono::milliseconds;
  using time_point = std::chrono::steady_clock::time_point;

  // A watch says something every minute (bookmarks), where the server has anything to say at all.
  static constexpr std::chrono::seconds silence{120};
  static constexpr milliseconds first_pause{800}, longest_pause{30'000};
  static constexpr std::chrono::minutes quiet{2};  // so long without a failure: the next is the first again
  static constexpr std::chrono::seconds longest_retry_after{120};
  static constexpr std::chrono::seconds shortest_watch{300}, longest_watch{600};  // timeoutSeconds
  static constexpr std::chrono::seconds brief{1};  // a watch that ends so soon without a line is no watch
  static constexpr int failures_before_list = 3;   // of a watch in a row

  struct step {
    enum class kind { list, watch, pause };
    kind what = kind::list;
    std::string version{};  // of list and watch; a list may have none
    list_reason why = list_reason::start;
    milliseconds pause{0};
    std::chrono::seconds timeout{0};  // of watch: when the server ends it
  };

  explicit watch_plan(std::uint32_t seed) : random_(seed) {}

  step next();

  void listed(std::string version);
  void saw(const std::string& version);  // of a line of the watch
  // An HTTP status that is not 200, or an ERROR line. `watching`: of a watch.
  void refused(const api_status&, bool watching, std::optional<std::chrono::seconds> retry_after, time_point);
  // Nothing came, or it broke off, or it could not be understood.
  void failed(bool watching, time_point);
  void unreadable(time_point);  // a line of the watch was: what it said is only in a list
  void ended(milliseconds lasted, bool any_line, time_point);  // the last chunk came
  void fell_silent();

  const std::string& version() const noexcept { return version_; }

 private:
  void pause(time_point, std::optional<std::chrono::seconds> retry_after = {});
  void list(std::string version, list_reason);

  std::minstd_rand random_;
  std::string version_;             // the last one heard of
  bool watching_ = false;           // what is next, once the pause is over
  std::string list_version_ = "0";  // served from the server's cache
  list_reason why_ = list_reason::start;
  milliseconds pause_{0};
  unsigned failures_ = 0;
  int watch_failures_ = 0;
  int gone_ = 0;  // in a row, without a line in between
  std::optional<time_point> last_failure_;
};

}  // namespace rollcall::discovery
