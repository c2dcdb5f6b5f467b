#include "discovery/slice_watch.hpp"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace rollcall::discovery {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

slice_watch::slice_watch(asio::io_context& io, const api_server& server, api_resolve resolve, options given,
                         std::function<void()> changed)
    : io_(io),
      options_(std::move(given)),
      changed_(std::move(changed)),
      client_(io, server, std::move(resolve), options_.limits),
      plan_(options_.seed),
      pause_(io),
      grace_(io),
      proof_(io),
      first_(io, steady_clock::time_point::max()) {}

void slice_watch::start() {
  asio::co_spawn(io_, run(), [self = shared_from_this()](const std::exception_ptr& failure) {
    // A broken invariant of ours: the source says so from then on.
    if (failure) self->note(false, "the watch ended unexpectedly; please report this", true);
  });
}

void slice_watch::stop() {
  stopped_ = true;
  changed_ = {};
  client_.stop();
  pause_.cancel();
  grace_.cancel();
  proof_.cancel();
  first_.cancel();
}

asio::awaitable<void> slice_watch::first(milliseconds limit) {
  const auto self = shared_from_this();
  if (listed_ || problem_ || stopped_) co_return;
  asio::steady_timer late(io_, limit);
  late.async_wait([self](boost::system::error_code code) {
    if (!code) self->first_.cancel();
  });
  boost::system::error_code ignored;
  co_await first_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

asio::awaitable<void> slice_watch::run() {
  const auto self = shared_from_this();
  while (!stopped_) {
    const auto step = plan_.next();
    if (step.what == watch_plan::step::kind::pause) {
      co_await sleep(step.pause);
    } else if (step.what == watch_plan::step::kind::list) {
      co_await list(step);
    } else {
      co_await watch(step);
    }
  }
}

asio::awaitable<void> slice_watch::sleep(milliseconds span) {
  pause_.expires_after(span);
  boost::system::error_code ignored;
  co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

std::string slice_watch::target(std::string_view query) const {
  return fmt::format(
      "/apis/discovery.k8s.io/v1/namespaces/{}/"
      "endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D{}{}",
      options_.name_space, options_.service, query);
}

bool slice_watch::know_namespace() {
  if (!options_.name_space.empty()) return true;
  const auto own = own_namespace(client_.server());
  if (own) {
    options_.name_space = *own;
    return true;
  }
  note(false,
       fmt::format("{}/namespace cannot be read: {}; name one: SERVICE.NAMESPACE", client_.server().folder,
                   own.error().message()),
       false);
  return false;
}

asio::awaitable<void> slice_watch::list(watch_plan::step step) {
  if (!know_namespace()) {
    plan_.failed(false, steady_clock::now());
    co_return;
  }
  ++figures_.lists[static_cast<std::size_t>(step.why)];
  const auto query = step.version.empty() ? std::string() : "&resourceVersion=" + step.version;
  api_request request{.target = target(query)};
  request.max_answer = max_list_bytes;
  const auto reply = co_await client_.ask(std::move(request));
  if (stopped_) co_return;
  if (!reply) {
    plan_.failed(false, steady_clock::now());
    note(reply.error().timed_out, reply.error().text, false);
    co_return;
  }
  if (reply->status != 200) {
    auto status = read_status(reply->body);
    status.code = reply->status;
    refused(status, false, reply->retry_after);
    co_return;
  }
  std::string problem;
  auto found = read_list(reply->body, problem);
  if (!found) {
    plan_.failed(false, steady_clock::now());
    note(false,
         fmt::format("the list of EndpointSlices that the API server at {} gives cannot be read: {}",
                     client_.server().authority(), problem),
         false);
    co_return;
  }
  figures_.last_line = steady_clock::now();
  plan_.listed(std::move(found->version));
  set_.replace(std::move(found->slices), steady_clock::now());
  listed_ = true;
  if (problem_ && !problem_->watching) problem_.reset();
  changed();
}

asio::awaitable<void> slice_watch::watch(watch_plan::step step) {
  api_request request{
      .target = target(fmt::format("&watch=1&resourceVersion={}&allowWatchBookmarks=true&timeoutSeconds={}",
                                   step.version, step.timeout.count()))};
  request.max_answer = max_watch_line_bytes;
  const auto reply = co_await client_.open(std::move(request));
  if (stopped_) co_return;
  if (!reply) {
    plan_.failed(true, steady_clock::now());
    note(reply.error().timed_out, reply.error().text, true);
    co_return;
  }
  if (reply->status != 200) {
    auto status = read_status(reply->body);
    status.code = reply->status;
    refused(status, true, reply->retry_after);
    co_return;
  }
  // A watch that gives a line is one, and so is one that lasts.
  proof_.expires_after(watch_plan::brief);
  proof_.async_wait([weak = weak_from_this()](boost::system::error_code code) {
    if (const auto self = weak.lock(); self && !code) self->problem_.reset();
  });
  const bool whole = co_await follow();
  proof_.cancel();
  if (!whole) client_.hang_up();
}

// Until the watch ends. False: the connection is not to be used again.
asio::awaitable<bool> slice_watch::follow() {
  const auto begun = steady_clock::now();
  bool any = false;
  while (true) {
    const auto line = co_await client_.line(options_.silence);
    if (stopped_) co_return false;
    if (!line) {
      if (line.error().timed_out) {
        plan_.fell_silent();
      } else {
        plan_.failed(true, steady_clock::now());
      }
      co_return false;
    }
    if (!line->has_value()) {
      const auto lasted = std::chrono::duration_cast<milliseconds>(steady_clock::now() - begun);
      plan_.ended(lasted, any, steady_clock::now());
      if (!any && lasted < watch_plan::brief) {
        note(false, fmt::format("the API server at {} ends each watch at once", client_.server().authority()),
             true);
      }
      co_return true;
    }
    any = true;
    figures_.last_line = steady_clock::now();
    if (!take(**line)) co_return false;
  }
}

bool slice_watch::take(const std::string& text) {
  std::string problem;
  auto line = read_watch_line(text, problem);
  if (!line) {
    plan_.unreadable(steady_clock::now());
    note(false,
         fmt::format("a line of the watch that the API server at {} gives cannot be read: {}",
                     client_.server().authority(), problem),
         true);
    return false;
  }
  if (line->what == watch_line::kind::error) {
    refused(line->status, true, {});
    return false;
  }
  problem_.reset();
  plan_.saw(line->version);
  const auto now = steady_clock::now();
  if (line->what == watch_line::kind::changed) set_.change(std::move(line->slice), now);
  if (line->what == watch_line::kind::deleted) set_.remove(line->slice.name, now);
  if (line->what != watch_line::kind::bookmark) changed();
  return true;
}

// 410 is no fault: a list follows at once, and what is known stands until it is there.
void slice_watch::refused(const api_status& status, bool watching,
                          std::optional<std::chrono::seconds> retry_after) {
  plan_.refused(status, watching, retry_after, steady_clock::now());
  if (status.code == 410) return;
  std::string why = status.reason;
  if (!status.message.empty()) why += (why.empty() ? "" : ": ") + status.message;
  auto text = fmt::format("the API server at {} answers the {} of EndpointSlices with {}{}{}",
                          client_.server().authority(), watching ? "watch" : "list", status.code,
                          why.empty() ? "" : " ", why);
  if (status.code == 403) {
    text += fmt::format(
        "; needed is a Role in namespace {} that allows list and watch on endpointslices of discovery.k8s.io",
        options_.name_space);
  } else if (status.code == 401) {
    text += "; the service account's token is not accepted";
  }
  note(false, std::move(text), watching);
}

void slice_watch::note(bool timed_out, std::string text, bool watching) {
  problem_ = trouble{timed_out, std::move(text), watching};
  first_.cancel();
}

void slice_watch::changed() {
  first_.cancel();
  const auto next = set_.settle(steady_clock::now());
  if (changed_) changed_();
  if (!next) {
    grace_.cancel();
    return;
  }
  grace_.expires_at(*next);
  grace_.async_wait([weak = weak_from_this()](boost::system::error_code code) {
    const auto self = weak.lock();
    if (!code && self && !self->stopped_) self->changed();
  });
}

}  // namespace rollcall::discovery
