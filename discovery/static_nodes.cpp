// --node: nodes known by name.
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
  explicit static_nodes(static_source one) : one_(std::move(one)) {}

  asio::awaitable<heard> ask() override {
    heard what;
    for (const auto& each : one_.nodes) {
      auto host = without_brackets(each.host());
      const auto address = literal(host);
      what.entries.push_back({each, std::move(host), address, std::nullopt});
    }
    co_return what;
  }
  bool asks() const override { return false; }

 private:
  static_source one_;
};

}  // namespace

std::unique_ptr<source> make_static_source(static_source one) {
  return std::make_unique<static_nodes>(std::move(one));
}

}  // namespace rollcall::discovery
