// TLS as nodes speak it among each other (-proto_dist inet_tls): what is shown, what is believed.
// https://www.erlang.org/doc/apps/ssl/ssl_distribution.html; ssl inet_tls_dist.erl.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

struct ssl_ctx_st;

namespace rollcall::cnode {

// All of it PEM. The nodes' own file says it for each direction apart.
struct tls_side {
  std::string certificates;  // the own one first, then those between it and its CA; empty: none is shown
  std::string key;
  std::string password;     // of the key
  std::string authorities;  // whose certificates are believed
  bool verify = true;
  bool certificate_required = true;  // of those who dial us, when `verify`
  bool version_1_2 = true, version_1_3 = true;
  std::optional<int> depth{};  // of certificates between a peer's and its CA
};
struct tls_settings {
  tls_side dialling, accepting;
};

// Never changed once made: a link keeps what it began with.
class tls {
 public:
  enum class role { dialling, accepting };
  struct period {
    std::chrono::system_clock::time_point begin, end;
  };

  // Absent: `problem` is a phrase with what is wrong, and never holds anything of a key.
  static std::shared_ptr<const tls> make(const tls_settings&, std::string& problem);

  ssl_ctx_st* context(role) const noexcept;
  // Of our own certificates, the one that ends first; absent without one.
  const std::optional<period>& valid() const noexcept { return valid_; }

 private:
  using context_pointer = std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)>;
  tls(context_pointer dialling, context_pointer accepting, std::optional<period>);
  context_pointer dialling_, accepting_;
  std::optional<period> valid_;
};

}  // namespace rollcall::cnode
