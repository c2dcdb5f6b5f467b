// https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html ("EPMD Protocol"): asking first, then serving.
#include "cnode/port_mapper.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <list>
#include <map>
#include <set>

#include "cnode/connection.hpp"
#include "cnode/timed_socket.hpp"

namespace rollcall::cnode {
namespace {

constexpr std::size_t largest_port_reply = 1024;
constexpr std::chrono::milliseconds request_limit{5'000};
constexpr std::size_t max_asking = 512, max_registrations = 512;

// Connects and writes one request; the answer is for the caller to read.
asio::awaitable<result<void>> put_question(timed_socket& connection, tcp::endpoint mapper,
                                           byte_string question) {
  {
    const auto [code] = co_await connection.socket.async_connect(mapper, as_result);
    if (code) co_return connection.failure(code);
  }
  const auto [code, size] = co_await asio::async_write(connection.socket, asio::buffer(question), as_result);
  if (code) co_return connection.failure(code);
  co_return result<void>{};
}

}  // namespace

asio::awaitable<result<std::uint16_t>> ask_port(tcp::endpoint mapper, std::string alive,
                                                std::chrono::milliseconds limit) {
  const auto connection = timed_socket::make(co_await asio::this_coro::executor, limit);
  const auto asked = co_await put_question(*connection, mapper, epmd::encode_port_please(alive));
  if (!asked) co_return asked.error();
  byte_string reply;
  std::array<char, 256> chunk{};
  while (true) {
    const auto [code, size] = co_await connection->socket.async_read_some(asio::buffer(chunk), as_result);
    if (code) co_return connection->failure(code);
    reply.append(chunk.data(), size);
    const auto decoded = epmd::decode_port_reply(reply);
    if (!decoded) co_return decoded.error();
    if (*decoded) co_return (*decoded)->port;
    if (reply.size() > largest_port_reply) co_return make_error_code(error::bad_reply);
  }
}

asio::awaitable<result<std::vector<epmd::name_entry>>> ask_names(tcp::endpoint mapper,
                                                                 std::chrono::milliseconds limit) {
  const auto connection = timed_socket::make(co_await asio::this_coro::executor, limit);
  const auto asked = co_await put_question(*connection, mapper, epmd::encode_names());
  if (!asked) co_return asked.error();
  byte_string reply;
  std::array<char, 1024> chunk{};
  while (true) {
    const auto [code, size] = co_await connection->socket.async_read_some(asio::buffer(chunk), as_result);
    if (code == asio::error::eof) break;
    if (code) co_return connection->failure(code);
    reply.append(chunk.data(), size);
    if (reply.size() > epmd::max_names_reply) co_return make_error_code(error::bad_reply);
  }
  co_return epmd::decode_names_reply(reply);
}

// ---- serving

class port_mapper::implementation : public std::enable_shared_from_this<implementation> {
 public:
  implementation(asio::io_context& io, std::uint16_t port)
      : io_(io), acceptor_(io), port_(port), creation_(random_word()) {}

  result<void> start() {
    if (const auto code = listen_on(acceptor_, port_)) return code;
    boost::system::error_code ignored;
    port_ = acceptor_.local_endpoint(ignored).port();
    asio::co_spawn(io_, accept(shared_from_this()), &implementation::ended);
    return {};
  }

  void stop() {
    stopped_ = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    for (const auto& connection : asking_) connection->close();
    for (const auto& connection : keeping_) connection->close();
  }

  bool put(const epmd::registration& entry) {
    own_ = entry;
    return registered_.try_emplace(entry.alive, entry).second;
  }
  void remove() {
    if (!own_) return;
    forget(own_->alive, own_->port);
    own_.reset();
  }

 private:
  using self = std::shared_ptr<implementation>;
  // A connection's coroutine handles every network error itself; what is left is running out of memory, and
  // then that connection is gone and its registration with it.
  static void ended(const std::exception_ptr&) {}

  static asio::awaitable<void> accept(self server) {
    while (!server->stopped_) {
      auto [code, socket] = co_await server->acceptor_.async_accept(as_result);
      if (server->stopped_) co_return;
      if (code) {
        asio::steady_timer pause(server->io_, std::chrono::milliseconds(100));
        co_await pause.async_wait(as_result);
        continue;
      }
      // An answer takes a moment: nobody keeps a node that starts from registering by standing still.
      if (server->asking_.size() >= max_asking) {
        server->asking_.front()->expire();
        server->asking_.pop_front();
      }
      const auto connection = timed_socket::make(std::move(socket), request_limit);
      server->asking_.push_back(connection);
      asio::co_spawn(server->io_, serve(server, connection), [server, connection](const std::exception_ptr&) {
        connection->close();
        std::erase(server->asking_, connection);
        server->keeping_.erase(connection);
      });
    }
  }

  static asio::awaitable<void> serve(self server, std::shared_ptr<timed_socket> connection) {
    auto& socket = connection->socket;
    std::array<std::uint8_t, 2> prefix{};
    {
      const auto [code, size] = co_await asio::async_read(socket, asio::buffer(prefix), as_result);
      if (code) co_return;
    }
    const std::size_t length = (std::size_t{prefix[0]} << 8U) | prefix[1];
    if (length > epmd::max_request) co_return;
    byte_string body(length, '\0');
    {
      const auto [code, size] = co_await asio::async_read(socket, asio::buffer(body), as_result);
      if (code) co_return;
    }
    auto request = epmd::decode_request(body);
    if (!request) co_return;
    if (auto* registration = std::get_if<epmd::registration>(&*request)) {
      co_await keep_registered(server, connection, std::move(*registration));
      co_return;
    }
    byte_string reply;
    if (const auto* please = std::get_if<epmd::port_please>(&*request)) {
      const auto found = server->registered_.find(please->alive);
      reply = epmd::encode_port_reply(found == server->registered_.end() ? nullptr : &found->second);
    } else {
      std::vector<epmd::name_entry> names;
      for (const auto& [name, entry] : server->registered_) names.push_back({name, entry.port});
      reply = epmd::encode_names_reply(server->port_, names);
    }
    co_await asio::async_write(socket, asio::buffer(reply), as_result);
  }

  static asio::awaitable<void> keep_registered(self server, std::shared_ptr<timed_socket> connection,
                                               epmd::registration entry) {
    auto& socket = connection->socket;
    boost::system::error_code ignored;
    const auto remote = socket.remote_endpoint(ignored).address();
    const bool local = remote.is_loopback() ||
                       (remote.is_v6() && remote.to_v6().is_v4_mapped() &&
                        asio::ip::make_address_v4(asio::ip::v4_mapped, remote.to_v6()).is_loopback());
    const auto name = entry.alive;
    const auto port = entry.port;
    const bool welcome = local && server->registered_.size() < max_registrations &&
                         server->registered_.try_emplace(name, std::move(entry)).second;
    const auto creation = server->next_creation();
    {
      const auto reply = epmd::encode_alive_reply(welcome, creation);
      co_await asio::async_write(socket, asio::buffer(reply), as_result);
    }
    if (!welcome) co_return;
    connection->forever();
    std::erase(server->asking_, connection);
    server->keeping_.insert(connection);
    // Nothing more is said on it; its end is the end of the registration.
    std::array<char, 64> rest{};
    while (true) {
      const auto [code, size] = co_await socket.async_read_some(asio::buffer(rest), as_result);
      if (code) break;
    }
    server->forget(name, port);
    if (server->own_ && server->own_->alive == name) server->registered_.try_emplace(name, *server->own_);
  }

  void forget(const std::string& name, std::uint16_t port) {
    const auto held = registered_.find(name);
    if (held != registered_.end() && held->second.port == port) registered_.erase(held);
  }

  std::uint32_t next_creation() {
    // 0 to 3 are what nodes before OTP 23 used.
    if (++creation_ < 4) creation_ = 4;
    return creation_;
  }

  asio::io_context& io_;
  tcp::acceptor acceptor_;
  std::uint16_t port_;
  std::uint32_t creation_;
  bool stopped_ = false;
  std::map<std::string, epmd::registration> registered_;
  std::optional<epmd::registration> own_;
  std::list<std::shared_ptr<timed_socket>> asking_;  // the oldest first
  std::set<std::shared_ptr<timed_socket>> keeping_;  // of what is registered
};

port_mapper::port_mapper(asio::io_context& io, std::uint16_t port)
    : implementation_(std::make_shared<implementation>(io, port)) {}

port_mapper::~port_mapper() {
  stop();
}
result<void> port_mapper::start() {
  return implementation_->start();
}
void port_mapper::stop() {
  implementation_->stop();
}
bool port_mapper::put(const epmd::registration& entry) {
  return implementation_->put(entry);
}
void port_mapper::remove() {
  implementation_->remove();
}

}  // namespace rollcall::cnode
