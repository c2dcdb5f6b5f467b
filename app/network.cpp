#include "app/network.hpp"

#include <boost/asio/error.hpp>
#include <charconv>
#include <random>

#include "app/reason.hpp"
#include "cnode/port_mapper.hpp"

namespace rollcall::app {
namespace {

constexpr milliseconds local_port_mapper_wait{1'000};

std::vector<discovery::source_options> sources_of(const configuration& c) {
  std::vector<discovery::source_options> sources;
  for (const auto& s : c.srv) sources.emplace_back(discovery::srv_source{s.alive, s.domain});
  for (const auto& s : c.dns) sources.emplace_back(discovery::dns_source{s.alive, s.domain});
  for (const auto& s : c.kubernetes) {
    const auto dot = s.domain.find('.');
    sources.emplace_back(discovery::kubernetes_source{
        s.alive, s.domain.substr(0, dot), dot == std::string::npos ? "" : s.domain.substr(dot + 1)});
  }
  if (!c.nodes.empty()) sources.emplace_back(discovery::static_source{c.nodes});
  if (c.local) sources.emplace_back(discovery::local_source{});
  return sources;
}

// No port mapper and a silent one are two facts to discovery, which knows nothing of cnode's errors.
boost::system::error_code as_the_roster_knows_it(boost::system::error_code code) {
  if (code == cnode::make_error_code(cnode::error::refused)) return asio::error::connection_refused;
  if (code == cnode::make_error_code(cnode::error::timed_out)) return asio::error::timed_out;
  return code;
}

}  // namespace

std::uint16_t port_mapper_port(const environment& env) {
  const auto found = env.find("ERL_EPMD_PORT");
  if (found == env.end() || found->second.empty()) return cnode::epmd::default_port;
  const auto& text = found->second;
  unsigned value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || value == 0 || value > 65'535) {
    throw configuration_error("ERL_EPMD_PORT is \"" + text + "\": a port is a number from 1 to 65535");
  }
  return static_cast<std::uint16_t>(value);
}

discovery::resolver::options resolver_options(const configuration& c) {
  discovery::resolver::options options;
  options.timeout = c.dns_timeout;
  options.tcp = c.dns_tcp;
  options.family = c.family;
  if (!c.dns_server) return options;
  boost::system::error_code code;
  const auto address = asio::ip::make_address(c.dns_server->host, code);
  if (code) {
    throw configuration_error("--dns-server is \"" + c.dns_server->host +
                              "\": an IP address with a port is needed");
  }
  options.server = asio::ip::udp::endpoint(address, c.dns_server->port);
  return options;
}

discovery::roster::options roster_options(const configuration& c) {
  auto ignore = c.ignore;
  ignore.push_back(c.name->text());  // we are nobody's member, also where our own service is asked
  discovery::roster::options options{.sources = sources_of(c),
                                     .ignore = std::move(ignore),
                                     .srv_port = c.peer_port == peer_port_mode::srv,
                                     .linger = c.linger};
  options.family = c.family;
  if (c.kubernetes_api) options.kubernetes.emplace(c.kubernetes_api->host, c.kubernetes_api->port);
  return options;
}

membership::settings core_settings(const configuration& c) {
  membership::settings s;
  s.interval = c.interval;
  s.expect = c.expect;
  s.reap_after = c.reap_after;
  s.heal = c.heal;
  s.seed = std::random_device{}();
  // Who passes by looks once, and asks nothing of the nodes that takes time.
  s.probe = c.command == command::run;
  s.watch = s.probe && c.views == view_mode::push;
  s.probe_limit = c.probe_timeout;
  s.linger = c.linger;
  s.introduce_timeout = c.introduce_timeout;
  s.prune_after = c.prune_after;
  s.prune_live = c.prune_live;
  return s;
}

cnode::node_options node_options(const configuration& c, std::vector<std::string> cookies,
                                 std::uint16_t mapper_port, std::shared_ptr<const tls::context> tls) {
  cnode::node_options options{.name = *c.name, .cookies = std::move(cookies)};
  options.listen_port = c.dist_port;
  options.port_mapper = c.epmd;
  options.port_mapper_port = mapper_port;
  options.tls = std::move(tls);
  return options;
}

asio::awaitable<boost::system::result<std::vector<discovery::local_entry>>> local_names(
    std::uint16_t mapper_port, std::string own) {
  const auto names =
      co_await cnode::ask_names({asio::ip::address_v4::loopback(), mapper_port}, local_port_mapper_wait);
  if (!names) co_return as_the_roster_knows_it(names.error());
  std::vector<discovery::local_entry> entries;
  for (const auto& entry : *names) {
    if (entry.alive != own) entries.push_back({entry.alive, entry.port});
  }
  co_return entries;
}

asio::awaitable<cnode::resolved> addresses_of(discovery::resolver& resolver, std::string host) {
  auto answer = co_await resolver.addresses(std::move(host));
  cnode::resolved found;
  found.addresses = std::move(answer.records);
  found.why = std::move(answer.detail);
  found.no_such_name = answer.outcome == discovery::query_outcome::nxdomain ||
                       answer.outcome == discovery::query_outcome::empty;
  co_return found;
}

cnode::target target_of(const discovery::entry& entry, const configuration& c) {
  cnode::target target{.name = entry.name,
                       .alive = std::string(entry.name.alive()),
                       .host = entry.host.empty() ? std::string(entry.name.host()) : entry.host,
                       .address = entry.address,
                       .port = entry.port};
  if (c.peer_port == peer_port_mode::fixed) target.port = c.fixed_peer_port;
  return target;
}

membership::wall_time wall_time_of(std::chrono::system_clock::time_point at) {
  return membership::wall_time(std::chrono::duration_cast<milliseconds>(at.time_since_epoch()));
}

membership::source_report report_of(discovery::source_status s) {
  membership::source_report r{.source = std::move(s.source),
                              .outcome = outcome_of(s.outcome),
                              .detail = std::move(s.detail),
                              .asked = s.asked,
                              .records = s.records,
                              .last_success = {},
                              .nodes = std::move(s.nodes),
                              .ttl = s.ttl};
  if (s.last_success) r.last_success = wall_time_of(*s.last_success);
  return r;
}

}  // namespace rollcall::app
