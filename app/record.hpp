// What outlives us: incidents, their totals, the last day, and the nodes told to leave. Orders to leave hold
// until rejoin/1, whether their node is listed or not, whether we stand by or not. Written a moment after a
// change, with all that changed meanwhile: to files, to a ConfigMap, or both. The last day, which changes
// more often and is larger, is written a minute after a change, and when we stop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "app/config_map.hpp"
#include "app/history_text.hpp"
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
  // What of the last day an earlier run left to read() or recall(), once; and what is kept of it from now on:
  // it must outlive this.
  std::optional<membership::history::kept_day> earlier_day() { return std::exchange(day_, {}); }
  void follow(const membership::history&);
  // What still waits to be written is written now.
  void flush();
  // The ConfigMap as well, or within the limit not.
  boost::asio::awaitable<void> stop(milliseconds limit);

 private:
  bool kept_somewhere() const noexcept { return file_ || map_; }
  void write_soon();
  void flush_incidents();
  void write();
  void look_at_history();
  void write_history();
  void take_day(std::string_view text);
  remembered_state state() const;
  void tell(const std::string& problem, bool& failing, const std::string& what);

  log& log_;
  boost::asio::steady_timer due_;
  boost::asio::steady_timer day_due_;
  std::optional<state_file> file_;
  std::optional<kept_file> history_file_;
  std::shared_ptr<config_map> map_;
  std::string folder_;
  std::set<node_name> orders_;
  std::shared_ptr<const std::vector<membership::incident>> incidents_;
  membership::incident_totals totals_;
  const membership::history* history_ = nullptr;
  std::uint64_t written_revision_ = 0;
  std::optional<membership::history::kept_day> day_;
  bool waiting_ = false, failing_ = false, day_waits_ = false, day_failing_ = false;
};

}  // namespace rollcall::app
