// A network of its own: hosts as network namespaces on one bridge (in a namespace too), with real addresses,
// cut and healed by packet filters. Nothing of it is seen from the machine's own network; all of it goes with
// the object.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "test/support/files.hpp"

namespace rollcall::test {

struct host {
  std::string name;               // as given to network::add
  std::string network_namespace;  // for process_options, `ip netns exec`
  std::string address;            // 10.77.0.N, and ::1 on loopback
};

class network {
 public:
  // Absent when namespaces can be made here; otherwise why not, in a sentence.
  static std::optional<std::string> unavailable();

  network();
  ~network();
  network(const network&) = delete;
  network& operator=(const network&) = delete;

  // A new host with the next free address; the reference stays valid.
  const host& add(const std::string& name);
  const host& at(const std::string& name) const;
  // Another address for the host, as a pod that was scheduled again; the old one answers no more.
  const host& renumber(const std::string& name);
  // Laid over /etc/resolv.conf of every host, present and future.
  void resolv_conf(std::string content);

  void cut(const std::string& a, const std::string& b);  // packets are dropped silently, both ways
  void heal(const std::string& a, const std::string& b);
  // Every pair between the two, each host's filter changed once: as nearly at one moment as it gets.
  void cut(const std::vector<std::string>& some, const std::vector<std::string>& others);
  void heal(const std::vector<std::string>& some, const std::vector<std::string>& others);
  // `one` and the others are cut for exactly so long. The kernel ends it: on a busy machine the commands that
  // would do it take seconds.
  void cut_for(const std::string& one, const std::vector<std::string>& others, std::chrono::milliseconds);
  // `to` hears nothing of `from` any more; the other direction goes on. heal() ends it.
  void mute(const std::string& from, const std::string& to);
  // What would close a connection (FIN, RST) is lost on its way; all else goes through. heal() ends it.
  void lose_closings(const std::string& from, const std::string& to);
  // What `from` sends to that TCP port of `to` is lost; all else goes through. open() ends it.
  void block(const std::string& from, const std::string& to, std::uint16_t port);
  void open(const std::string& from, const std::string& to, std::uint16_t port);
  // Packets of more than 600 bytes are lost between the two, both ways: handshakes fit, traffic does not.
  // heal() ends it.
  void lose_large(const std::string& a, const std::string& b);
  // TCP connections from `from` to `to` (the port mapper's excepted) lead to that port of `to`: a proxy that
  // is in the way. heal() ends it.
  void divert(const std::string& from, const std::string& to, std::uint16_t port);
  // To and from everybody: a machine that lost power, as others see it (its processes go on).
  void darken(const std::string& name);
  void lighten(const std::string& name);

 private:
  void apply(const host&);
  void apply_diversions(const host&);
  std::string next_address();
  std::string prefix_;
  int last_ = 1;
  int interfaces_ = 0;
  std::deque<host> hosts_;
  std::set<std::pair<std::string, std::string>> cuts_;
  std::set<std::pair<std::string, std::string>> mutes_, closings_, large_;  // from, to
  std::set<std::tuple<std::string, std::string, std::uint16_t>> blocks_;    // from, to, port
  std::map<std::pair<std::string, std::string>, std::uint16_t> diversions_;
  std::set<std::string> dark_;
  std::string resolv_conf_;
};

}  // namespace rollcall::test

// Where namespaces are not allowed the test is skipped and says so (test/main.cpp: in CI that is a failure).
#define ROLLCALL_NEEDS_NETWORK()                                                            \
  if (const auto why = ::rollcall::test::network::unavailable(); why) GTEST_SKIP() << *why; \
  static_assert(true)
