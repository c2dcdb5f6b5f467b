// Lasting faults, made of cookies and packet filters.
#include "test/support/lasting_faults.hpp"

#include <memory>

namespace rollcall::test {
namespace {

constexpr auto mapper_port = std::uint16_t{4369};

void disconnect(pods& cluster) {
  cluster.node(1).eval("erlang:disconnect_node('" + cluster.name(2) + "')");
}

void cookie(pods& cluster, std::size_t on, std::size_t with, const std::string& value) {
  cluster.node(on).eval("erlang:set_cookie('" + cluster.name(with) + "', '" + value + "')");
}

}  // namespace

lasting_fault refused_pair() {
  return {"a refused pair",
          [](pods& cluster) {
            cookie(cluster, 1, 2, "x");
            cookie(cluster, 2, 1, "y");
            disconnect(cluster);
          },
          [](pods& cluster) {
            cookie(cluster, 1, 2, "chocolate");
            cookie(cluster, 2, 1, "chocolate");
          }};
}

lasting_fault port_mapper_blocked() {
  return {"port mapper blocked between two",
          [](pods& cluster) {
            cluster.net().block("web-1", "web-2", mapper_port);
            cluster.net().block("web-2", "web-1", mapper_port);
            disconnect(cluster);
          },
          [](pods& cluster) {
            cluster.net().open("web-1", "web-2", mapper_port);
            cluster.net().open("web-2", "web-1", mapper_port);
          }};
}

lasting_fault proxy_in_the_way(misbehaviour what) {
  auto proxies = std::make_shared<std::vector<std::unique_ptr<fake_node>>>();
  const auto divert = [proxies, what](pods& cluster, std::size_t from, std::size_t to) {
    const auto& where = cluster.host_of(to);
    proxies->push_back(std::make_unique<fake_node>("nobody@" + where.address, "chocolate", what,
                                                   where.address, where.network_namespace));
    cluster.net().divert(cluster.hostname(from), cluster.hostname(to), proxies->back()->port());
  };
  return {what == misbehaviour::silent ? "a silent proxy between two" : "a proxy that closes between two",
          [divert](pods& cluster) {
            divert(cluster, 1, 2);
            divert(cluster, 2, 1);
            disconnect(cluster);
          },
          [proxies](pods& cluster) {
            cluster.net().heal("web-1", "web-2");
            proxies->clear();
          }};
}

lasting_fault large_packets_lost() {
  return {"large packets lost between two",
          [](pods& cluster) {
            cluster.node(1).eval("spawn(fun() -> (fun Send() -> erlang:send({nobody, '" + cluster.name(2) +
                                 "'}, binary:copy(<<7>>, 4000), [noconnect, nosuspend]), timer:sleep(200), "
                                 "Send() end)() end), ok");
            cluster.net().lose_large("web-1", "web-2");
          },
          [](pods& cluster) { cluster.net().heal("web-1", "web-2"); }};
}

lasting_fault dark_pair() {
  return {"a dark pair", [](pods& cluster) { cluster.net().cut("web-1", "web-2"); },
          [](pods& cluster) { cluster.net().heal("web-1", "web-2"); }};
}

lasting_fault cut_from_some() {
  const std::vector<std::string> one{"web-0"}, some{"web-1", "web-2"};
  return {"a node cut from two of five", [=](pods& cluster) { cluster.net().cut(one, some); },
          [=](pods& cluster) { cluster.net().heal(one, some); }};
}

std::vector<lasting_fault> lasting_faults() {
  return {refused_pair(),
          port_mapper_blocked(),
          proxy_in_the_way(misbehaviour::closes_at_once),
          proxy_in_the_way(misbehaviour::silent),
          large_packets_lost(),
          dark_pair(),
          cut_from_some()};
}

}  // namespace rollcall::test
