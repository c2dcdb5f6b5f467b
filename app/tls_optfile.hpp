// The nodes' own file of options for TLS (-ssl_dist_optfile): [{server, [...]}, {client, [...]}].
// https://www.erlang.org/doc/apps/ssl/ssl_distribution.html ("Specifying TLS Options")
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::app {

struct tls_optfile {
  struct side {
    std::optional<std::string> certfile, keyfile, cacertfile, password;
    std::optional<bool> verify, fail_if_no_peer_cert;
    std::optional<std::vector<std::string>> versions;
    std::optional<int> depth;
  };
  side server, client;              // of who is dialled, of who dials
  std::vector<std::string> unused;  // options that say nothing here, such as "server: ciphers"
};

// Absent: `problem` says what is wrong, as a phrase.
std::optional<tls_optfile> read_tls_optfile(std::string_view text, std::string& problem);

}  // namespace rollcall::app
