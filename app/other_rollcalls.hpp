// Other Rollcalls at work on the same nodes, each under a name of its own, and what they are told.
//
// A member knows its own links: its hidden peers are asked, through it, whether they are a Rollcall.
// No link between two Rollcalls is needed, and what a member says of others goes back to that member only.
// leave/1 and rejoin/1 that one Rollcall is told are passed on to the others (once: an order that is known
// already goes no further), and all orders to a Rollcall that has just appeared, so that none of them takes a
// node back that another one took out.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/configuration.hpp"
#include "app/log.hpp"
#include "app/probes.hpp"

namespace rollcall::app {

class other_rollcalls {
 public:
  struct surroundings {
    call_function call;
    // One of the members that are up, another one for each turn.
    std::function<std::optional<node_name>(std::size_t turn)> linked;
    std::function<const std::set<node_name>&()> orders_to_leave;  // that hold here
    std::function<bool()> stopping;
    // Between two looks: two calls, and two more for each hidden peer of one member.
    milliseconds pause{15'000};
  };
  other_rollcalls(asio::io_context& io, const configuration& c, log& l, surroundings around)
      : io_(io), configuration_(c), log_(l), around_(std::move(around)) {}

  // Looks for them when it is time to; waits for nothing. `owner` keeps this object alive.
  void look(const std::shared_ptr<void>& owner);
  enum class order { leave, rejoin };
  void pass_on(const std::shared_ptr<void>& owner, order, const node_name&);
  // Sorted; those that answered one of the last looks.
  std::vector<node_name> names() const;
  // For an operator; empty when there is none.
  std::string text() const;

 private:
  struct known {
    node_name through;       // the member that is linked to it
    std::uint32_t creation;  // of its run
    int missed = 0;          // looks in a row: not every member is linked to it at every moment
  };
  asio::awaitable<void> look_now(std::shared_ptr<void> owner);
  asio::awaitable<std::optional<std::uint32_t>> run_of(node_name through, node_name candidate);
  asio::awaitable<void> tell(std::shared_ptr<void> owner, node_name other, order, node_name node);
  asio::awaitable<cnode::call_result<cnode::term>> ask(node_name through, const node_name& other,
                                                       std::string_view module, std::string_view function,
                                                       std::string_view argument);
  void met(const std::shared_ptr<void>& owner, std::map<node_name, known> found);

  asio::io_context& io_;
  const configuration& configuration_;
  log& log_;
  surroundings around_;
  std::map<node_name, known> others_;
  std::chrono::steady_clock::time_point due_{};
  std::size_t turn_ = 0;  // whose turn it is to be asked
  bool looking_ = false;
};

}  // namespace rollcall::app
