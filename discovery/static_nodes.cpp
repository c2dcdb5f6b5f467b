// --node: nodes known by name.
#include <algorithm>

#include "discovery/source.hpp"

namespace rollcall::discovery {
namespace {

std::optional<asio::ip::address> literal(std::string_view host) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(std::string(host), error);
  if (error) return std::nullopt;
  return address;
}

std::string without_brackets(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return std::string(host);
}

class static_nodes final : public source {
 public:
  explicit static_nodes(const static_source& one) {
    entries_.reserve(one.nodes.size());
    for (const auto& each : one.nodes) {
      auto host = without_brackets(each.host());
      const auto address = literal(host);
      entries_.push_back({each, std::move(host), address, std::nullopt});
    }
    std::ranges::sort(entries_, {}, &entry::name);  // once, and not in each round
  }

  asio::awaitable<heard> ask() override {
    heard what;
    what.entries = entries_;
    co_return what;
  }
  bool asks() const override { return false; }

 private:
  std::vector<entry> entries_;
};

}  // namespace

std::unique_ptr<source> make_static_source(const static_source& one) {
  return std::make_unique<static_nodes>(one);
}

}  // namespace rollcall::discovery
