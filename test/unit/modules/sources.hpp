// The repository's files, as the tests of documents and words read them.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace rollcall::test {

inline const std::filesystem::path root = ROLLCALL_SOURCE_DIR;

inline std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace rollcall::test
