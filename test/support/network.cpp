// Network namespaces by `ip`, packet filters by `nft`.
#include "test/support/network.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "test/support/process.hpp"

namespace rollcall::test {
namespace {

finished command(std::vector<std::string> arguments) {
  return run({.arguments = std::move(arguments), .environment = {}, .network_namespace = {}});
}

void ip(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "ip");
  run_or_throw(std::move(arguments));
}

// Hundreds of neighbours overflow the kernel's default table. Machine-wide; only ever raised; a container may
// refuse.
void raise_neighbour_limits() {
  for (const auto& [name, value] :
       {std::pair{"gc_thresh1", 8192}, {"gc_thresh2", 16384}, {"gc_thresh3", 32768}}) {
    const std::string path = std::string("/proc/sys/net/ipv4/neigh/default/") + name;
    int now = 0;
    std::ifstream(path) >> now;
    if (now != 0 && now < value) std::ofstream(path) << value;
  }
}

// What a test left behind that was killed: namespaces are named after the process that made them.
void sweep_leftovers() {
  std::error_code none;
  for (const char* folder : {"/run/netns", "/etc/netns"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
      const auto name = entry.path().filename().string();
      const auto maker = name.starts_with("rct") ? std::atoi(name.c_str() + 3) : 0;
      if (maker <= 0 || ::kill(maker, 0) == 0 || errno != ESRCH) continue;
      if (std::string_view(folder) == "/run/netns") {
        command({"ip", "netns", "del", name});
      } else {
        std::filesystem::remove_all(entry.path(), none);
      }
    }
  }
}

}  // namespace

std::optional<std::string> network::unavailable() {
  static const std::optional<std::string> answer = []() -> std::optional<std::string> {
    if (geteuid() != 0) return "network namespaces need root";
    const auto name = "rct" + std::to_string(getpid()) + "x";
    try {
      const auto added = command({"ip", "netns", "add", name});
      const auto filtered =
          command({"ip", "netns", "exec", name, "nft", "add", "table", "inet", "rollcall_test"});
      command({"ip", "netns", "del", name});
      if (added.exit_code != 0) return "network namespaces cannot be made here: " + added.errors;
      if (filtered.exit_code != 0) return "packets cannot be filtered here: " + filtered.errors;
    } catch (const std::exception& problem) {
      return std::string("network namespaces cannot be made here: ") + problem.what();
    }
    return {};
  }();
  return answer;
}

network::network() {
  static std::atomic<int> count{0};
  prefix_ = "rct" + std::to_string(getpid()) + "-" + std::to_string(++count) + "-";
  raise_neighbour_limits();
  sweep_leftovers();
  const auto bridge = prefix_ + "bridge";
  ip({"netns", "add", bridge});
  ip({"-n", bridge, "link", "add", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0"});
  ip({"-n", bridge, "link", "set", "br0", "up"});
}

network::~network() {
  try {
    for (const auto& one : hosts_) {
      command({"ip", "netns", "del", one.network_namespace});
      std::error_code ignored;
      std::filesystem::remove_all("/etc/netns/" + one.network_namespace, ignored);
    }
    command({"ip", "netns", "del", prefix_ + "bridge"});
  } catch (const std::exception& problem) {
    // The names are printed so that what is left can be removed by hand.
    fprintf(stderr, "%s*: %s\n", prefix_.c_str(), problem.what());
  }
}

std::string network::next_address() {
  ++last_;
  return "10.77." + std::to_string(last_ / 250) + "." + std::to_string(last_ % 250 + 1);
}

const host& network::add(const std::string& name) {
  host one{name, prefix_ + name, next_address()};
  const auto& space = one.network_namespace;
  const auto port = "p" + std::to_string(++interfaces_);
  ip({"netns", "add", space});
  hosts_.push_back(one);
  ip({"-n", prefix_ + "bridge", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space});
  ip({"-n", prefix_ + "bridge", "link", "set", port, "master", "br0", "up"});
  ip({"-n", space, "link", "set", "lo", "up"});
  ip({"-n", space, "link", "set", "eth0", "up"});
  ip({"-n", space, "address", "add", one.address + "/16", "dev", "eth0"});
  run_or_throw({"ip", "netns", "exec", space, "nft",
                "add table inet cut; add set inet cut peers { type ipv4_addr; };"
                "add chain inet cut in { type filter hook input priority 0; };"
                "add chain inet cut out { type filter hook output priority 0; };"
                "add rule inet cut in ip saddr @peers drop; add rule inet cut out ip daddr @peers drop;"
                "add set inet cut passing { type ipv4_addr; flags timeout; };"
                "add rule inet cut in ip saddr @passing drop; add rule inet cut out ip daddr @passing drop;"
                "add set inet cut mute { type ipv4_addr; }; add rule inet cut in ip saddr @mute drop;"
                "add set inet cut closing { type ipv4_addr; };"
                "add rule inet cut out ip daddr @closing tcp flags & (fin | rst) != 0 drop;"
                "add set inet cut ports { type ipv4_addr . inet_service; };"
                "add rule inet cut in ip saddr . tcp dport @ports drop;"
                "add set inet cut large { type ipv4_addr; };"
                "add rule inet cut out ip daddr @large meta length > 600 drop"});
  if (!resolv_conf_.empty()) resolv_conf(resolv_conf_);
  for (const auto& other : hosts_) apply(other);
  return hosts_.back();
}

const host& network::at(const std::string& name) const {
  for (const auto& one : hosts_) {
    if (one.name == name) return one;
  }
  throw std::runtime_error("no such host: " + name);
}

const host& network::renumber(const std::string& name) {
  for (auto& one : hosts_) {
    if (one.name != name) continue;
    ip({"-n", one.network_namespace, "address", "flush", "dev", "eth0", "scope", "global"});
    one.address = next_address();
    ip({"-n", one.network_namespace, "address", "add", one.address + "/16", "dev", "eth0"});
  }
  for (const auto& other : hosts_) apply(other);
  return at(name);
}

void network::resolv_conf(std::string content) {
  resolv_conf_ = std::move(content);
  for (const auto& one : hosts_) {
    const std::filesystem::path folder = "/etc/netns/" + one.network_namespace;
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "resolv.conf") << resolv_conf_;
  }
}

// Makes the host's filter what cuts_ and dark_ say: its own set of peers it neither hears nor reaches.
void network::apply(const host& one) {
  std::string peers;
  for (const auto& other : hosts_) {
    if (other.name == one.name) continue;
    if (dark_.contains(one.name) || dark_.contains(other.name) ||
        cuts_.contains(std::minmax(one.name, other.name))) {
      peers += (peers.empty() ? "" : ", ") + other.address;
    }
  }
  std::string script;
  for (const char* set : {"peers", "mute", "closing", "ports", "large"}) {
    script += std::string(script.empty() ? "" : "; ") + "flush set inet cut " + set;
  }
  if (!peers.empty()) script += "; add element inet cut peers { " + peers + " }";
  for (const auto& [from, to] : mutes_) {
    if (to == one.name) script += "; add element inet cut mute { " + at(from).address + " }";
  }
  for (const auto& [from, to] : closings_) {
    if (from == one.name) script += "; add element inet cut closing { " + at(to).address + " }";
  }
  for (const auto& [from, to, port] : blocks_) {
    if (to == one.name)
      script += "; add element inet cut ports { " + at(from).address + " . " + std::to_string(port) + " }";
  }
  for (const auto& [from, to] : large_) {
    if (from == one.name) script += "; add element inet cut large { " + at(to).address + " }";
  }
  run_or_throw({"ip", "netns", "exec", one.network_namespace, "nft", script});
}

void network::cut(const std::string& a, const std::string& b) {
  cuts_.insert(std::minmax(a, b));
  apply(at(a));
  apply(at(b));
}

void network::cut(const std::vector<std::string>& some, const std::vector<std::string>& others) {
  for (const auto& a : some) {
    for (const auto& b : others) cuts_.insert(std::minmax(a, b));
  }
  for (const auto* side : {&some, &others}) {
    for (const auto& name : *side) apply(at(name));
  }
}

void network::heal(const std::vector<std::string>& some, const std::vector<std::string>& others) {
  for (const auto& a : some) {
    for (const auto& b : others) cuts_.erase(std::minmax(a, b));
  }
  for (const auto* side : {&some, &others}) {
    for (const auto& name : *side) apply(at(name));
  }
}

void network::cut_for(const std::string& one, const std::vector<std::string>& others,
                      std::chrono::milliseconds time) {
  std::string peers;
  for (const auto& other : others) {
    peers +=
        (peers.empty() ? "" : ", ") + at(other).address + " timeout " + std::to_string(time.count()) + "ms";
  }
  run_or_throw({"ip", "netns", "exec", at(one).network_namespace, "nft",
                "add element inet cut passing { " + peers + " }"});
}

void network::mute(const std::string& from, const std::string& to) {
  mutes_.insert({from, to});
  apply(at(to));
}

void network::lose_closings(const std::string& from, const std::string& to) {
  closings_.insert({from, to});
  apply(at(from));
}

void network::heal(const std::string& a, const std::string& b) {
  cuts_.erase(std::minmax(a, b));
  for (auto* one_way : {&mutes_, &closings_, &large_}) {
    one_way->erase({a, b});
    one_way->erase({b, a});
  }
  for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
    if (diversions_.erase({from, to}) != 0) apply_diversions(at(to));
  }
  apply(at(a));
  apply(at(b));
}

void network::block(const std::string& from, const std::string& to, std::uint16_t port) {
  blocks_.insert({from, to, port});
  apply(at(to));
}

void network::open(const std::string& from, const std::string& to, std::uint16_t port) {
  blocks_.erase({from, to, port});
  apply(at(to));
}

void network::lose_large(const std::string& a, const std::string& b) {
  large_.insert({a, b});
  large_.insert({b, a});
  apply(at(a));
  apply(at(b));
}

void network::divert(const std::string& from, const std::string& to, std::uint16_t port) {
  diversions_[{from, to}] = port;
  apply_diversions(at(to));
}

// Translating addresses needs connection tracking: only a host that wants it has the chain.
void network::apply_diversions(const host& one) {
  std::string script =
      "add table ip divert; flush table ip divert;"
      "add chain ip divert in { type nat hook prerouting priority -100; }";
  for (const auto& [pair, port] : diversions_) {
    if (pair.second != one.name) continue;
    script += "; add rule ip divert in ip saddr " + at(pair.first).address +
              " tcp dport != 4369 redirect to :" + std::to_string(port);
  }
  run_or_throw({"ip", "netns", "exec", one.network_namespace, "nft", script});
}

void network::darken(const std::string& name) {
  dark_.insert(name);
  for (const auto& one : hosts_) apply(one);
}

void network::lighten(const std::string& name) {
  dark_.erase(name);
  for (const auto& one : hosts_) apply(one);
}

}  // namespace rollcall::test
