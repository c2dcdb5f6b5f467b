#include "app/kept_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "app/plain_text.hpp"

namespace rollcall::app {
namespace {

struct descriptor {
  int number;
  ~descriptor() {
    if (number >= 0) ::close(number);
  }
};

std::string failure(std::string_view what, const std::string& path) {
  return fmt::format("{} {}: {}", what, path, std::strerror(errno));
}

}  // namespace

std::vector<std::string> kept_file::read(const std::function<void(std::string_view)>& take) {
  std::error_code code;
  const auto size = std::filesystem::file_size(path(), code);
  if (code == std::errc::no_such_file_or_directory || code == std::errc::not_a_directory) return {};
  if (code) return {set_aside(code.message())};
  if (size > max_size_) return {set_aside(fmt::format("it is larger than {} MiB", max_size_ >> 20U))};
  errno = 0;
  std::ifstream in(path(), std::ios::binary);
  if (!in) return {set_aside(std::strerror(errno))};
  const std::string text(std::istreambuf_iterator<char>(in), {});
  try {
    take(text);
  } catch (const std::exception& e) {
    return {set_aside(plain_text(e))};
  }
  return {};
}

std::string kept_file::set_aside(const std::string& problem) {
  std::error_code code;
  std::string aside;
  for (int number = 1; number < 100; ++number) {
    aside = fmt::format("{}.damaged-{}", path(), number);
    if (!std::filesystem::exists(aside, code)) break;
  }
  std::filesystem::rename(path(), aside, code);
  if (code) {
    not_to_be_lost_ = fmt::format("{} cannot be read ({}), and is not written over", path(), problem);
    return fmt::format("{} is damaged ({}) and could not be set aside: {}", path(), problem, code.message());
  }
  return fmt::format("{} is damaged ({}): it is now {}, and Rollcall starts without it", path(), problem,
                     aside);
}

std::string kept_file::write(std::string_view text) {
  if (!not_to_be_lost_.empty()) return not_to_be_lost_;
  std::error_code code;
  std::filesystem::create_directories(folder_, code);
  if (code) return fmt::format("{}: {}", folder_, code.message());
  const auto fresh = path() + ".new";
  {
    const descriptor file{::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640)};
    if (file.number < 0) return failure("cannot create", fresh);
    std::size_t done = 0;
    while (done < text.size()) {
      const auto wrote = ::write(file.number, text.data() + done, text.size() - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return failure("cannot write", fresh);
      done += static_cast<std::size_t>(wrote);
    }
    if (::fsync(file.number) != 0) return failure("cannot write", fresh);
  }
  if (::rename(fresh.c_str(), path().c_str()) != 0) return failure("cannot replace", path());
  const descriptor folder{::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.number >= 0) ::fsync(folder.number);
  return {};
}

}  // namespace rollcall::app
