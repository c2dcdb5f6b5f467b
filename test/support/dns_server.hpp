// A real name server (Knot) with a zone like Kubernetes' headless services, changed while it runs; and one in
// the test's own process for the faults a real server does not give.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "test/support/process.hpp"
#include "test/support/socket.hpp"

namespace rollcall::test {

// A pod as an endpoint of a headless service: `hostname` is the first label of its name (web-0, or 10-1-2-3).
struct endpoint {
  std::string hostname{};
  std::string address{};      // IPv4 or IPv6; empty: listed in SRV, but its name does not resolve yet
  std::uint16_t port = 4370;  // of the SRV record
  std::string port_name = "_dist._tcp";  // empty: listed under the service alone
};

// A headless service as Kubernetes knows it; publish_service() answers for it as CoreDNS does.
struct service_port {
  std::string name{};  // empty: no _NAME._PROTOCOL record, only one under the service itself
  std::uint16_t port = 0;
  std::string protocol = "tcp";
};
struct service_pod {
  std::string hostname{};  // a StatefulSet's pod; empty: named by its address, with dashes, as a Deployment's
  std::string address{};
  bool ready = true;
};
struct headless_service {
  std::vector<service_port> ports{};
  std::vector<service_pod> pods{};
  bool publish_not_ready = true;  // publishNotReadyAddresses; else a pod that is not ready is in no answer
};

// The first label of a pod that has no host name of its own: 10.1.2.3 is 10-1-2-3, fd00::7 is fd00--7.
std::string dashed(std::string address);

struct dns_server_options {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: a free one; in a namespace 53
  std::string network_namespace{};
  std::string domain = "cluster.local";  // the zone
  int ttl = 5;                           // seconds, of every record
};

class dns_server {
 public:
  explicit dns_server(dns_server_options = {});

  // What a headless service `name.namespace` (e.g. app.default) has from now on; served when this returns.
  //   SRV PORT._tcp.app.default.svc.DOMAIN and app.default.svc.DOMAIN -> HOSTNAME.app.default.svc.DOMAIN, one
  //   each; A/AAAA of app.default.svc.DOMAIN and of every HOSTNAME.
  void publish(const std::string& service, std::vector<endpoint> endpoints);
  // One SRV record for each port and pod, with the pods' names, as CoreDNS has them: under
  // _NAME._PROTOCOL.app.default.svc.DOMAIN for a named port, and all of them under app.default.svc.DOMAIN.
  void publish_service(const std::string& service, const headless_service&);
  // Lines of a zone file, after everything else; replaces the last ones.
  void extra_records(std::string lines);
  void stop();  // nothing listens any more
  void start();

  std::uint16_t port() const noexcept { return options_.port; }
  const std::string& address() const noexcept { return options_.address; }
  std::string endpoint_text() const { return options_.address + ":" + std::to_string(options_.port); }
  // HOSTNAME.app.default.svc.cluster.local
  std::string host(const std::string& service, const std::string& hostname) const;
  std::string service_domain(const std::string& service) const { return service + ".svc." + options_.domain; }

 private:
  void write_zone();
  void reload();
  dns_server_options options_;
  temporary_directory files_;
  std::map<std::string, std::vector<endpoint>> services_;
  std::string extra_;
  unsigned serial_ = 0;
  std::optional<process> process_;
};

// A real cache (dnsmasq) in front of it, as CoreDNS with `cache 30` or NodeLocal DNSCache is: for as long as
// the records' TTL says, it goes on giving what it has, and says how much of that time is left.
class dns_cache {
 public:
  dns_cache(const dns_server& behind, std::string address, std::uint16_t port, std::string network_namespace);

 private:
  process process_;
};

enum class dns_fault {
  relay,  // no fault: the answer of the server behind
  servfail,
  nxdomain,
  empty,      // NOERROR without a record
  silent,     // takes the question, never answers
  refused,    // REFUSED
  truncated,  // TC set and nothing else, over UDP; over TCP as relay
  garbage,    // bytes that are no DNS message
};

// Answers every question on its address (UDP and TCP) according to one switch; counts them.
class faulty_dns_server {
 public:
  // `behind`: the real one that relay asks, on loopback.
  explicit faulty_dns_server(const dns_server* behind = nullptr, dns_fault fault = dns_fault::relay,
                             std::uint16_t port = 0);
  ~faulty_dns_server();
  faulty_dns_server(const faulty_dns_server&) = delete;
  faulty_dns_server& operator=(const faulty_dns_server&) = delete;

  void become(dns_fault fault) { fault_ = fault; }
  int questions() const { return questions_; }  // all, since the start
  int questions(std::uint16_t type) const;      // of a type: 1 A, 28 AAAA, 33 SRV
  std::uint16_t port() const noexcept { return port_; }
  std::string endpoint_text() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  void serve(const std::stop_token&);
  std::string answer(const std::string& question, bool over_tcp);
  std::uint16_t port_;
  std::uint16_t behind_port_ = 0;
  socket udp_, tcp_;
  std::atomic<dns_fault> fault_;
  std::atomic<int> questions_{0}, a_{0}, aaaa_{0}, srv_{0};
  std::jthread thread_;
};

}  // namespace rollcall::test
