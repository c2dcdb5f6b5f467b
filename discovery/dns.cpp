// --dns: each address of a name (A and AAAA records) is the host of a node.
#include "discovery/answering_addresses.hpp"
#include "discovery/source.hpp"

namespace rollcall::discovery {
namespace {

class dns final : public source {
 public:
  dns(dns_source one, resolver& names) : one_(std::move(one)), resolve_(names) {}

  asio::awaitable<heard> ask() override {
    heard what;
    auto answer = co_await resolve_.addresses(one_.domain);
    what.outcome = answer.outcome;
    what.detail = std::move(answer.detail);
    what.unanswered = answer.unanswered;
    what.ttl = answer.ttl;
    answering_.bound();
    for (const auto& each : answer.records) {
      auto host = each.to_string();
      const bool place = is_pattern(one_.alive);
      if (auto name = place ? place_name(host) : node_name::make(one_.alive, host)) {
        what.entries.push_back(
            {std::move(*name), std::move(host), each, std::nullopt, place ? one_.alive : std::string()});
      } else {
        what.remarks.push_back(not_a_name(one_.alive, host, name.error()));
      }
    }
    co_return what;
  }

  bool linked(const entry& one) override { return answering_.linked(one); }
  bool keeps(const entry& one, const std::vector<entry>& all) const override {
    return answering_.keeps(one, all);
  }

 private:
  dns_source one_;
  resolver& resolve_;
  answering_addresses answering_;
};

}  // namespace

std::unique_ptr<source> make_dns_source(dns_source one, resolver& names) {
  return std::make_unique<dns>(std::move(one), names);
}

}  // namespace rollcall::discovery
