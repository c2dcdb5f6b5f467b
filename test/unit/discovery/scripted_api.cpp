#include "test/unit/discovery/scripted_api.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "test/support/certificates.hpp"

namespace rollcall::discovery::testing {

using tcp = asio::ip::tcp;
namespace http = boost::beast::http;

namespace {

constexpr auto waiting = asio::as_tuple(asio::use_awaitable);

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

std::string api_call::parameter(const std::string& name) const {
  const auto at = target.find("&" + name + "=");
  if (at == std::string::npos) return "-";
  const auto begin = at + name.size() + 2;
  return target.substr(begin, target.find('&', begin) - begin);
}

struct scripted_api::session {
  session(tcp::socket socket, asio::ssl::context& tls, std::size_t n)
      : stream(std::move(socket), tls), wake(stream.get_executor()), number(n) {}
  asio::ssl::stream<tcp::socket> stream;
  asio::steady_timer wake;
  std::string out;
  std::size_t number;
  bool over = false;

  void close() {
    over = true;
    wake.cancel();
    boost::system::error_code ignored;
    stream.lowest_layer().close(ignored);
  }
};

scripted_api::scripted_api(asio::io_context& io)
    : io_(io), tls_(asio::ssl::context::tls_server), acceptor_(io, {asio::ip::address_v4::loopback(), 0}) {
  port_ = acceptor_.local_endpoint().port();
  static int count = 0;
  folder_ = (std::filesystem::temp_directory_path() / fmt::format("scripted-api-{}-{}", getpid(), ++count))
                .string();
  std::filesystem::create_directories(folder_);
  static const test::authority signer("scripted-api");
  static const auto own = signer.issue({.names = "IP:127.0.0.1,DNS:api.test"});
  tls_.use_certificate(asio::buffer(own.text), asio::ssl::context::pem);
  tls_.use_private_key(asio::buffer(own.key), asio::ssl::context::pem);
  write(folder_ + "/ca.crt", signer.text());
  write(folder_ + "/namespace", "shop");
  write_token("first-token");
  answer = [](const api_call&) { return json(500, "nobody told what to say"); };
  accept();
}

scripted_api::~scripted_api() {
  *alive_ = false;
  for (const auto& each : sessions_) {
    if (const auto one = each.lock()) one->close();
  }
  std::filesystem::remove_all(folder_);
}

api_server scripted_api::server() const {
  api_server where("127.0.0.1", port_);
  where.folder = folder_;
  return where;
}

void scripted_api::write_token(const std::string& token) const {
  write(folder_ + "/token", token);
}

void scripted_api::restart(bool listening) {
  for (const auto& each : sessions_) {
    if (const auto one = each.lock()) one->close();
  }
  if (acceptor_.is_open()) acceptor_.close();
  if (!listening) return;
  const tcp::endpoint at(asio::ip::address_v4::loopback(), port_);
  acceptor_.open(at.protocol());
  acceptor_.set_option(tcp::acceptor::reuse_address(true));
  acceptor_.bind(at);
  acceptor_.listen();
  accept();
}

std::size_t scripted_api::lists() const {
  return static_cast<std::size_t>(std::ranges::count_if(calls, [](const auto& each) { return each.list(); }));
}
std::size_t scripted_api::watches() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(calls, [](const auto& each) { return each.watch(); }));
}

void scripted_api::accept() {
  acceptor_.async_accept([this, alive = alive_](boost::system::error_code code, tcp::socket socket) {
    if (!*alive || code) return;
    const auto made = std::make_shared<session>(std::move(socket), tls_, ++connections);
    sessions_.push_back(made);
    asio::co_spawn(io_, serve(made), asio::detached);
    accept();
  });
}

asio::awaitable<void> scripted_api::serve(std::shared_ptr<session> on) {
  const auto alive = alive_;
  if (!shakes_hands) {
    on->wake.expires_at(asio::steady_timer::time_point::max());
    co_await on->wake.async_wait(waiting);
    co_return;
  }
  const auto [failed] = co_await on->stream.async_handshake(asio::ssl::stream_base::server, waiting);
  if (failed || !*alive) co_return;
  boost::beast::flat_buffer buffer;
  while (true) {
    http::request<http::string_body> request;
    const auto [broken, size] = co_await http::async_read(on->stream, buffer, request, waiting);
    if (broken || !*alive) co_return;
    std::string token(request[http::field::authorization]);
    if (token.starts_with("Bearer ")) token.erase(0, 7);
    calls.push_back({std::string(request.method_string()), std::string(request.target()), token,
                     request.body(), on->number});
    const auto response = answer(calls.back());
    on->out = response.bytes;
    if (response.after == api_response::then::stream) open_ = on;
    while (true) {
      if (!on->out.empty()) {
        const auto bytes = std::exchange(on->out, {});
        const auto [lost, count] = co_await asio::async_write(on->stream, asio::buffer(bytes), waiting);
        if (lost || !*alive) co_return;
        if (response.after == api_response::then::stream && bytes.ends_with("0\r\n\r\n")) break;
        continue;
      }
      if (response.after == api_response::then::next) break;
      if (response.after == api_response::then::close) {
        on->close();
        co_return;
      }
      on->wake.expires_at(asio::steady_timer::time_point::max());
      co_await on->wake.async_wait(waiting);
      if (!*alive || on->over) co_return;
    }
    open_.reset();
  }
}

void scripted_api::stream(const std::string& bytes) {
  const auto on = open_.lock();
  if (!on) throw std::runtime_error("no watch is open");
  on->out += bytes;
  on->wake.cancel();
}

void scripted_api::cut() {
  if (const auto on = open_.lock()) on->close();
}

std::string scripted_api::another_certificate() {
  return test::authority("another").text();
}

std::string scripted_api::chunk(const std::string& bytes) {
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

api_response scripted_api::json(unsigned status, const std::string& body, const std::string& head) {
  return {fmt::format(
      "HTTP/1.1 {} Some Words\r\nContent-Type: application/json\r\n{}Content-Length: {}\r\n\r\n{}", status,
      head, body.size(), body)};
}

api_response scripted_api::watching(const std::vector<std::string>& lines) {
  std::string bytes =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto& each : lines) bytes += chunk(each + "\n");
  return {bytes, api_response::then::stream};
}

std::string scripted_api::status(unsigned code, const std::string& reason, const std::string& message) {
  return fmt::format(
      R"({{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"{}","reason":"{}","code":{}}})",
      message, reason, code);
}

std::string slice_json(const std::string& name, const std::string& version, const std::vector<pod>& pods) {
  std::string endpoints;
  for (const auto& each : pods) {
    const auto hostname =
        each.hostname.empty() ? std::string() : fmt::format(R"("hostname":"{}",)", each.hostname);
    endpoints += fmt::format(
        R"({}{{"addresses":["{}"],"conditions":{{"ready":{},"serving":{},"terminating":{}}},{}"nodeName":"{}",)"
        R"("targetRef":{{"kind":"Pod","namespace":"shop","name":"{}","uid":"{}"}},"zone":"{}"}})",
        endpoints.empty() ? "" : ",", each.address, each.ready, each.serving, each.terminating, hostname,
        each.machine, each.name, each.uid.empty() ? "uid-" + each.name : each.uid, each.zone);
  }
  return fmt::format(
      R"({{"kind":"EndpointSlice","metadata":{{"name":"{}","namespace":"shop","resourceVersion":"{}"}},)"
      R"("addressType":"IPv4","endpoints":{},"ports":null}})",
      name, version, pods.empty() ? "null" : "[" + endpoints + "]");
}

std::string list_json(const std::string& version, const std::vector<std::string>& slices) {
  std::string items;
  for (const auto& each : slices) items += (items.empty() ? "" : ",") + each;
  return fmt::format(R"({{"kind":"EndpointSliceList","metadata":{{"resourceVersion":"{}"}},"items":[{}]}})",
                     version, items);
}

std::string line_json(const std::string& type, const std::string& object) {
  return fmt::format(R"({{"type":"{}","object":{}}})", type, object);
}

std::string bookmark_json(const std::string& version) {
  return line_json(
      "BOOKMARK",
      fmt::format(R"({{"kind":"EndpointSlice","metadata":{{"resourceVersion":"{}"}},"endpoints":null}})",
                  version));
}

}  // namespace rollcall::discovery::testing
