// Bytes written as hexadecimal digits with white space between them, and corpus files: what the tables are
// made of.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

namespace rollcall::cnode::test {

inline std::string hex(std::string_view digits) {
  std::string out;
  int pending = -1;
  for (const char c : digits) {
    if (c == ' ' || c == '\n') continue;
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) throw std::invalid_argument("not a hexadecimal digit");
    if (pending < 0) {
      pending = digit;
    } else {
      out.push_back(static_cast<char>(pending << 4 | digit));
      pending = -1;
    }
  }
  if (pending >= 0) throw std::invalid_argument("half a byte");
  return out;
}

// "g@127.0.0.1" and "peer@127.0.0.1", as the node atoms in what was captured.
inline const std::string g_atom = hex("77 0b 67403132372e302e302e31");
inline const std::string peer_atom = hex("77 0e 70656572403132372e302e302e31");

// Name of the file and what it holds.
inline std::map<std::string, std::string> corpus(const std::string& decoder) {
  std::map<std::string, std::string> files;
  const auto folder = std::filesystem::path(ROLLCALL_SOURCE_DIR) / "test/fuzz/corpus" / decoder;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(entry.path(), std::ios::binary);
    files[entry.path().filename().string()] = {std::istreambuf_iterator<char>(in), {}};
  }
  if (files.empty()) throw std::runtime_error("no corpus in " + folder.string());
  return files;
}

}  // namespace rollcall::cnode::test
