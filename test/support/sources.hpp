// Files of this repository, for the tests that hold them against something.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

#include "test/support/files.hpp"

namespace rollcall::test {

inline const std::filesystem::path repository = ROLLCALL_SOURCE_DIR;

inline std::string source(const std::filesystem::path& path) {
  auto text = read_file(repository / path);
  if (text.empty()) throw std::runtime_error(path.string() + " is missing");
  return text;
}

}  // namespace rollcall::test
