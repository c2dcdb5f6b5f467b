// What Rollcall holds in memory while members and HTTP clients take as much of it as they can, at once. Exit
// code 1: more than the pod's limit.
//
//   bench_memory [--seconds 20] [--members 100]
#include <sys/resource.h>

#include <deque>
#include <functional>
#include <iostream>

#include "bench/flood_clients.hpp"
#include "bench/measure.hpp"
#include "test/support/epmd.hpp"
#include "test/support/rollcall_program.hpp"
#include "test/support/scripted_peer.hpp"

namespace {

using namespace rollcall::bench;
using rollcall::test::misbehaviour;
using rollcall::test::rollcall_program;

constexpr std::size_t limit_mib = 128;  // deploy/base/deployment.yaml

// The members: fake nodes with the cookie, which all do the same once they are linked.
class members {
 public:
  members(int count, misbehaviour what) {
    for (int i = 0; i < count; ++i) {
      const auto alive = fmt::format("m-{}", i);
      names_.push_back(alive + "@127.0.0.1");
      nodes_.emplace_back(names_.back(), "chocolate", what);
      registered_.emplace_back(mapper_.port(), alive, nodes_.back().port());
    }
  }
  // Links that were made to them, since they are there.
  int linked() const {
    int sum = 0;
    for (const auto& each : nodes_) sum += each.completed();
    return sum;
  }
  rollcall::test::rollcall_options observed() const {
    rollcall::test::rollcall_options options;
    options.epmd_port = mapper_.port();
    options.name = "rollcall@127.0.0.1";
    for (const auto& name : names_) {
      options.arguments.emplace_back("--node");
      options.arguments.push_back(name);
    }
    return options;
  }

 private:
  rollcall::test::epmd mapper_;
  std::vector<std::string> names_;
  std::deque<rollcall::test::fake_node> nodes_;
  std::deque<rollcall::test::registration> registered_;
};

using clients = std::vector<std::function<void(std::uint16_t, const std::atomic<bool>&)>>;

// The most it held, in MiB.
std::size_t measure(const std::string& what, const members& around, const clients& rude,
                    std::chrono::seconds long_) {
  const int linked_before = around.linked();
  rollcall_program rollcall(around.observed());
  while (!rollcall.is_ready()) std::this_thread::sleep_for(100ms);
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  threads.reserve(rude.size());
  for (const auto& run : rude) threads.emplace_back([&] { run(rollcall.http_port(), stop); });
  std::size_t most_links = 0;
  int unanswered = 0, asked = 0;
  std::vector<double> took;
  const auto until = std::chrono::steady_clock::now() + long_;
  while (std::chrono::steady_clock::now() < until) {
    const auto begun = std::chrono::steady_clock::now();
    const auto links = rollcall.metric("rollcall_links");
    took.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count());
    ++asked;
    if (!links) ++unanswered;
    most_links = std::max(most_links, static_cast<std::size_t>(links.value_or(0)));
    std::this_thread::sleep_for(200ms);
  }
  const auto most = status_kib(rollcall.running_process().id(), "VmHWM") / 1024;
  std::ranges::sort(took);
  fmt::print("  {:<50}{:>8}{:>6}{:>12}{:>8}{:>14}{:>16}{:>8.1f}\n", what, most_links,
             around.linked() - linked_before, rollcall.rss_kib() / 1024, most,
             fmt::format("{} of {}", unanswered, asked),
             fmt::format("{:.0f} / {:.0f}", median(took), took.back()),
             cpu_seconds(rollcall.running_process().id()));
  std::cout << std::flush;
  stop = true;
  for (auto& each : threads) each.join();
  return most;
}

}  // namespace

int main(int argc, char** argv) {
  int seconds = 20, count = 100;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string_view(argv[i]) == "--seconds") seconds = std::stoi(argv[i + 1]);
    if (std::string_view(argv[i]) == "--members") count = std::stoi(argv[i + 1]);
  }
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;  // of this program: both ends of every connection
  ::setrlimit(RLIMIT_NOFILE, &files);
  const auto links = [](auto p, const auto& s) { hold(p, many("/api/v1/links"), {}, s); };
  const auto metrics = [](auto p, const auto& s) { hold(p, many("/metrics"), {}, s); };
  const auto streams = [](auto p, const auto& s) { hold(p, request("/api/v1/events/stream"), {}, s); };
  const auto slow = [](auto p, const auto& s) { hold(p, "GET /healthz HTTP/1.1\r\nX: ", "x", s); };
  const clients nobody, all{links, metrics, streams, slow};
  const members quiet(count, misbehaviour::never_reads), hostile(count, misbehaviour::half_frame);
  const auto each = std::chrono::seconds(seconds);
  fmt::print(
      "resident MiB with {} members, {} s per row; the limit is {}; links, /metrics as median / longest\n\n",
      count, seconds, limit_mib);
  fmt::print("  {:<50}{:>8}{:>6}{:>12}{:>8}{:>14}{:>16}{:>8}\n", "", "at once", "made", "at the end", "most",
             "unanswered", "/metrics, ms", "CPU s");
  std::size_t most = measure("members that never answer", quiet, nobody, each);
  most = std::max(most, measure("members with 8 MiB half sent each", hostile, nobody, each));
  most = std::max(most, measure("members that never answer, 4 x 300 clients", quiet, all, each));
  most = std::max(most, measure("members with 8 MiB half sent each, 4 x 300 clients", hostile, all, each));
  return most > limit_mib ? 1 : 0;
}
