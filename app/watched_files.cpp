#include "app/watched_files.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "app/printable.hpp"

namespace rollcall::app {
namespace {

constexpr std::size_t max_file = 1U << 20;

}  // namespace

// A Secret's file is a link that is swapped: stat follows it and sees another inode.
watched_files::look watched_files::look_at(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  const auto in_ns = [](const timespec& at) { return at.tv_sec * 1'000'000'000LL + at.tv_nsec; };
  return {in_ns(status.st_mtim), in_ns(status.st_ctim), status.st_size, status.st_ino};
}

bool watched_files::changed() const {
  return std::ranges::any_of(watched_, [](const watched& file) { return look_at(file.path) != file.seen; });
}

std::string watched_files::read(const std::string& path, std::string_view what, std::string& into) {
  watched_.push_back({path, look_at(path)});
  std::error_code code;
  // A pipe would be waited for.
  const bool regular = std::filesystem::is_regular_file(path, code);
  if (code) return fmt::format("{} {} cannot be read: {}", what, printable(path), code.message());
  if (!regular) return fmt::format("{} {} is not a regular file", what, printable(path));
  if (std::filesystem::file_size(path, code) > max_file) {
    return fmt::format("{} {} is larger than {} bytes: is it the right file?", what, printable(path),
                       max_file);
  }
  std::ifstream file(path, std::ios::binary);
  into.assign(std::istreambuf_iterator<char>(file), {});
  if (file.bad() || !file.is_open()) {
    return fmt::format("{} {} cannot be read: {}", what, printable(path),
                       std::error_code(errno, std::generic_category()).message());
  }
  return {};
}

}  // namespace rollcall::app
