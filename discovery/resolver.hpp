// c-ares on Asio: one channel, sockets watched by the io_context, a timer re-armed from ares_timeout.
// Errors, empty answers and answers are told apart: that distinction is what the roster lives on.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/system/result.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::discovery {

namespace asio = boost::asio;
using std::chrono::milliseconds;

// How a question ended.
enum class query_outcome {
  ok,
  partial,  // records, and more that were not told: one family failed, the answer was cut short, or a name of
            // the search list that comes before it has no answer
  empty,
  nxdomain,
  servfail,
  timeout,
  error
};
std::string_view spoken(query_outcome) noexcept;  // for people

// Which addresses are asked for.
enum class address_family { both, v4, v6 };

struct srv_record {
  std::string target;  // lower case, without the trailing dot
  std::uint16_t port = 0, priority = 0, weight = 0;
  friend auto operator<=>(const srv_record&, const srv_record&) = default;
};

template <class T>
struct query_answer {
  query_outcome outcome = query_outcome::error;
  T records{};                                 // without duplicates, sorted; empty unless `ok` or `partial`
  std::string detail;                          // why, for an operator; empty when `ok`
  std::vector<std::string> dropped{};          // targets that are no host name, as they were read
  std::optional<address_family> unanswered{};  // addresses(): of a `partial` answer the family that failed
  std::optional<std::chrono::seconds> ttl{};   // how long the answer may be kept, when it says so
};

class resolver {
 public:
  struct options {
    std::optional<asio::ip::udp::endpoint> server;     // absent: resolv.conf's
    milliseconds timeout{2'000};                       // of a whole lookup, retries included
    std::optional<std::vector<std::string>> search{};  // absent: resolv.conf's
    std::string resolv_conf = "/etc/resolv.conf";      // read again when it changes
    std::uint16_t port = 53;                           // of the servers resolv.conf names
    bool tcp = false;                                  // ask over TCP only
    address_family family = address_family::both;
  };
  resolver(asio::io_context&, options);  // throws std::runtime_error when c-ares cannot start
  ~resolver();  // lookups still running end with `error`; before the io_context, as any Asio object
  resolver(const resolver&) = delete;
  resolver& operator=(const resolver&) = delete;

  // Both can be cancelled; a cancelled lookup ends at once, as `error`. A question that got no answer while
  // the server answered others has an eighth of the time from then on, and all of it every eighth time.
  // `until`: when the names of one search list share one lookup's time; absent: this one has it all.
  asio::awaitable<query_answer<std::vector<srv_record>>> srv(
      std::string domain, std::optional<std::chrono::steady_clock::time_point> until = {});
  // A and AAAA together: `ok` when either has addresses, `partial` when the other one failed. Literals and
  // the hosts file are honoured; a relative name is completed as a BEAM does, and the completion that worked
  // is remembered.
  asio::awaitable<query_answer<std::vector<asio::ip::address>>> addresses(std::string host);

  // `service` or `service.namespace` (`service.namespace.svc` too) completed from resolv.conf's search list,
  // most likely first; anything longer, or one that ends in a dot, as it stands. Labels such as `_dist._tcp.`
  // in front do not count. Always ends in a dot (no search-list multiplication, see docs/protocol.md).
  std::vector<std::string> candidates(std::string_view domain) const;
  const std::vector<std::string>& search() const noexcept;
  milliseconds limit() const noexcept;  // of a whole lookup

 private:
  struct implementation;
  std::shared_ptr<implementation> implementation_;
};

}  // namespace rollcall::discovery
