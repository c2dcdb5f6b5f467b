#include "app/record.hpp"

#include <boost/asio/awaitable.hpp>
#include <utility>

#include "app/plain_text.hpp"

namespace rollcall::app {

namespace {
constexpr milliseconds delay{1'000}, day_delay{60'000};
}

record::record(boost::asio::io_context& io, log& lines, const std::string& folder,
               std::shared_ptr<config_map> map)
    : log_(lines), due_(io), day_due_(io), map_(std::move(map)), folder_(folder) {
  if (folder.empty()) return;
  file_.emplace(folder);
  history_file_.emplace(folder, "history.json", max_history_text);
}

std::optional<remembered_state> record::read() {
  if (!file_) return {};
  auto read = file_->read();
  for (const auto& problem : read.problems) log_.warning(problem);
  const auto day = history_file_->read([this](std::string_view text) { take_day(text); });
  for (const auto& problem : day) log_.warning(problem);
  if (!read.found) return {};
  orders_.insert(read.found->kept_out.begin(), read.found->kept_out.end());
  return std::move(read.found);
}

boost::asio::awaitable<std::optional<remembered_state>> record::recall() {
  const auto self = shared_from_this();
  auto found = read();
  if (map_) {
    found = newer(std::move(found), co_await map_->read());
    try {
      if (const auto text = map_->history(); !text.empty()) take_day(text);
    } catch (const std::exception& e) {
      log_.warning("the last day that the ConfigMap holds cannot be read: " + plain_text(e));
    }
  }
  if (found) orders_.insert(found->kept_out.begin(), found->kept_out.end());
  co_return found;
}

// Of a file and a ConfigMap the one that was written later.
void record::take_day(std::string_view text) {
  auto day = history_from_json(text);
  if (!day_ || day.until > day_->until) day_ = std::move(day);
}

void record::follow(const membership::history& day) {
  history_ = &day;
  written_revision_ = day.revision();
  if (!map_) return;
  map_->keeps_history([weak = weak_from_this()](std::size_t most) {
    const auto self = weak.lock();
    return self && self->history_ != nullptr ? to_json(*self->history_, most) : std::string();
  });
}

boost::asio::awaitable<void> record::stop(milliseconds limit) {
  const auto self = shared_from_this();
  flush();
  if (!map_) co_return;
  co_await map_->flush(limit);
  map_->stop();
}

void record::told_to_leave(const node_name& node) {
  if (orders_.insert(node).second) write_soon();
}

void record::told_to_rejoin(const node_name& node) {
  if (orders_.erase(node) > 0) write_soon();
}

void record::keep(const membership::snapshot& now) {
  const bool same = !incidents_ || incidents_ == now.incidents;
  incidents_ = now.incidents;
  totals_ = now.totals;
  if (!same) write_soon();
  look_at_history();
}

void record::look_at_history() {
  if (history_ == nullptr || history_->revision() == written_revision_ || !kept_somewhere()) return;
  if (std::exchange(day_waits_, true)) return;
  day_due_.expires_after(day_delay);
  day_due_.async_wait([weak = weak_from_this()](boost::system::error_code code) {
    if (const auto self = weak.lock(); self && !code) self->write_history();
  });
}

void record::write_soon() {
  if (!kept_somewhere() || std::exchange(waiting_, true)) return;
  due_.expires_after(delay);
  due_.async_wait([weak = weak_from_this()](boost::system::error_code) {
    if (const auto self = weak.lock()) self->flush_incidents();
  });
}

void record::flush_incidents() {
  if (!std::exchange(waiting_, false)) return;
  write();
  due_.cancel();
}

void record::flush() {
  flush_incidents();
  look_at_history();
  if (day_waits_) write_history();
}

remembered_state record::state() const {
  return {.incidents = incidents_ ? *incidents_ : std::vector<membership::incident>(),
          .totals = totals_,
          .kept_out = {orders_.begin(), orders_.end()}};
}

void record::write() {
  if (map_) map_->write(state());
  if (file_) tell(file_->write(state()), failing_, "incidents are");
}

void record::write_history() {
  day_waits_ = false;
  day_due_.cancel();
  written_revision_ = history_->revision();
  // The ConfigMap holds both, and is written whole.
  if (map_) map_->write(state());
  if (history_file_) tell(history_file_->write(to_json(*history_)), day_failing_, "the last day is");
}

void record::tell(const std::string& problem, bool& failing, const std::string& what) {
  if (!problem.empty() && !std::exchange(failing, true))
    log_.warning(what + " not kept: " + problem, {{"dir", folder_}});
  if (problem.empty() && std::exchange(failing, false)) log_.info(what + " kept again", {{"dir", folder_}});
}

}  // namespace rollcall::app
