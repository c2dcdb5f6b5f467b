// The record of incidents in a ConfigMap of Rollcall's own, so that it outlives the pod: read once at the
// start, written whole some seconds after a change. It is there already, made by the manifests; what else
// stands in the object stays as it is. Nothing is written before it was read.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "app/log.hpp"
#include "app/state_file.hpp"
#include "discovery/api_client.hpp"

namespace rollcall::app {

namespace asio = boost::asio;

class config_map : public std::enable_shared_from_this<config_map> {
 public:
  static constexpr std::size_t max_text = 512U << 10;  // of what it holds; a ConfigMap takes 1 MiB
  static constexpr const char *key = "incidents.json", *history_key = "history.json";
  // What stood there and could not be read, perhaps of a newer version, or was not: kept beside it, where it
  // fits.
  static constexpr const char* aside_key = "incidents.json.set-aside";
  static constexpr std::size_t max_aside = 384U << 10;
  static constexpr milliseconds read_limit{10'000}, write_pause{5'000}, longest_pause{60'000};

  // `may_write`: false while another Rollcall is at work, whose record it is then.
  config_map(asio::io_context&, log&, const discovery::api_server&, discovery::api_resolve, std::string name,
             std::function<bool()> may_write);

  // What an earlier pod kept. Tries for as long as read_limit.
  asio::awaitable<std::optional<remembered_state>> read();
  // What read() found of the last day, as text, once.
  std::string history() { return std::exchange(history_, {}); }
  // The last day, within a limit, goes with each write, in what incidents leave of max_text.
  void keeps_history(std::function<std::string(std::size_t most)> text) { history_text_ = std::move(text); }
  // Soon; the last one counts.
  void write(remembered_state);
  // What waits is written now, or not at all within the limit.
  asio::awaitable<void> flush(milliseconds limit);
  void stop();

 private:
  asio::awaitable<bool> fetch();
  asio::awaitable<bool> put();
  asio::awaitable<void> run();
  asio::awaitable<void> sleep(milliseconds);
  bool failed(const std::string& what, const discovery::api_result<discovery::api_reply>&);
  std::optional<remembered_state> contents();
  std::string held(const char* which) const;
  void set_aside(const std::string& text, const char* what, const std::string& problem);
  std::string target() const;

  asio::io_context& io_;
  log& log_;
  discovery::api_client client_;
  std::string name_, name_space_;
  std::function<bool()> may_write_;
  asio::steady_timer pause_, written_;
  std::function<std::string(std::size_t)> history_text_;
  std::string history_;
  std::string aside_;          // to be kept with the next write
  boost::json::value object_;  // as it was read or written last; null: never
  std::optional<remembered_state> wanted_;
  std::string problem_;
  bool known_ = false;  // what an earlier pod wrote was looked at
  bool running_ = false, stopped_ = false, hurry_ = false;
};

// As JSON within the limit: the oldest incidents are left out until it fits.
std::string within(remembered_state, std::size_t most);
// The one in which something happened later.
std::optional<remembered_state> newer(std::optional<remembered_state>, std::optional<remembered_state>);

}  // namespace rollcall::app
