// Whose passwords are taken (basic authentication, RFC 7617): names with hashes of crypt(3), as htpasswd
// writes them and as the basic_auth_users of Prometheus' web.yml have them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::http {

struct credentials {
  std::string name, password;
};
// Of the value of a field Authorization. Absent: it is of another scheme, or makes no sense.
std::optional<credentials> credentials_in(std::string_view authorization);

class passwords {
 public:
  // A line is NAME:HASH, or NAME: "HASH" below basic_auth_users:; # begins a comment. Absent: `problem` is a
  // phrase that names the line, and never the hash.
  static std::optional<passwords> parse(std::string_view text, std::string& problem);

  // Also for a name that is not there: what a guess at it is compared with, so that it takes as long.
  const std::string& hash_for(const std::string& name) const;
  bool knows(const std::string& name) const { return hashes_.contains(name); }

 private:
  std::map<std::string, std::string> hashes_;
};

}  // namespace rollcall::http
