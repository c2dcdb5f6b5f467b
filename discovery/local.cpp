// --local: a place for each name that this machine's port mapper has. They are halves: the handshakes tell
// the rest.
#include <fmt/format.h>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "discovery/source.hpp"

namespace rollcall::discovery {
namespace {

class local final : public source {
 public:
  explicit local(local_names_function names) : local_names_(std::move(names)) {}

  asio::awaitable<heard> ask() override {
    heard what;
    boost::system::result<std::vector<local_entry>> names = std::vector<local_entry>{};
    try {
      names = co_await local_names_();
    } catch (const boost::system::system_error& problem) {
      names = problem.code();
    }
    if (!names && names.error() != boost::system::errc::connection_refused) {
      const bool late = names.error() == boost::system::errc::timed_out;
      what.outcome = late ? query_outcome::timeout : query_outcome::error;
      what.detail =
          fmt::format("this machine's port mapper (epmd) gives no names: {}", names.error().message());
      co_return what;
    }
    if (!names || names->empty()) {
      what.outcome = query_outcome::empty;
      what.detail = names ? "no node is registered with this machine's port mapper (epmd)"
                          : "no port mapper (epmd) runs on this machine, so no node does";
      co_return what;
    }
    for (const auto& each : *names) {
      if (auto place = place_name(each.alive)) {
        what.entries.push_back(
            {std::move(*place), "localhost", asio::ip::address_v4::loopback(), each.port, each.alive});
      } else {
        what.remarks.push_back(not_a_name(each.alive, "localhost", place.error()));
      }
    }
    co_return what;
  }

 private:
  local_names_function local_names_;
};

}  // namespace

std::unique_ptr<source> make_local_source(local_names_function names) {
  return std::make_unique<local>(std::move(names));
}

}  // namespace rollcall::discovery
