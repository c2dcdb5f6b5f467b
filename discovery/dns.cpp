// --dns: each address of a name (A and AAAA records) is the host of a node.
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
    what.complete = answer.complete;
    for (const auto& each : answer.records) {
      auto host = each.to_string();
      if (auto name = node_name::make(one_.alive, host)) {
        what.entries.push_back({std::move(*name), std::move(host), each, std::nullopt, false});
      } else {
        what.remarks.push_back(not_a_name(one_.alive, host, name.error()));
      }
    }
    co_return what;
  }

 private:
  dns_source one_;
  resolver& resolve_;
};

}  // namespace

std::unique_ptr<source> make_dns_source(dns_source one, resolver& names) {
  return std::make_unique<dns>(std::move(one), names);
}

}  // namespace rollcall::discovery
