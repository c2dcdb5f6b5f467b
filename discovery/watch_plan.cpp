#include "discovery/watch_plan.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::discovery {

std::string_view to_string(list_reason why) noexcept {
  switch (why) {
    case list_reason::start:
      return "start";
    case list_reason::gone:
      return "gone";
    case list_reason::silent:
      return "silent";
    case list_reason::error:
      return "error";
  }
  return "error";
}

watch_plan::step watch_plan::next() {
  step now;
  if (pause_ > milliseconds{0}) {
    now.what = step::kind::pause;
    now.pause = std::exchange(pause_, milliseconds{0});
  } else if (watching_) {
    now.what = step::kind::watch;
    now.version = version_;
    const auto span = (longest_watch - shortest_watch).count();
    now.timeout = shortest_watch + std::chrono::seconds(random_() % static_cast<std::uint32_t>(span + 1));
  } else {
    now.version = list_version_;
    now.why = why_;
  }
  return now;
}

void watch_plan::list(std::string version, list_reason why) {
  watching_ = false;
  list_version_ = std::move(version);
  why_ = why;
}

void watch_plan::pause(time_point now, std::optional<std::chrono::seconds> retry_after) {
  if (last_failure_ && now - *last_failure_ >= quiet) failures_ = 0;
  last_failure_ = now;
  const auto shortest = std::min(longest_pause, first_pause * (1U << std::min(failures_++, 6U)));
  const double factor = 1.0 + static_cast<double>(random_() % 1'000) / 1'000;
  pause_ = std::chrono::duration_cast<milliseconds>(shortest * factor);
  if (retry_after) pause_ = std::max<milliseconds>(pause_, std::min(*retry_after, longest_retry_after));
}

void watch_plan::listed(std::string version) {
  version_ = std::move(version);  // also a lower one
  watching_ = true;
  watch_failures_ = 0;
}

void watch_plan::saw(const std::string& version) {
  if (!version.empty()) version_ = version;
  watch_failures_ = gone_ = 0;
}

void watch_plan::refused(const api_status& status, bool watching,
                         std::optional<std::chrono::seconds> retry_after, time_point now) {
  // The version is too old: a list that is at least as new as what we have. One that comes twice gets no
  // version at all.
  if (status.code == 410) {
    const bool again = gone_++ > 0;
    list(again ? std::string() : version_, list_reason::gone);
    if (again) pause(now);
    return;
  }
  // The server has not reached that version, or never will.
  if (status.code == 504 && !watching && !list_version_.empty()) {
    list({}, list_reason::gone);
    return;
  }
  pause(now, retry_after);
  if (!watching) {
    if (why_ == list_reason::start && version_.empty()) return;  // still the first one
    why_ = list_reason::error;
    return;
  }
  // What another list does not change is asked again as it was: 401, 403, 429 and the server's own troubles.
  const bool ours = status.code >= 400 && status.code < 500 && status.code != 401 && status.code != 403 &&
                    status.code != 429;
  if (ours) list({}, list_reason::error);
}

void watch_plan::failed(bool watching, time_point now) {
  pause(now);
  if (!watching) {
    if (!version_.empty()) why_ = list_reason::error;
    return;
  }
  if (++watch_failures_ >= failures_before_list) list({}, list_reason::error);
}

void watch_plan::unreadable(time_point now) {
  pause(now);
  list({}, list_reason::error);
}

void watch_plan::ended(milliseconds lasted, bool any_line, time_point now) {
  if (lasted < brief && !any_line) failed(true, now);
}

void watch_plan::fell_silent() {
  list({}, list_reason::silent);
}

}  // namespace rollcall::discovery
