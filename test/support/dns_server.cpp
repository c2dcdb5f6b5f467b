// Knot under test's control, and a name server that fails on demand.
#include "test/support/dns_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <stdexcept>

#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

// A question for the root's SOA: 12 bytes of header, an empty name, type and class.
const std::string probe("\x12\x34\0\0\0\1\0\0\0\0\0\0\0\0\6\0\1", 17);

std::string ask_udp(const std::string& question, std::uint16_t port, const std::string& address,
                    const std::string& network_namespace, milliseconds limit) {
  const auto asking = make_socket(SOCK_DGRAM, network_namespace);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  inet_pton(AF_INET, address.c_str(), &where.sin_addr);
  if (connect(asking.descriptor(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) return {};
  if (::send(asking.descriptor(), question.data(), question.size(), MSG_NOSIGNAL) < 0) return {};
  pollfd one{asking.descriptor(), POLLIN, 0};
  if (poll(&one, 1, static_cast<int>(limit.count())) <= 0) return {};
  char answer[65535];
  const auto size = recv(asking.descriptor(), answer, sizeof answer, 0);
  return size <= 0 ? std::string() : std::string(answer, static_cast<std::size_t>(size));
}

}  // namespace

std::string dashed(std::string address) {
  std::ranges::replace_if(
      address, [](char c) { return c == '.' || c == ':'; }, '-');
  return address;
}

dns_server::dns_server(dns_server_options options) : options_(std::move(options)) {
  if (options_.port == 0) options_.port = options_.network_namespace.empty() ? free_port() : 53;
  start();
}

std::string dns_server::host(const std::string& service, const std::string& hostname) const {
  return hostname + "." + service_domain(service);
}

void dns_server::publish(const std::string& service, std::vector<endpoint> endpoints) {
  services_[service] = std::move(endpoints);
  reload();
}

void dns_server::publish_service(const std::string& service, const headless_service& described) {
  std::vector<endpoint> endpoints;
  for (const auto& pod : described.pods) {
    if (!pod.ready && !described.publish_not_ready) continue;
    for (const auto& port : described.ports) {
      endpoints.push_back({.hostname = pod.hostname.empty() ? dashed(pod.address) : pod.hostname,
                           .address = pod.address,
                           .port = port.port,
                           .port_name = port.name.empty() ? "" : "_" + port.name + "._" + port.protocol});
    }
  }
  publish(service, std::move(endpoints));
}

void dns_server::extra_records(std::string lines) {
  extra_ = std::move(lines);
  reload();
}

void dns_server::write_zone() {
  std::string zone = "$ORIGIN " + options_.domain + ".\n$TTL " + std::to_string(options_.ttl) +
                     "\n@ SOA ns hostmaster " + std::to_string(++serial_) + " 60 60 60 " +
                     std::to_string(options_.ttl > 5 ? options_.ttl : 1) + "\n@ NS ns\nns A 127.0.0.1\n";
  for (const auto& [service, endpoints] : services_) {
    const auto base = service + ".svc";
    const auto owners = [&base](const endpoint& one) {
      std::vector<std::string> names{base};
      if (!one.port_name.empty()) names.push_back(one.port_name + "." + base);
      return names;
    };
    std::map<std::string, int> records;
    for (const auto& one : endpoints) {
      for (const auto& owner : owners(one)) ++records[owner];
    }
    for (const auto& one : endpoints) {
      const auto target = one.hostname + "." + base;
      for (const auto& owner : owners(one)) {
        // CoreDNS shares out a weight of 100 among the records of an answer.
        const auto weight = std::max(1, 100 / records[owner]);
        zone +=
            owner + " SRV 0 " + std::to_string(weight) + " " + std::to_string(one.port) + " " + target + "\n";
      }
      if (one.address.empty()) continue;
      const std::string type = one.address.find(':') == std::string::npos ? " A " : " AAAA ";
      zone.append(target).append(type).append(one.address).append("\n");
      zone.append(base).append(type).append(one.address).append("\n");
    }
  }
  files_.write("zone", zone + extra_);
}

void dns_server::reload() {
  write_zone();
  if (!process_) return;  // read when it starts again
  const auto wanted = " " + std::to_string(serial_);
  const auto done = eventually(
      [&] {
        const auto socket_path = (files_.path() / "knot.sock").string();
        run({.arguments = {"knotc", "-b", "-s", socket_path, "zone-reload", options_.domain},
             .environment = {},
             .network_namespace = {}});
        const auto status =
            run({.arguments = {"knotc", "-s", socket_path, "zone-status", options_.domain, "+serial"},
                 .environment = {},
                 .network_namespace = {}});
        return status.output.find(wanted) == std::string::npos
                   ? testing::AssertionFailure() << status.output << status.errors << process_->errors()
                   : testing::AssertionSuccess();
      },
      20s, "the new zone is served");
  if (!done) throw std::runtime_error(done.message());
}

void dns_server::stop() {
  process_.reset();
}

void dns_server::start() {
  if (process_) return;
  write_zone();
  const auto folder = files_.path().string();
  const auto configuration = files_.write(
      "knot.conf", "server:\n  rundir: " + folder + "\n  listen: " + options_.address + "@" +
                       std::to_string(options_.port) +
                       "\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n"
                       "database:\n  storage: " +
                       folder +
                       "/db\n  journal-db-max-size: 16M\n  kasp-db-max-size: 8M\n  timer-db-max-size: 8M\n"
                       "template:\n  - id: default\n    storage: " +
                       folder +
                       "\n    zonefile-load: whole\n    journal-content: none\n"
                       "zone:\n  - domain: " +
                       options_.domain + "\n    file: zone\n");
  process_.emplace(process_options{.arguments = {"knotd", "-c", configuration},
                                   .environment = {},
                                   .network_namespace = options_.network_namespace});
  const auto up = eventually(
      [&] {
        if (!process_->running())
          throw std::runtime_error("knotd ended: " + process_->errors() + process_->output());
        return !ask_udp(probe, options_.port, options_.address, options_.network_namespace, 200ms).empty() &&
               std::filesystem::exists(files_.path() / "knot.sock");
      },
      60s, "knotd answers", 10ms);
  if (!up) throw std::runtime_error(std::string(up.message()) + process_->errors());
  reload();
}

dns_cache::dns_cache(const dns_server& behind, std::string address, std::uint16_t port,
                     std::string network_namespace)
    : process_(
          {.arguments = {"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
                         "--no-hosts", "--user=root", "--pid-file=", "--bind-interfaces", "--cache-size=1000",
                         "--log-facility=-", "--listen-address=" + address, "--port=" + std::to_string(port),
                         "--server=" + behind.address() + "#" + std::to_string(behind.port())},
           .environment = {},
           .network_namespace = network_namespace}) {
  const auto up = eventually(
      [&] {
        if (!process_.running()) throw std::runtime_error("dnsmasq ended: " + process_.errors());
        return !ask_udp(probe, port, address, network_namespace, 200ms).empty();
      },
      60s, "dnsmasq answers", 10ms);
  if (!up) throw std::runtime_error(std::string(up.message()) + process_.errors());
}

faulty_dns_server::faulty_dns_server(const dns_server* behind, dns_fault fault, std::uint16_t port)
    : port_(port == 0 ? free_port() : port),
      behind_port_(behind == nullptr ? std::uint16_t{0} : behind->port()),
      udp_(bind_udp("127.0.0.1", port_)),
      tcp_(listen_tcp("127.0.0.1", port_)),
      fault_(fault),
      thread_([this](const std::stop_token& stop) { serve(stop); }) {}

faulty_dns_server::~faulty_dns_server() = default;

int faulty_dns_server::questions(std::uint16_t type) const {
  switch (type) {
    case 1:
      return a_;
    case 28:
      return aaaa_;
    case 33:
      return srv_;
    default:
      return 0;
  }
}

std::string faulty_dns_server::answer(const std::string& question, bool over_tcp) {
  if (question.size() < 17) return {};
  ++questions_;
  std::size_t at = 12;  // the name: labels, each with its length, up to an empty one
  while (at < question.size() && question[at] != 0) at += static_cast<unsigned char>(question[at]) + 1U;
  const auto end = at + 5;  // the empty label, type, class
  if (end > question.size()) return {};
  const auto type = static_cast<unsigned char>(question[at + 2]);
  if (type == 1) ++a_;
  if (type == 28) ++aaaa_;
  if (type == 33) ++srv_;

  dns_fault fault = fault_;
  if (fault == dns_fault::truncated && over_tcp) fault = dns_fault::relay;
  if (fault == dns_fault::silent) return {};
  if (fault == dns_fault::garbage) return "\xff\xff garbage";
  if (fault == dns_fault::relay && behind_port_ != 0)
    return ask_udp(question, behind_port_, "127.0.0.1", {}, 1'000ms);
  auto reply = question.substr(0, end);
  int code = 0;
  if (fault == dns_fault::servfail) code = 2;
  if (fault == dns_fault::nxdomain) code = 3;
  if (fault == dns_fault::refused) code = 5;
  reply[2] = static_cast<char>(0x85 | (fault == dns_fault::truncated ? 0x02 : 0));  // QR, AA, RD, [TC]
  reply[3] = static_cast<char>(0x80 | code);
  for (int i = 6; i < 12; ++i) reply[i] = 0;  // no answer, authority or additional records
  return reply;
}

void faulty_dns_server::serve(const std::stop_token& stop) {
  char buffer[65535];
  while (!stop.stop_requested()) {
    pollfd both[2] = {{udp_.descriptor(), POLLIN, 0}, {tcp_.descriptor(), POLLIN, 0}};
    if (poll(both, 2, 50) <= 0) continue;
    if ((both[0].revents & POLLIN) != 0) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const auto got =
          recvfrom(udp_.descriptor(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got > 0) {
        const auto reply = answer(std::string(buffer, static_cast<std::size_t>(got)), false);
        if (!reply.empty()) {
          sendto(udp_.descriptor(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
        }
      }
    }
    if ((both[1].revents & POLLIN) != 0) {
      const auto connection = accept_from(tcp_, 100ms);
      const auto length = connection.open() ? connection.receive(2, 500ms) : std::nullopt;
      if (!length) continue;
      const std::size_t count =
          static_cast<unsigned char>((*length)[0]) * 256U + static_cast<unsigned char>((*length)[1]);
      const auto question = connection.receive(count, 500ms);
      const auto reply = question ? answer(*question, true) : std::string();
      if (!reply.empty()) {
        connection.send(std::string{static_cast<char>(reply.size() >> 8), static_cast<char>(reply.size())} +
                        reply);
      }
    }
  }
}

}  // namespace rollcall::test
