// Asks the API server of Kubernetes as a pod does: HTTPS over HTTP/1.1 on one connection that is kept, with
// the service account's token, both files read again each time they are used (they are replaced while we
// run). Every step has a limit: a paused server accepts TCP and never shakes hands.
//
//   ask(request): one answer, whole.   open(request), line() ...: a watch.
//   One at a time. After stop() whatever waits ends.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/system/result.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rollcall::discovery {

namespace asio = boost::asio;

// Where it is, and who we are there.
struct api_server {
  api_server() = default;
  api_server(std::string h, std::uint16_t p) : host(std::move(h)), port(p) {}
  std::string host;  // an address, or a name
  std::uint16_t port = 443;
  std::string folder = "/var/run/secrets/kubernetes.io/serviceaccount";  // token, ca.crt, namespace

  std::string authority() const;  // host:port, an IPv6 address in brackets
};

// The pod's own namespace, and why not.
boost::system::result<std::string> own_namespace(const api_server&);

struct api_limits {
  std::chrono::milliseconds connect{5'000}, tls{10'000}, head{30'000}, answer{30'000};
};

struct api_request {
  std::string method = "GET";
  std::string target;
  std::string body{};
  std::size_t max_answer = 1U << 20;  // of a watch: of one line
};

struct api_reply {
  unsigned status = 0;
  std::optional<std::chrono::seconds> retry_after{};
  std::string body{};
};

// No answer: a sentence that names the server and the step.
struct api_failure {
  bool timed_out = false;
  std::string text;
};

template <class T>
using api_result = boost::system::result<T, api_failure>;

// Addresses of a name; empty: none, and `why`.
struct api_addresses {
  std::vector<asio::ip::address> addresses;
  std::string why;
};
using api_resolve = std::function<asio::awaitable<api_addresses>(std::string host)>;

class api_client {
 public:
  api_client(asio::io_context&, api_server, api_resolve, api_limits = {});
  ~api_client();
  api_client(const api_client&) = delete;
  api_client& operator=(const api_client&) = delete;

  // 401: the token is read again and the request made once more. A kept connection that turns out to be
  // closed is replaced once.
  asio::awaitable<api_result<api_reply>> ask(api_request);
  // Until the head. With 200, lines follow; else the reply is whole.
  asio::awaitable<api_result<api_reply>> open(api_request);
  // The next line of the watch; nothing when it ended as it should.
  asio::awaitable<api_result<std::optional<std::string>>> line(std::chrono::milliseconds silence);
  // Without waiting: what ask() or line() waits for ends with a failure.
  void stop();
  // The connection is not used again.
  void hang_up();

  const api_server& server() const noexcept;

 private:
  struct implementation;
  std::shared_ptr<implementation> implementation_;
};

}  // namespace rollcall::discovery
