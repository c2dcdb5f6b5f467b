#include "app/link_survey.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace rollcall::app {
namespace {

using membership::link_probe;

constexpr int more_time = 3;

bool failed(link_probe result) {
  return result == link_probe::silent || result == link_probe::no_link;
}

// Those of `asked` whose probe failed, all asked at once.
asio::awaitable<listed_peers> failing(asio::io_context& io, link_probes& probes, listed_peers asked,
                                      milliseconds limit) {
  listed_peers found;
  auto pending = asked.size();
  asio::steady_timer all(io, asio::steady_timer::time_point::max());
  const auto ask = [&](const node_name& on, const std::vector<node_name>& to) -> asio::awaitable<void> {
    const auto results = co_await probes.ask(on, to, limit, true);
    for (std::size_t i = 0; i < to.size(); ++i) {
      if (failed(results[i])) found[on].push_back(to[i]);
    }
  };
  for (const auto& [on, to] : asked) {
    asio::co_spawn(io, ask(on, to), [&](std::exception_ptr failure) {
      if (failure) std::rethrow_exception(failure);
      if (--pending == 0) all.cancel();
    });
  }
  boost::system::error_code ignored;
  if (pending > 0) co_await all.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  co_return found;
}

}  // namespace

asio::awaitable<link_survey> survey_links(asio::io_context& io, link_probes& probes, listed_peers listed,
                                          milliseconds limit) {
  link_survey survey;
  std::erase_if(listed, [](const auto& one) { return one.second.empty(); });
  const auto share = max_surveyed / std::max<std::size_t>(listed.size(), 1);
  std::size_t turn = 0;
  for (auto& [on, to] : listed) {
    survey.listed += to.size();
    if (to.size() > share) {
      // Not the same few from each.
      std::rotate(to.begin(), to.begin() + static_cast<std::ptrdiff_t>(turn % to.size()), to.end());
      to.erase(to.begin() + static_cast<std::ptrdiff_t>(share), to.end());
    }
    ++turn;
    survey.probed += to.size();
  }
  auto suspects = co_await failing(io, probes, std::move(listed), limit);
  suspects = co_await failing(io, probes, std::move(suspects), limit * more_time);
  for (auto& [from, all] : suspects) {
    std::ranges::sort(all);
    for (auto& to : all) survey.dead.push_back({from, std::move(to)});
  }
  co_return survey;
}

}  // namespace rollcall::app
