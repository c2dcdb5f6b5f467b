// What the nodes of a fleet say to those who watch them: the handshake as the side that is dialled, calls,
// probes, and the watcher that sends what changes.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bench/fleet/mesh.hpp"
#include "cnode/control.hpp"
#include "cnode/handshake.hpp"
#include "tls/context.hpp"

namespace rollcall::bench {

namespace asio = boost::asio;
using asio::ip::tcp;

// The name and the address of node `at`: n@127.20.0.1 and on, 250 in each third byte.
std::string played_address(mesh::index at);
std::string played_name(mesh::index at);

// What passed between the fleet and one watching node, counted from the fleet's side.
struct traffic {
  std::uint64_t frames_in = 0, bytes_in = 0, frames_out = 0, bytes_out = 0, connections = 0;
  std::map<std::string, std::uint64_t> asked;  // by Module:Function, or the registered process
};

class session;

class fleet {
 public:
  struct settings {
    std::size_t size = 100;
    bool linked = true;
    std::string cookie = "chocolate";
    std::chrono::milliseconds net_ticktime{60'000}, delay{0};
    std::uint16_t port = 9100;
    std::shared_ptr<const tls::context> tls{};  // null: none is spoken
  };
  fleet(asio::io_context&, settings);

  void listen();
  // One line each, as main.cpp says; gives the line that answers.
  std::string command(const std::string& line);

  // ---- for its sessions
  struct mesh& mesh() noexcept {
    return mesh_;
  }
  const settings& options() const noexcept { return settings_; }
  std::optional<mesh::index> index_of(std::string_view name) const;
  const std::string& encoded_name(mesh::index at) const { return encoded_names_[at]; }
  traffic& traffic_with(const std::string& watcher) { return traffic_[watcher]; }
  void attached(const std::shared_ptr<session>&);
  void detached(const session&);
  // Over the link between `on` and the node that `watcher` is.
  std::shared_ptr<session> session_of(mesh::index on, std::string_view watcher) const;
  bool connect(mesh::index a, mesh::index b);

 private:
  asio::awaitable<void> accept();
  asio::awaitable<void> map_ports();
  asio::awaitable<void> join();
  asio::awaitable<void> notice_later(mesh::index node, std::chrono::milliseconds after);
  asio::awaitable<void> tick();
  void changed(mesh::index on, mesh::index peer, bool up, std::string_view why);
  void hang_up(mesh::index node);
  std::string counts();

  asio::io_context& io_;
  settings settings_;
  class mesh mesh_;
  tcp::acceptor links_, mapper_;
  std::vector<std::string> encoded_names_;
  std::map<std::string, mesh::index, std::less<>> indices_;
  std::vector<std::map<std::string, std::shared_ptr<session>, std::less<>>> sessions_;  // by watching node
  std::map<std::string, traffic> traffic_;
  std::map<std::string, std::pair<std::string, std::uint16_t>>
      registered_;  // real nodes with our port mapper
  std::uint64_t cuts_ = 0;
  bool joining_ = false;
};

}  // namespace rollcall::bench
