// Being known by name on this machine: registered with its port mapper for as long as we live, or being that
// port mapper. kernel erl_epmd.erl: register, keep the connection, register again every 2 s once it is lost.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include "cnode/connection.hpp"
#include "cnode/node.hpp"
#include "cnode/port_mapper.hpp"

namespace rollcall::cnode {

class registration_keeper {
 public:
  // Told of changes only, never the same thing twice in a row.
  using told_function = std::function<void(boost::system::error_code, std::string)>;

  registration_keeper(asio::io_context&, epmd::registration, port_mapper_mode, std::uint16_t port_mapper_port,
                      told_function);

  // Until cancelled or stop().
  asio::awaitable<void> run();
  // The first attempt ended, well or not. The creation is the one the port mapper gave, when it gave one.
  bool settled() const noexcept { return settled_; }
  std::optional<std::uint32_t> creation() const noexcept { return creation_; }
  asio::steady_timer& settled_timer() noexcept { return settled_timer_; }
  void stop();
  // Gives the name back without stopping to be this machine's port mapper, when we are that; or takes it
  // again.
  void withdraw(bool now);

 private:
  struct attempt {
    boost::system::error_code code;
    std::uint32_t creation = 0;
  };
  asio::awaitable<attempt> enrol(tcp::socket&);
  bool serve();
  void tell(boost::system::error_code, std::string);
  void settle();

  asio::io_context& io_;
  epmd::registration entry_;
  port_mapper_mode mode_;
  std::uint16_t port_;
  told_function told_;
  tcp::socket socket_;
  asio::steady_timer pause_, settled_timer_;
  std::optional<port_mapper> own_;
  std::optional<std::uint32_t> creation_;
  std::optional<boost::system::error_code> last_told_;
  bool settled_ = false, stopped_ = false, withdrawn_ = false;
};

}  // namespace rollcall::cnode
