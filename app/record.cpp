#include "app/record.hpp"

#include <boost/asio/awaitable.hpp>
#include <utility>

namespace rollcall::app {

namespace {
constexpr milliseconds delay{1'000};
}

record::record(boost::asio::io_context& io, log& lines, const std::string& folder,
               std::shared_ptr<config_map> map)
    : log_(lines), due_(io), map_(std::move(map)), folder_(folder) {
  if (!folder.empty()) file_.emplace(folder);
}

std::optional<remembered_state> record::read() {
  if (!file_) return {};
  auto read = file_->read();
  for (const auto& problem : read.problems) log_.warning(problem);
  if (!read.found) return {};
  orders_.insert(read.found->kept_out.begin(), read.found->kept_out.end());
  return std::move(read.found);
}

boost::asio::awaitable<std::optional<remembered_state>> record::recall() {
  const auto self = shared_from_this();
  auto found = read();
  if (map_) found = newer(std::move(found), co_await map_->read());
  if (found) orders_.insert(found->kept_out.begin(), found->kept_out.end());
  co_return found;
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
}

void record::write_soon() {
  if ((!file_ && !map_) || std::exchange(waiting_, true)) return;
  due_.expires_after(delay);
  due_.async_wait([weak = weak_from_this()](boost::system::error_code) {
    if (const auto self = weak.lock()) self->flush();
  });
}

void record::flush() {
  if (!std::exchange(waiting_, false)) return;
  write();
  due_.cancel();
}

void record::write() {
  remembered_state state{.incidents = incidents_ ? *incidents_ : std::vector<membership::incident>(),
                         .totals = totals_,
                         .kept_out = {orders_.begin(), orders_.end()}};
  if (map_) map_->write(state);
  if (!file_) return;
  const auto problem = file_->write(state);
  if (!problem.empty() && !std::exchange(failing_, true)) {
    log_.warning("incidents are not kept: " + problem, {{"dir", folder_}});
  }
  if (problem.empty() && std::exchange(failing_, false))
    log_.info("incidents are kept again", {{"dir", folder_}});
}

}  // namespace rollcall::app
