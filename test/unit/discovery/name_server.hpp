// A name server in the test's own process, on UDP and TCP of one loopback port: it answers with whatever
// bytes a test wants, late, wrong, cut short or not at all (RFC 1035 4).
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace rollcall::discovery::testing {

namespace asio = boost::asio;
using bytes = std::vector<unsigned char>;

enum : std::uint16_t { type_a = 1, type_aaaa = 28, type_srv = 33 };
enum : unsigned { rcode_formerr = 1, rcode_servfail = 2, rcode_nxdomain = 3, rcode_refused = 5 };

struct question {
  std::uint16_t id = 0;
  std::string name;  // as asked, with the final dot
  std::uint16_t type = 0;
  bool tcp = false;
  bool edns = false;
  bytes section;  // the question section, to be echoed
  std::function<void(bytes)> reply;
};

inline void PrintTo(const question& each, std::ostream* out) {
  *out << each.name << ' ' << each.type;
}

// An answer to `question`, built record by record.
class message {
 public:
  explicit message(const question& asked, unsigned rcode = 0) : asked_(asked), id_(asked.id), rcode_(rcode) {}
  message& srv(const std::string& target, std::uint16_t port = 4370, std::uint16_t priority = 0);
  message& a(const std::string& address);
  message& aaaa(const std::string& address);
  // What follows it belongs to its target.
  message& cname(const std::string& target);
  message& raw(std::uint16_t type, const bytes& data);
  message& truncated() { return truncated_ = true, *this; }
  message& id(std::uint16_t id) { return id_ = id, *this; }
  bytes build() const;

 private:
  const question& asked_;
  std::uint16_t id_;
  unsigned rcode_;
  bool truncated_ = false;
  std::uint16_t count_ = 0;
  bytes answers_;
  bytes owner_;  // of the next record; empty: the name asked for
};

bytes encode_name(const std::string& name);

class name_server {
 public:
  explicit name_server(asio::io_context&, const std::string& address = "127.0.0.1", std::uint16_t port = 0);
  ~name_server();

  asio::ip::udp::endpoint endpoint() const { return udp_.local_endpoint(); }
  // How many questions of that type came, over UDP and TCP.
  std::size_t asked(std::uint16_t type) const;
  std::vector<std::string> names(std::uint16_t type) const;

  std::function<void(const question&)> on_question;  // calls question.reply, now or later or never
  std::vector<question> questions;

 private:
  void take(bytes, bool tcp, std::function<void(bytes)> reply);
  void receive();
  void accept();

  asio::ip::udp::socket udp_;
  asio::ip::tcp::acceptor tcp_;
  asio::ip::udp::endpoint sender_;
  bytes buffer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Runs the context until the coroutine ended; fails the test after the limit.
template <class T>
T run(asio::io_context& context, asio::awaitable<T> what,
      std::chrono::milliseconds limit = std::chrono::seconds(20)) {
  std::optional<T> value;
  asio::co_spawn(context, std::move(what), [&value](std::exception_ptr problem, T result) {
    if (problem) std::rethrow_exception(problem);
    value = std::move(result);
  });
  context.restart();
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!value) {
    if (context.run_one_until(end) == 0 && !value) {
      ADD_FAILURE() << "nothing came within the limit";
      return T{};
    }
  }
  return std::move(*value);
}

}  // namespace rollcall::discovery::testing
