// Files that are read at the start and again when they change: certificates, keys, passwords.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rollcall::app {

class watched_files {
 public:
  // Reads it, and watches it from now on. `what` it is for people; a sentence about what is wrong, else
  // empty.
  std::string read(const std::string& path, std::string_view what, std::string& into);
  // Whether one of them is another one than when it was read. Cheap: stat only.
  bool changed() const;
  void clear() { watched_.clear(); }

 private:
  struct look {
    long long modified_ns = 0, changed_ns = 0, size = -1;
    unsigned long long inode = 0;
    bool operator==(const look&) const = default;
  };
  struct watched {
    std::string path;
    look seen;
  };
  static look look_at(const std::string& path);

  std::vector<watched> watched_;
};

}  // namespace rollcall::app
