// --local: the names that this machine's port mapper has. They are halves: the hosts are guesses until the
// handshakes tell.
#include <fmt/format.h>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <map>

#include "discovery/source.hpp"

namespace rollcall::discovery {
namespace {

constexpr std::size_t max_learned = 4'096;

class local final : public source {
 public:
  local(std::string guessed_host, local_names_function names)
      : guessed_host_(std::move(guessed_host)), local_names_(std::move(names)) {}

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
    local_ports_.clear();
    for (const auto& each : *names) {
      const auto known = learned_names_.find(each.alive);
      const auto name = known != learned_names_.end() ? boost::system::result<node_name>(known->second.real)
                                                      : node_name::make(each.alive, guessed_host_);
      if (!name) {
        what.remarks.push_back(not_a_name(each.alive, guessed_host_, name.error()));
        continue;
      }
      const bool guess = known == learned_names_.end() || known->second.port != each.port;
      what.entries.push_back(
          {*name, std::string(name->host()), asio::ip::address_v4::loopback(), each.port, guess});
      local_ports_[each.alive] = each.port;
    }
    co_return what;
  }

  void learned(const node_name& guess, const node_name& real) override {
    if (learned_names_.size() >= max_learned) learned_names_.clear();
    const auto port = local_ports_.find(guess.alive());
    learned_names_.insert_or_assign(
        std::string(guess.alive()),
        learned_name{real, port == local_ports_.end() ? std::uint16_t{0} : port->second});
  }

 private:
  struct learned_name {
    node_name real;
    std::uint16_t port;  // under which it was learned: at another port it is another start of that node
  };

  std::string guessed_host_;
  local_names_function local_names_;
  std::map<std::string, learned_name, std::less<>> learned_names_;  // by the part before the '@'
  std::map<std::string, std::uint16_t, std::less<>> local_ports_;
};

}  // namespace

std::unique_ptr<source> make_local_source(std::string guessed_host, local_names_function names) {
  return std::make_unique<local>(std::move(guessed_host), std::move(names));
}

}  // namespace rollcall::discovery
