#include "app/config_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>

#include "discovery/endpoint_slice.hpp"
#include "discovery/json_bounds.hpp"

namespace rollcall::app {

namespace json = boost::json;

namespace {

// The object holds the record once, escaped, and at most 1 MiB in all.
constexpr std::size_t max_object = 4U << 20;
constexpr discovery::json_bounds object_bounds{.max_bytes = max_object, .max_values = 10'000};
constexpr discovery::json_bounds record_bounds{.max_bytes = 1U << 20, .max_values = 500'000};

std::optional<membership::wall_time> last_change(const remembered_state& state) {
  auto last = std::max(state.totals.last_start, state.totals.last_end);
  for (const auto& i : state.incidents)
    last = std::max<std::optional<membership::wall_time>>({last, i.opened_at, i.closed_at});
  return last;
}

}  // namespace

std::string within(remembered_state state, std::size_t most) {
  auto text = to_json(state);
  while (text.size() > most && !state.incidents.empty()) {
    // Newest first: a quarter of them at a time, so that a long record takes few rounds.
    state.incidents.resize(state.incidents.size() - std::max<std::size_t>(1, state.incidents.size() / 4));
    text = to_json(state);
  }
  return text;
}

std::optional<remembered_state> newer(std::optional<remembered_state> one,
                                      std::optional<remembered_state> other) {
  if (!one) return other;
  if (!other) return one;
  return last_change(*other) > last_change(*one) ? std::move(other) : std::move(one);
}

config_map::config_map(asio::io_context& io, log& lines, const discovery::api_server& server,
                       discovery::api_resolve resolve, std::string name, std::function<bool()> may_write)
    : io_(io),
      log_(lines),
      client_(io, server, std::move(resolve)),
      name_(std::move(name)),
      may_write_(std::move(may_write)),
      pause_(io),
      written_(io) {}

std::string config_map::target() const {
  return fmt::format("/api/v1/namespaces/{}/configmaps/{}", name_space_, name_);
}

// True when the reply is what was asked for; else one line of the log, until it works again.
bool config_map::failed(const std::string& what, const discovery::api_result<discovery::api_reply>& reply) {
  std::string why;
  if (!reply) {
    why = reply.error().text;
  } else if (reply->status == 200) {
    if (!problem_.empty())
      log_.info("the record of incidents is kept in its ConfigMap again", {{"name", name_}});
    problem_.clear();
    return false;
  } else {
    why = fmt::format("the Kubernetes API server at {} answers the {} of the ConfigMap {} with {}: {}",
                      client_.server().authority(), what, name_, reply->status,
                      discovery::read_status(reply->body).message);
    if (reply->status == 403) {
      why += fmt::format("; needed is a Role in namespace {} that allows get and update on this one name",
                         name_space_);
    } else if (reply->status == 404) {
      why += "; the manifests make it, empty";
    }
  }
  if (problem_.empty()) log_.warning("the record of incidents is not kept in its ConfigMap: " + why);
  problem_ = why;
  return true;
}

asio::awaitable<bool> config_map::fetch() {
  if (name_space_.empty()) {
    const auto own = discovery::own_namespace(client_.server());
    if (!own) {
      failed("get",
             discovery::api_failure{false, fmt::format("{}/namespace cannot be read: {}",
                                                       client_.server().folder, own.error().message())});
      co_return false;
    }
    name_space_ = *own;
  }
  discovery::api_request request{.target = target()};
  request.max_answer = max_object;
  const auto reply = co_await client_.ask(std::move(request));
  if (stopped_ || failed("get", reply)) co_return false;
  std::string problem;
  auto value = discovery::parse_within(reply->body, object_bounds, problem);
  if (problem.empty() && discovery::object_of(value, "metadata") == nullptr) problem = "it has no metadata";
  if (!problem.empty()) {
    failed("get", discovery::api_failure{false, "the ConfigMap " + name_ + " cannot be read: " + problem});
    co_return false;
  }
  object_ = std::move(value);
  // Who changed which field, kept by the server: not ours to send.
  object_.get_object()["metadata"].get_object().erase("managedFields");
  co_return true;
}

std::string config_map::held(const char* which) const {
  const auto* data = discovery::member_of(object_, "data");
  return data == nullptr ? std::string() : std::string(discovery::text_of(*data, which));
}

// What cannot be read is kept beside what is written next, as it stands now: a newer version that is rolled
// back writes on until its pod ends.
std::optional<remembered_state> config_map::contents() {
  const auto text = held(key);
  if (text.empty()) return {};
  auto problem = discovery::beyond(text, record_bounds);
  if (problem.empty()) {
    try {
      return from_json(text);
    } catch (const std::exception& wrong) {
      problem = wrong.what();
    }
  }
  set_aside(text, "is no record of incidents that this program can read", problem);
  return {};
}

void config_map::set_aside(const std::string& text, const char* what, const std::string& problem) {
  const bool fits = text.size() <= max_aside, told = !aside_.empty();
  if (fits) aside_ = text;
  if (told) return;
  log_.warning(fmt::format("what the ConfigMap {} holds {}, and will be {}: {}", name_, what,
                           fits ? fmt::format("set aside in it, as {}", aside_key) : "replaced", problem));
}

asio::awaitable<std::optional<remembered_state>> config_map::read() {
  const auto self = shared_from_this();
  const auto end = std::chrono::steady_clock::now() + read_limit;
  asio::steady_timer late(io_, read_limit);
  late.async_wait([weak = weak_from_this()](boost::system::error_code code) {
    if (const auto one = weak.lock(); one && !code) one->client_.hang_up();
  });
  for (milliseconds pause{500}; !stopped_; pause *= 2) {
    if (co_await fetch()) {
      known_ = true;
      history_ = held(history_key);
      co_return contents();
    }
    if (std::chrono::steady_clock::now() + pause >= end) break;
    co_await sleep(pause);
  }
  co_return std::nullopt;
}

asio::awaitable<void> config_map::sleep(milliseconds span) {
  pause_.expires_after(span);
  boost::system::error_code ignored;
  co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

void config_map::write(remembered_state state) {
  wanted_ = std::move(state);
  if (stopped_ || std::exchange(running_, true)) return;
  asio::co_spawn(io_, run(), [self = shared_from_this()](const std::exception_ptr& failure) {
    self->running_ = false;
    self->written_.cancel();
    if (failure) self->log_.error("the record of incidents is not kept any more; please report this");
  });
}

asio::awaitable<void> config_map::run() {
  auto pause = write_pause;
  while (wanted_ && !stopped_ && may_write_()) {
    const bool done = co_await put();
    if (hurry_ && done && wanted_) continue;
    if (hurry_) co_return;
    pause = done ? write_pause : std::min(pause * 2, longest_pause);
    if (!stopped_) co_await sleep(pause);
  }
}

// What another Rollcall wrote meanwhile is replaced: the one at work is this one.
asio::awaitable<bool> config_map::put() {
  const auto state = *wanted_;
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (object_.is_null()) {
      if (!co_await fetch()) co_return false;
      const auto found = contents();
      if (!std::exchange(known_, true) && found)
        set_aside(held(key), "was not read at the start", "the API server did not answer in time");
    }
    auto object = object_;
    auto& data = object.get_object()["data"];
    if (!data.is_object()) data = json::object{};
    const auto text = within(state, max_text);
    data.get_object()[key] = text;
    if (const auto day = history_text_ ? history_text_(max_text - std::min(max_text, text.size())) : "";
        !day.empty()) {
      data.get_object()[history_key] = day;
    } else {
      data.get_object().erase(history_key);
    }
    if (!aside_.empty()) data.get_object()[aside_key] = aside_;
    discovery::api_request request{.method = "PUT", .target = target()};
    request.body = json::serialize(object);
    request.max_answer = max_object;
    wanted_.reset();
    const auto reply = co_await client_.ask(std::move(request));
    if (stopped_) co_return false;
    if (reply && reply->status == 409 && may_write_()) {
      object_ = nullptr;
    } else if (!failed("update", reply)) {
      std::string problem;
      auto value = discovery::parse_within(reply->body, object_bounds, problem);
      object_ = problem.empty() && discovery::object_of(value, "metadata") != nullptr ? std::move(value)
                                                                                      : json::value();
      if (!object_.is_null()) object_.get_object()["metadata"].get_object().erase("managedFields");
      co_return true;
    } else {
      object_ = nullptr;
    }
    if (!wanted_) wanted_ = state;
    if (!object_.is_null() || !reply || reply->status != 409) co_return false;
  }
  co_return false;
}

asio::awaitable<void> config_map::flush(milliseconds limit) {
  const auto self = shared_from_this();
  hurry_ = true;
  pause_.cancel();
  if (wanted_ && !running_) write(*wanted_);
  if (!running_) co_return;
  written_.expires_after(limit);
  boost::system::error_code ignored;
  co_await written_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

void config_map::stop() {
  stopped_ = true;
  client_.stop();
  pause_.cancel();
  written_.cancel();
}

}  // namespace rollcall::app
