#include "app/record.hpp"

#include <utility>

namespace rollcall::app {

namespace {
constexpr milliseconds delay{1'000};
}

record::record(boost::asio::io_context& io, log& lines, const std::string& folder)
    : log_(lines), due_(io), folder_(folder) {
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
  if (!file_ || std::exchange(waiting_, true)) return;
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
  const auto problem =
      file_->write({.incidents = incidents_ ? *incidents_ : std::vector<membership::incident>(),
                    .totals = totals_,
                    .kept_out = {orders_.begin(), orders_.end()}});
  if (!problem.empty() && !std::exchange(failing_, true)) {
    log_.warning("incidents are not kept: " + problem, {{"dir", folder_}});
  }
  if (problem.empty() && std::exchange(failing_, false))
    log_.info("incidents are kept again", {{"dir", folder_}});
}

}  // namespace rollcall::app
