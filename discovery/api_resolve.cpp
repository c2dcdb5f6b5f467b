#include "discovery/api_resolve.hpp"

namespace rollcall::discovery {

api_resolve resolve_with(resolver& names) {
  return [&names](std::string host) -> asio::awaitable<api_addresses> {
    auto answer = co_await names.addresses(std::move(host));
    co_return api_addresses{std::move(answer.records), std::move(answer.detail)};
  };
}

}  // namespace rollcall::discovery
