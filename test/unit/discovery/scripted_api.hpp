// An API server of Kubernetes in the test's own process: TLS with a certificate made for it, HTTP/1.1, and
// whatever a test wants it to say to each request, late, wrong, cut short or not at all.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "discovery/api_client.hpp"

namespace rollcall::discovery::testing {

struct api_call {
  std::string method, target, token, body;
  std::size_t connection = 0;  // which one it came on, from 1
  bool watch() const { return target.find("watch=1") != std::string::npos; }
  bool list() const { return method == "GET" && !watch(); }
  // A parameter of the target; "-" when it is not there.
  std::string parameter(const std::string& name) const;
};

struct api_response {
  std::string bytes;
  enum class then { next, close, stream, nothing } after = then::next;
};

class scripted_api {
 public:
  explicit scripted_api(asio::io_context&);
  ~scripted_api();

  // Where the client finds it: the folder has token, ca.crt and namespace.
  api_server server() const;
  void write_token(const std::string&) const;
  void restart(bool listening);  // connections end; nobody listens while it is false

  bool shakes_hands = true;
  std::function<api_response(const api_call&)> answer;
  std::vector<api_call> calls;
  std::size_t connections = 0;
  std::size_t lists() const, watches() const;

  // To the client whose watch is open: lines in chunks of their own; the orderly end; the connection's.
  void push(const std::string& line) { stream(chunk(line + "\n")); }
  void stream(const std::string& bytes);
  void end() { stream("0\r\n\r\n"); }
  void cut();
  bool watched() const { return !open_.expired(); }

  // Of an authority that did not sign this server.
  static std::string another_certificate();
  static std::string chunk(const std::string& bytes);
  static api_response json(unsigned status, const std::string& body, const std::string& head = {});
  // A watch that stays open, with these lines at once.
  static api_response watching(const std::vector<std::string>& lines = {});
  // A Status, as the server writes it.
  static std::string status(unsigned code, const std::string& reason, const std::string& message);

 private:
  struct session;
  void accept();
  asio::awaitable<void> serve(std::shared_ptr<session>);

  asio::io_context& io_;
  std::string folder_;
  asio::ssl::context tls_;
  asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::weak_ptr<session> open_;
  std::vector<std::weak_ptr<session>> sessions_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// One endpoint, one slice and a list of them as JSON.
struct pod {
  std::string address, name, machine = "node-1", zone = "zone-1";
  bool ready = true, terminating = false, serving = true;
  std::string hostname{}, uid{};
};
std::string slice_json(const std::string& name, const std::string& version, const std::vector<pod>& pods);
std::string list_json(const std::string& version, const std::vector<std::string>& slices);
std::string line_json(const std::string& type, const std::string& object);
std::string bookmark_json(const std::string& version);

}  // namespace rollcall::discovery::testing
