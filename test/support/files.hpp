// A directory of a test's own, gone with it; whole files read and written.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace rollcall::test {

class temporary_directory {
 public:
  temporary_directory();
  ~temporary_directory();
  temporary_directory(temporary_directory&& other) noexcept;
  temporary_directory& operator=(temporary_directory&& other) noexcept;

  const std::filesystem::path& path() const noexcept { return path_; }
  // Writes (or replaces, atomically) a file in it and gives its path.
  std::string write(std::string_view name, std::string_view content, unsigned mode = 0600) const;

 private:
  std::filesystem::path path_;
};

// Empty when there is no such file.
std::string read_file(const std::filesystem::path&);

}  // namespace rollcall::test
