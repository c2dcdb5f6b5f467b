// What outlives us: incidents, their totals, and the nodes told to leave. Orders to leave hold until
// rejoin/1, whether their node is listed or not, whether we stand by or not. Written a moment after a change,
// with all that changed meanwhile: to a file, to a ConfigMap, or both.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "app/config_map.hpp"
#include "app/log.hpp"
#include "app/state_file.hpp"
#include "membership/snapshot.hpp"

namespace rollcall::app {

class record : public std::enable_shared_from_this<record> {
 public:
  // Without a folder and a ConfigMap it is kept in memory alone.
  record(boost::asio::io_context&, log&, const std::string& folder, std::shared_ptr<config_map> = {});

  // What an earlier run kept, once, before anything else. The orders to leave are known from then on.
  std::optional<remembered_state> read();
  // The same from the ConfigMap, too: whichever of the two is newer.
  boost::asio::awaitable<std::optional<remembered_state>> recall();

  void told_to_leave(const node_name&);
  void told_to_rejoin(const node_name&);
  const std::set<node_name>& orders_to_leave() const noexcept { return orders_; }

  void keep(const membership::snapshot&);
  // What still waits to be written is written now.
  void flush();
  // The ConfigMap as well, or within the limit not.
  boost::asio::awaitable<void> stop(milliseconds limit);

 private:
  void write_soon();
  void write();

  log& log_;
  boost::asio::steady_timer due_;
  std::optional<state_file> file_;
  std::shared_ptr<config_map> map_;
  std::string folder_;
  std::set<node_name> orders_;
  std::shared_ptr<const std::vector<membership::incident>> incidents_;
  membership::incident_totals totals_;
  bool waiting_ = false, failing_ = false;
};

}  // namespace rollcall::app
