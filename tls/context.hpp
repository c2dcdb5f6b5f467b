// What TLS shows and believes: with nodes (-proto_dist inet_tls), and as a server of HTTP, which only
// accepts. https://www.erlang.org/doc/apps/ssl/ssl_distribution.html; ssl inet_tls_dist.erl.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

struct ssl_ctx_st;

namespace rollcall::tls {

enum class role { dialling, accepting };

// All of it PEM. The nodes' own file says it for each direction apart.
struct side_settings {
  std::string certificates;  // the own one first, then those between it and its CA; empty: none is shown
  std::string key;
  std::string password;     // of the key
  std::string authorities;  // whose certificates are believed
  bool verify = true;
  bool certificate_required = true;  // of those who dial us, when `verify`
  bool version_1_2 = true, version_1_3 = true;
  std::optional<int> depth{};  // of certificates between a peer's and its CA
};
struct settings {
  side_settings dialling, accepting;
};

// Never changed once made: a connection keeps what it began with.
class context {
 public:
  struct period {
    std::chrono::system_clock::time_point begin, end;
  };

  // Absent: `problem` is a phrase with what is wrong, and never holds anything of a key.
  static std::shared_ptr<const context> make(const settings&, std::string& problem);

  ssl_ctx_st* of(role) const noexcept;
  // Of our own certificates, the one that ends first; absent without one.
  const std::optional<period>& valid() const noexcept { return valid_; }

 private:
  using context_pointer = std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)>;
  context(context_pointer dialling, context_pointer accepting, std::optional<period>);
  context_pointer dialling_, accepting_;
  std::optional<period> valid_;
};

}  // namespace rollcall::tls
