// The shared cookie: from a file (several lines while it is rotated), ROLLCALL_COOKIE, or ~/.erlang.cookie,
// created as `erl` does (20 capital letters, mode 0400) when it is missing. Never printed, logged or put in
// an error.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "app/configuration.hpp"

namespace rollcall::app {

inline constexpr std::size_t max_cookie_length = 255;
inline constexpr std::size_t max_cookies = 8;

class cookie_jar {
 public:
  // What is done about a file that is there and empty, as a Secret may be that somebody has yet to fill.
  enum class empty_file { is_an_error, may_be_filled };

  // Throws configuration_error: no such file, empty, not readable, a cookie of more than max_cookie_length
  // bytes or with characters Erlang refuses, ~/.erlang.cookie accessible to group or others.
  cookie_jar(const configuration&, const environment&, empty_file = empty_file::is_an_error);

  // None while a file that may be filled is empty; problem() says so then.
  const std::vector<std::string>& cookies() const noexcept { return cookies_; }
  const std::string& problem() const noexcept { return last_problem_; }
  // Looks at the file again (cheap: stat first). True when cookies() changed. A file that went away or became
  // unreadable keeps the last cookies; `problem` then says so, once.
  bool refresh(std::string& problem);

 private:
  bool look();

  std::string path_;  // empty when the cookie came from the environment
  std::vector<std::string> cookies_;
  std::string last_problem_;
  long long modified_ns_ = 0, changed_ns_ = 0;
  long long size_ = -1;
  unsigned long long inode_ = 0;
};

}  // namespace rollcall::app
