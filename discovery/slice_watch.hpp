// Follows the EndpointSlices of one service: asks what watch_plan says, joins what comes (endpoint_set), and
// tells of every change. Runs by itself from start() to stop(); what it knows is read at any time.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include "discovery/api_client.hpp"
#include "discovery/endpoint_set.hpp"
#include "discovery/watch_plan.hpp"

namespace rollcall::discovery {

// For metrics.
struct watch_figures {
  std::array<std::uint64_t, list_reason_count> lists{};
  std::optional<std::chrono::steady_clock::time_point> last_line{};  // of a list or a watch
};

class slice_watch : public std::enable_shared_from_this<slice_watch> {
 public:
  struct options {
    std::string service, name_space;  // no namespace: the pod's own
    std::uint32_t seed = 1;
    std::chrono::milliseconds silence = watch_plan::silence;
    api_limits limits{};
  };
  struct trouble {
    bool timed_out = false;
    std::string text;
    bool watching = false;  // it was the watch that failed
  };

  slice_watch(asio::io_context&, const api_server&, api_resolve, options, std::function<void()> changed);

  void start();
  void stop();
  // Until there is a list, or a reason why not, and no longer than the limit.
  asio::awaitable<void> first(std::chrono::milliseconds limit);

  bool listed() const noexcept { return listed_; }
  bool has_slices() const noexcept { return set_.has_slices(); }
  std::vector<endpoint> endpoints() const { return set_.endpoints(); }
  // Of the last request, while it stays so.
  const std::optional<trouble>& problem() const noexcept { return problem_; }
  const std::string& name_space() const noexcept { return options_.name_space; }
  const watch_figures& figures() const noexcept { return figures_; }
  const api_server& server() const noexcept { return client_.server(); }

 private:
  asio::awaitable<void> run();
  asio::awaitable<void> sleep(std::chrono::milliseconds);
  asio::awaitable<void> list(watch_plan::step);
  asio::awaitable<void> watch(watch_plan::step);
  asio::awaitable<bool> follow();
  bool take(const std::string& line);
  bool know_namespace();
  std::string target(std::string_view query) const;
  void refused(const api_status&, bool watching, std::optional<std::chrono::seconds> retry_after);
  void note(bool timed_out, std::string text, bool watching);
  void changed();

  asio::io_context& io_;
  options options_;
  std::function<void()> changed_;
  api_client client_;
  watch_plan plan_;
  endpoint_set set_;
  asio::steady_timer pause_, grace_, proof_, first_;
  watch_figures figures_;
  std::optional<trouble> problem_;
  bool listed_ = false, stopped_ = false;
};

}  // namespace rollcall::discovery
