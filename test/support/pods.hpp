// A small Kubernetes: a network, a name server with a headless service, pods (a host, its port mapper, its
// node) and a place for Rollcall. Pods have stable names, as a StatefulSet's, and change address when they
// come back.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "test/support/beam.hpp"
#include "test/support/dns_server.hpp"
#include "test/support/epmd.hpp"
#include "test/support/network.hpp"
#include "test/support/rollcall_program.hpp"

namespace rollcall::test {

struct pods_options {
  std::size_t count = 3;
  std::vector<std::string> arguments{};  // of every node
  std::string cookie = "chocolate";
  bool elixir = false;
  bool dashed =
      false;  // named by their address, as a Deployment's; else by a name of their own, as a StatefulSet's
  int cached_for =
      0;  // seconds: a name server that caches its answers for so long stands before the real one
};

class pods {
 public:
  explicit pods(pods_options);

  std::size_t size() const noexcept { return pods_.size(); }
  beam& node(std::size_t index) { return *pods_.at(index).node; }
  epmd& mapper(std::size_t index) { return *pods_.at(index).mapper; }
  std::string name(std::size_t index) const;  // app@web-N.app.default.svc.cluster.local
  std::string hostname(std::size_t index) const {
    return "web-" + std::to_string(index);
  }  // also the host's name in network()
  const host& host_of(std::size_t index) const { return network_.at(hostname(index)); }

  std::size_t add();                          // a new pod, not published
  void publish();                             // all pods that are listed
  void list(std::size_t index, bool listed);  // and publish
  // Its node has ended: the address is dark and, as with publishNotReadyAddresses, listed until now.
  void take_away(std::size_t index);
  // The pod dies (kill -9) and its address answers no more; it comes back with a new one, under its old name;
  // or with `dashed` under another.
  void bring_back(std::size_t index);

  rollcall_program rollcall(std::vector<std::string> more = {}, std::string interval = "500ms");
  std::string srv_source() const { return "app@_dist._tcp.app.default.svc.cluster.local"; }

  test::network& net() noexcept { return network_; }
  dns_server& dns() noexcept { return *dns_; }

 private:
  std::string record(std::size_t index) const;  // its host's name in the zone
  struct pod {
    std::unique_ptr<epmd> mapper;
    std::unique_ptr<beam> node;
    bool listed = true;
  };
  pods_options options_;
  test::network network_;
  std::unique_ptr<dns_server> dns_;
  std::unique_ptr<dns_cache> cache_;
  std::deque<pod> pods_;
};

}  // namespace rollcall::test
