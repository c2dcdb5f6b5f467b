// A directory of a test's own; whole files read and written.
#include "test/support/files.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace rollcall::test {

temporary_directory::temporary_directory() {
  auto pattern = (std::filesystem::temp_directory_path() / "rollcall-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::system_error(errno, std::generic_category(), pattern);
  path_ = pattern;
}

temporary_directory::~temporary_directory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

temporary_directory::temporary_directory(temporary_directory&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

temporary_directory& temporary_directory::operator=(temporary_directory&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

std::string temporary_directory::write(std::string_view name, std::string_view content, unsigned mode) const {
  const auto path = path_ / name;
  const auto fresh = path.string() + ".new";
  {
    std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
    file << content;
    if (!file.flush()) throw std::runtime_error("cannot write " + fresh);
  }
  std::filesystem::permissions(fresh, static_cast<std::filesystem::perms>(mode));
  std::filesystem::rename(fresh, path);
  return path.string();
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace rollcall::test
