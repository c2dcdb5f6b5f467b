// An HTTP server on loopback that answers each request by its path, one connection after the other, until it
// goes.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <optional>
#include <string>
#include <thread>

namespace rollcall::app {

class answering_server {
 public:
  // Gives the body for a path; nullopt: 404.
  using answers = std::function<std::optional<std::string>(const std::string& path)>;

  explicit answering_server(answers how) : how_(std::move(how)) {}
  answering_server(const answering_server&) = delete;
  answering_server& operator=(const answering_server&) = delete;
  ~answering_server() {
    if (!thread_.joinable()) return;
    ending_ = true;
    // Wakes an accept that nobody will satisfy.
    boost::system::error_code ignored;
    tcp::socket waker(context_);
    waker.connect(acceptor_.local_endpoint(), ignored);
    waker.close(ignored);
    thread_.join();
  }
  // Connections wait until it is started: a process that is forked before has no thread of it.
  void start() {
    thread_ = std::thread([this] { serve(); });
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }

 private:
  using tcp = boost::asio::ip::tcp;
  void serve() {
    while (!ending_) {
      boost::system::error_code failure;
      tcp::socket peer(context_);
      acceptor_.accept(peer, failure);
      std::string request;
      boost::asio::read_until(peer, boost::asio::dynamic_buffer(request), "\r\n\r\n", failure);
      if (failure) continue;
      const auto path = request.substr(4, request.find(' ', 4) - 4);  // GET
      const auto body = how_(path);
      boost::asio::write(
          peer,
          boost::asio::buffer(std::string(body ? "HTTP/1.1 200 OK" : "HTTP/1.1 404 Not Found") +
                              "\r\nContent-Length: " + std::to_string(body.value_or("").size()) + "\r\n\r\n" +
                              body.value_or("")),
          failure);
    }
  }
  answers how_;
  boost::asio::io_context context_;
  tcp::acceptor acceptor_{context_, tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0)};
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

}  // namespace rollcall::app
