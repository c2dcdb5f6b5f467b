#include "app/pod_events.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "app/tasks.hpp"
#include "discovery/endpoint_slice.hpp"

namespace rollcall::app {

namespace json = boost::json;

namespace {

constexpr milliseconds first_pause{1'000};
constexpr std::size_t max_instance = 128, max_object_name = 253;

std::string in_micro_seconds(membership::wall_time at) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch());
  const std::chrono::system_clock::time_point whole(seconds);
  return fmt::format(
      "{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(whole),
      std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch() - seconds).count());
}

}  // namespace

std::string pod_event(const pod_events::pod& on, const membership::incident& of, bool opens,
                      const std::string& text, const std::string& instance, membership::wall_time at) {
  const auto ending =
      fmt::format(".netsplit-{}-{:x}-{}", of.id, since_epoch(of.opened_at), opens ? "opened" : "closed");
  const auto note =
      text.size() <= pod_events::max_note ? text : text.substr(0, pod_events::max_note - 3) + "...";
  return json::serialize(json::object{
      {"apiVersion", "events.k8s.io/v1"},
      {"kind", "Event"},
      {"metadata", json::object{{"name", on.name.substr(0, max_object_name - ending.size()) + ending},
                                {"namespace", on.name_space}}},
      {"eventTime", in_micro_seconds(at)},
      {"type", opens ? "Warning" : "Normal"},
      {"reason", opens ? "NetsplitOpened" : "NetsplitClosed"},
      {"action", opens ? "Observed" : "ObservedItsEnd"},
      {"reportingController", "rollcall"},
      {"reportingInstance", instance.substr(0, max_instance)},
      {"note", note},
      {"regarding", json::object{{"apiVersion", "v1"},
                                 {"kind", "Pod"},
                                 {"namespace", on.name_space},
                                 {"name", on.name},
                                 {"uid", on.uid}}}});
}

pod_events::pod_events(asio::io_context& io, log& lines, const discovery::api_server& server,
                       discovery::api_resolve resolve, std::string instance)
    : io_(io),
      log_(lines),
      client_(io, server, std::move(resolve)),
      pause_(io),
      instance_(std::move(instance)) {}

void pod_events::opened(const membership::incident& of, const std::string& text,
                        const std::vector<pod>& cut_off) {
  const key which{of.id, since_epoch(of.opened_at)};
  if (told_.contains(which)) return;
  auto pods = cut_off;
  if (pods.size() > max_pods) pods.resize(max_pods);
  tell(of, true, text, pods);
  if (told_.size() >= max_incidents) told_.erase(told_.begin());
  told_.emplace(which, std::move(pods));
}

void pod_events::closed(const membership::incident& of, const std::string& text,
                        const std::vector<pod>& cut_off) {
  auto pods = cut_off;
  // The cause may have moved its beginning: the id alone says which it is.
  const auto known = told_.lower_bound({of.id, 0});
  if (known != told_.end() && known->first.first == of.id) {
    pods = std::move(known->second);
    told_.erase(known);
  }
  if (pods.size() > max_pods) pods.resize(max_pods);
  tell(of, false, text, pods);
}

void pod_events::tell(const membership::incident& of, bool opens, const std::string& text,
                      const std::vector<pod>& pods) {
  const auto at = opens ? of.opened_at : of.closed_at.value_or(of.opened_at);
  for (const auto& each : pods) {
    if (queue_.size() >= max_waiting) {
      if (left_out_++ == 0) log_.warning("Events of Kubernetes are left out: too many wait to be sent");
      return;
    }
    queue_.push_back({each.name_space, pod_event(each, of, opens, text, instance_, at)});
  }
  if (queue_.empty() || running_ || stopped_) return;
  running_ = true;
  asio::co_spawn(io_, run(), [self = shared_from_this()](const std::exception_ptr& failure) {
    self->running_ = false;
    task_ended(self->log_, "send Events of Kubernetes", failure);
  });
}

asio::awaitable<void> pod_events::run() {
  while (!queue_.empty() && !stopped_) {
    const auto next = std::move(queue_.front());
    queue_.pop_front();
    auto pause = first_pause;
    for (int attempt = 1; attempt <= attempts && !stopped_; ++attempt, pause *= 5) {
      const bool done = co_await send(next);
      if (done || attempt == attempts) break;
      pause_.expires_after(pause);
      boost::system::error_code ignored;
      co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
  }
  left_out_ = 0;
}

// False: it may be tried again.
asio::awaitable<bool> pod_events::send(const waiting& one) {
  discovery::api_request request{
      .method = "POST", .target = fmt::format("/apis/events.k8s.io/v1/namespaces/{}/events", one.name_space)};
  request.body = one.body;
  const auto reply = co_await client_.ask(std::move(request));
  if (stopped_) co_return true;
  if (!reply) {
    failed(reply.error().text);
    co_return false;
  }
  const auto status = reply->status;
  if (status == 201 || status == 200 || status == 409) {  // 409: it was told before
    if (!problem_.empty()) log_.info("Events of Kubernetes are taken again");
    problem_.clear();
    co_return true;
  }
  const auto said = discovery::read_status(reply->body);
  failed(fmt::format("the Kubernetes API server at {} answers the creation of an Event with {}: {}{}",
                     client_.server().authority(), status, said.message,
                     status == 403
                         ? fmt::format("; needed is a Role in namespace {} that allows create on events of "
                                       "events.k8s.io",
                                       one.name_space)
                         : std::string()));
  co_return status != 429 && status < 500;
}

void pod_events::failed(std::string why) {
  if (std::exchange(problem_, std::move(why)).empty())
    log_.warning("Events of Kubernetes are not taken: " + problem_);
}

void pod_events::stop() {
  stopped_ = true;
  client_.stop();
  pause_.cancel();
}

}  // namespace rollcall::app
