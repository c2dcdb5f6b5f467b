// Pods of a headless service, made of network namespaces.
#include "test/support/pods.hpp"

namespace rollcall::test {

pods::pods(pods_options options) : options_(std::move(options)) {
  const auto& names = network_.add("dns");
  const auto& asked = options_.cached_for > 0 ? network_.add("cache") : names;
  network_.resolv_conf("nameserver " + asked.address +
                       "\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5 "
                       "timeout:1 attempts:2\n");
  dns_ = std::make_unique<dns_server>(
      dns_server_options{.address = names.address,
                         .port = 53,
                         .network_namespace = names.network_namespace,
                         .ttl = options_.cached_for > 0 ? options_.cached_for : dns_server_options{}.ttl});
  if (options_.cached_for > 0)
    cache_ = std::make_unique<dns_cache>(*dns_, asked.address, std::uint16_t{53}, asked.network_namespace);
  network_.add("rollcall");
  for (std::size_t i = 0; i < options_.count; ++i) add();
  for (auto& one : pods_) one.node->ready();
  publish();
}

std::string pods::name(std::size_t index) const {
  return "app@" + dns_->host("app.default", record(index));
}

std::string pods::record(std::size_t index) const {
  return options_.dashed ? dashed(host_of(index).address) : hostname(index);
}

std::size_t pods::add() {
  const auto index = pods_.size();
  const auto& where = network_.add(hostname(index));
  auto& one = pods_.emplace_back();
  one.mapper = std::make_unique<epmd>(std::uint16_t{4369}, where.network_namespace);
  one.node = std::make_unique<beam>(beam_options{.name = name(index),
                                                 .cookie = options_.cookie,
                                                 .network_namespace = where.network_namespace,
                                                 .arguments = options_.arguments,
                                                 .environment = {},
                                                 .elixir = options_.elixir},
                                    false);
  return index;
}

void pods::publish() {
  headless_service service{.ports = {{.name = "dist", .port = 4370}, {.name = "epmd", .port = 4369}}};
  for (std::size_t i = 0; i < pods_.size(); ++i) {
    if (!pods_[i].listed) continue;
    service.pods.push_back({.hostname = options_.dashed ? "" : hostname(i), .address = host_of(i).address});
  }
  dns_->publish_service("app.default", service);
}

void pods::list(std::size_t index, bool listed) {
  pods_.at(index).listed = listed;
  publish();
}

void pods::bring_back(std::size_t index) {
  auto& one = pods_.at(index);
  one.node->kill();
  one.mapper->stop();
  network_.renumber(hostname(index));
  one.mapper->start();
  publish();
  one.node->options().name = name(index);
  one.node->restart();
}

void pods::take_away(std::size_t index) {
  pods_.at(index).mapper->stop();
  network_.darken(hostname(index));
  list(index, false);
}

rollcall_program pods::rollcall(std::vector<std::string> more, std::string interval) {
  std::vector<std::string> arguments{"--srv", srv_source()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const auto& where = network_.at("rollcall");
  return rollcall_program({.arguments = std::move(arguments),
                           .cookie = options_.cookie,
                           .environment = {{"POD_IP", where.address}},
                           .network_namespace = where.network_namespace,
                           .name = {},
                           .interval = std::move(interval)});
}

}  // namespace rollcall::test
