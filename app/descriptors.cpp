#include "app/descriptors.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

namespace rollcall::app {

descriptor_limit raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  descriptor_limit result{limit.rlim_cur, limit.rlim_cur};
  if (limit.rlim_cur >= limit.rlim_max) return result;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) result.now = limit.rlim_cur;
  return result;
}

bool out_of_descriptors() noexcept {
  const int one = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (one < 0) return errno == EMFILE || errno == ENFILE;
  ::close(one);
  return false;
}

bool without_a_descriptor(const boost::system::error_code& failed) noexcept {
  return failed == boost::system::errc::too_many_files_open ||
         failed == boost::system::errc::too_many_files_open_in_system || out_of_descriptors();
}

std::string out_of_descriptors_text() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return fmt::format("all {} file descriptors of this process are in use (ulimit -n, LimitNOFILE=)",
                     limit.rlim_cur);
}

}  // namespace rollcall::app
