// --kubernetes: the endpoints of a service, as its EndpointSlices say (slice_watch.hpp). A node is called
// what DNS would call its endpoint, and dialled at the endpoint's address.
//
//   ready                         listed
//   not ready, and was once       listed: it is a member that has a problem, or one that had and gets well
//   not ready, and never was      not listed yet: it has perhaps not even an image; counted in the answer
//   terminating                   leaving, at once and for as long as it takes
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <span>
#include <tuple>

#include "discovery/answering_addresses.hpp"
#include "discovery/api_resolve.hpp"
#include "discovery/source.hpp"

namespace rollcall::discovery {
namespace {

constexpr milliseconds first_answer_wait{2'000};
constexpr std::size_t max_pending_named = 5;

// The domain in which resolv.conf of a pod searches services: "svc.cluster.local".
std::string services_domain(std::span<const std::string> search) {
  for (const auto& each : search) {
    if (each.starts_with("svc.")) return each;
    const auto at = each.find(".svc.");
    if (at != std::string::npos && each.find('.') == at) return each.substr(at + 1);
  }
  return "svc.cluster.local";
}

class kubernetes final : public source {
 public:
  kubernetes(asio::io_context& io, kubernetes_source one, const api_server& server, address_family family,
             resolver& names, std::function<void()> changed)
      : one_(std::move(one)),
        family_(family),
        names_(names),
        watch_(std::make_shared<slice_watch>(
            io, server, resolve_with(names),
            slice_watch::options{
                .service = one_.service, .name_space = one_.name_space, .seed = std::random_device{}()},
            std::move(changed))) {
    watch_->start();
  }
  ~kubernetes() override { watch_->stop(); }

  asio::awaitable<heard> ask() override {
    co_await watch_->first(first_answer_wait);
    ++turn_;
    auto what = told();
    if (const auto& problem = watch_->problem()) {
      what.outcome = problem->timed_out ? query_outcome::timeout : query_outcome::error;
      what.detail = problem->text;
      what.entries.clear();
    } else if (!watch_->listed()) {
      what.outcome = query_outcome::timeout;
      what.detail =
          fmt::format("no answer yet from the Kubernetes API server at {}", watch_->server().authority());
    }
    co_return what;
  }

  // "Nothing" is no news: a source that says so is asked several times before it is believed.
  std::optional<heard> news() override {
    if (!watch_->listed() || watch_->problem()) return std::nullopt;
    auto what = told();
    if (what.outcome != query_outcome::ok) return std::nullopt;
    return what;
  }

  const watch_figures* figures() const override { return &watch_->figures(); }

  bool linked(const entry& one) override { return answering_.linked(one); }
  bool keeps(const entry& one, const std::vector<entry>& all) const override {
    return answering_.keeps(one, all);
  }

 private:
  std::string service_text() const {
    return fmt::format("service {} in namespace {}", one_.service, watch_->name_space());
  }

  heard told() {
    heard what;
    const auto endpoints = watch_->endpoints();
    remember_ready(endpoints);
    std::vector<const endpoint*> pending;
    std::map<std::string, std::vector<const endpoint*>> nodes;  // by host
    for (const auto& each : endpoints) {
      if (family_ != address_family::both && each.address.is_v4() != (family_ == address_family::v4))
        continue;
      if (each.ready || was_ready_.contains(each.uid) || (each.terminating && each.serving)) {
        nodes[host_of(each)].push_back(&each);
      } else if (!each.terminating) {
        pending.push_back(&each);
      }
    }
    for (const auto& [host, candidates] : nodes) add(host, best_of(candidates), what);
    if (what.entries.empty()) {
      what.outcome = query_outcome::empty;
      what.detail = nothing(endpoints.empty(), pending);
    }
    return what;
  }

  bool is_place() const { return is_pattern(one_.alive); }

  std::string host_of(const endpoint& each) const {
    if (is_place()) return each.address.to_string();
    return dns_host_of(
        each, fmt::format("{}.{}.{}", one_.service, watch_->name_space(), services_domain(names_.search())));
  }

  // A pod's two addresses under one name, or a pod that is killed beside its successor.
  const endpoint& best_of(const std::vector<const endpoint*>& candidates) const {
    const auto worth = [this](const endpoint* each) {
      return std::tuple(!each->terminating, each->ready, answering_.contains(each->address),
                        family_is_answered(each->address.is_v4()),
                        // Nothing known: in turns, one family each round.
                        each->address.is_v4() == (turn_ % 2 == 1));
    };
    return **std::ranges::max_element(candidates, {}, worth);
  }
  bool family_is_answered(bool v4) const { return answering_.in_family(v4); }

  void add(const std::string& host, const endpoint& each, heard& what) const {
    auto name = is_place() ? place_name(host) : node_name::make(one_.alive, host);
    if (!name) {
      what.remarks.push_back(not_a_name(one_.alive, host, name.error()));
      return;
    }
    entry made{.name = std::move(*name), .host = host, .address = each.address, .port = std::nullopt};
    if (is_place()) made.pattern = one_.alive;
    made.placed = placement{.pod = each.pod,
                            .name_space = watch_->name_space(),
                            .uid = each.uid,
                            .machine = each.machine,
                            .zone = each.zone,
                            .leaving = each.terminating};
    what.entries.push_back(std::move(made));
  }

  std::string nothing(bool no_endpoints, const std::vector<const endpoint*>& pending) const {
    if (!watch_->has_slices()) {
      return fmt::format("{} has no EndpointSlice: is there a service of that name, with a selector?",
                         service_text());
    }
    if (no_endpoints || pending.empty()) return service_text() + " has no endpoints";
    std::set<std::string> pods;
    for (const auto* each : pending) pods.insert(each->pod.empty() ? each->address.to_string() : each->pod);
    std::string named;
    std::size_t count = 0;
    for (const auto& each : pods) {
      if (++count <= max_pending_named) named += (named.empty() ? "" : ", ") + each;
    }
    if (pods.size() > max_pending_named)
      named += fmt::format(" and {} more", pods.size() - max_pending_named);
    return fmt::format("no pod of {} is ready yet: {}", service_text(), named);
  }

  void remember_ready(const std::vector<endpoint>& endpoints) {
    std::set<std::string> now;
    for (const auto& each : endpoints) {
      if (!each.uid.empty() && (each.ready || was_ready_.contains(each.uid))) now.insert(each.uid);
    }
    was_ready_ = std::move(now);
    answering_.bound();
  }

  kubernetes_source one_;
  address_family family_;
  resolver& names_;
  std::shared_ptr<slice_watch> watch_;
  std::set<std::string> was_ready_;  // by uid
  answering_addresses answering_;
  unsigned turn_ = 0;
};

}  // namespace

std::unique_ptr<source> make_kubernetes_source(asio::io_context& io, kubernetes_source one,
                                               const api_server& server, address_family family,
                                               resolver& name_server, std::function<void()> changed) {
  return std::make_unique<kubernetes>(io, std::move(one), server, family, name_server, std::move(changed));
}

}  // namespace rollcall::discovery
