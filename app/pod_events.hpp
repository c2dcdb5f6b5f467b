// Events of Kubernetes (events.k8s.io/v1) on the pods that a netsplit cuts off, when it opens and when it
// closes, so that `kubectl describe pod` tells it. Bounded: so many pods an incident, so many that wait to be
// sent. Never repeated: an Event's name is made of its pod, its incident and what happened, and the server
// refuses a second one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/log.hpp"
#include "discovery/api_client.hpp"
#include "membership/snapshot.hpp"

namespace rollcall::app {

namespace asio = boost::asio;

class pod_events : public std::enable_shared_from_this<pod_events> {
 public:
  static constexpr std::size_t max_pods = 20, max_waiting = 200, max_incidents = 64;
  static constexpr std::size_t max_note = 1'024;  // the API's own limit
  static constexpr int attempts = 3;

  struct pod {
    std::string name, name_space, uid;
  };

  // `instance`: who reports, our own node name.
  pod_events(asio::io_context&, log&, const discovery::api_server&, discovery::api_resolve,
             std::string instance);

  // `text`: the sentence of the log. Closing is told on the pods that were told of the opening; on `cut_off`
  // where that was before our time.
  void opened(const membership::incident&, const std::string& text, const std::vector<pod>& cut_off);
  void closed(const membership::incident&, const std::string& text, const std::vector<pod>& cut_off);
  void stop();

 private:
  using key = std::pair<std::uint64_t, std::int64_t>;  // id, when it opened
  struct waiting {
    std::string name_space, body;
  };
  void tell(const membership::incident&, bool opens, const std::string& text, const std::vector<pod>&);
  asio::awaitable<void> run();
  asio::awaitable<bool> send(const waiting&);
  void failed(std::string why);

  asio::io_context& io_;
  log& log_;
  discovery::api_client client_;
  asio::steady_timer pause_;
  std::string instance_;
  std::deque<waiting> queue_;
  std::map<key, std::vector<pod>> told_;
  std::size_t left_out_ = 0;
  std::string problem_;
  bool running_ = false, stopped_ = false;
};

// The Event as JSON: `at` is wall time.
std::string pod_event(const pod_events::pod&, const membership::incident&, bool opens,
                      const std::string& text, const std::string& instance, membership::wall_time at);

}  // namespace rollcall::app
