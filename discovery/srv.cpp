// --srv: the targets of a service's SRV records (RFC 2782) are the hosts of nodes.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "discovery/lookup_text.hpp"
#include "discovery/search_list.hpp"
#include "discovery/source.hpp"

namespace rollcall::discovery {
namespace {

class srv final : public source {
 public:
  srv(srv_source one, bool use_port, resolver& names)
      : one_(std::move(one)), use_port_(use_port), resolve_(names) {}

  // One question when it is known which completion of the name has records; all of them in turn until then.
  // One that fails leaves what a later one says a part of the truth.
  asio::awaitable<heard> ask() override {
    heard what;
    const auto names = chosen_.empty() ? resolve_.candidates(one_.domain) : std::vector<std::string>{chosen_};
    const auto until = std::chrono::steady_clock::now() + resolve_.limit();
    std::optional<query_answer<std::vector<srv_record>>> kept, failure;
    std::vector<std::string> tried;
    for (const auto& name : names) {
      const bool ours =
          !chosen_.empty() || tried.empty() || !is_outside(name, one_.domain, resolve_.search());
      if (failure && !ours) continue;  // a stranger does not answer for what failed
      auto answer = co_await resolve_.srv(name, until);
      tried.push_back(tried_name(name, answer.outcome));
      if (has_records(answer.outcome)) {
        kept = std::move(answer);
        if (!failure) chosen_ = name;
        break;
      }
      if (failed(answer.outcome)) {
        if (ours && !failure) failure = std::move(answer);
        continue;
      }
      // A name without records says more than a name that is not there.
      if (!kept || (answer.outcome == query_outcome::empty && kept->outcome == query_outcome::nxdomain))
        kept = std::move(answer);
    }
    if (failure && kept && has_records(kept->outcome)) {
      make_partial(*kept, *failure, tried);
    } else {
      if (failure) kept = std::move(failure);
      if (chosen_.empty() && tried.size() > 1) kept->detail += tried_as(tried);
    }
    what.outcome = kept->outcome;
    what.detail = std::move(kept->detail);
    const bool nothing = what.outcome == query_outcome::empty || what.outcome == query_outcome::nxdomain;
    if (nothing && one_.domain.starts_with('_') && co_await has_unnamed_port()) {
      what.detail += fmt::format(
          "; {} itself has SRV records, so its port has no name: try --srv {}@{}, or name "
          "the service's port",
          service(), one_.alive, service());
    }
    if (what.outcome == query_outcome::partial) what.unanswered = address_family::both;
    what.ttl = kept->ttl;
    for (const auto& each : kept->dropped) {
      what.remarks.push_back(fmt::format("target '{}' is no host name and is left out", each));
    }
    take_records(kept->records, what);
    co_return what;
  }

  void believed_empty() override { chosen_.clear(); }

 private:
  // Without the labels of a port, as in _dist._tcp.
  std::string service() const {
    std::string_view rest = one_.domain;
    while (rest.starts_with('_') && rest.find('.') != std::string_view::npos)
      rest.remove_prefix(rest.find('.') + 1);
    return std::string(rest);
  }

  asio::awaitable<bool> has_unnamed_port() {
    for (const auto& name : resolve_.candidates(service())) {
      const auto answer = co_await resolve_.srv(name);
      if (!answer.records.empty()) co_return true;
      if (answer.outcome != query_outcome::empty && answer.outcome != query_outcome::nxdomain) break;
    }
    co_return false;
  }

  // `records` are sorted by target, then port.
  void take_records(const std::vector<srv_record>& records, heard& what) const {
    for (auto first = records.begin(); first != records.end();) {
      const auto& target = first->target;
      const auto last =
          std::find_if(first, records.end(), [&](const auto& each) { return each.target != target; });
      const auto best = std::min_element(first, last, [](const auto& a, const auto& b) {
        return std::pair(a.priority, a.port) < std::pair(b.priority, b.port);
      });
      std::optional<std::uint16_t> port;
      if (use_port_ && best->port != 0) port = best->port;
      const bool several =
          std::any_of(first, last, [&](const auto& each) { return each.port != best->port; });
      if (use_port_ && several && !is_pattern(one_.alive)) {
        what.remarks.push_back(fmt::format(
            "{} has SRV records with several ports, {} is used: ask for the one that is meant, as in "
            "_dist._tcp.{}",
            target, best->port, one_.domain));
      }
      if (is_pattern(one_.alive)) {
        take_places({first, last}, what);
      } else if (auto name = node_name::make(one_.alive, target)) {
        what.entries.push_back({std::move(*name), target, std::nullopt, port});
      } else {
        what.remarks.push_back(not_a_name(one_.alive, target, name.error()));
      }
      first = last;
    }
  }

  // The records of one target: each port is a place of its own where ports are looked at.
  void take_places(std::span<const srv_record> records, heard& what) const {
    for (const auto& each : records) {
      auto name = place_name(each.target);
      if (!name) {
        what.remarks.push_back(not_a_name(place_alive, each.target, name.error()));
        return;
      }
      std::optional<std::uint16_t> port;
      if (use_port_ && each.port != 0) port = each.port;
      what.entries.push_back({std::move(*name), each.target, std::nullopt, port, one_.alive});
    }
  }

  srv_source one_;
  bool use_port_;
  resolver& resolve_;
  std::string chosen_;  // the completed name that had records
};

}  // namespace

std::unique_ptr<source> make_srv_source(srv_source one, bool use_port, resolver& names) {
  return std::make_unique<srv>(std::move(one), use_port, names);
}

}  // namespace rollcall::discovery
