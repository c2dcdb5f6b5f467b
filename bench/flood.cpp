// What /healthz, /readyz and /metrics wait while somebody floods the HTTP port: the longest and the median of
// fresh connections that ask each in turn, from another address and from the flooding one.
//
//   bench_flood [--seconds 5] [--members 100]
#include <functional>
#include <iostream>
#include <map>

#include "bench/flood_clients.hpp"
#include "bench/measure.hpp"
#include "test/support/rollcall_program.hpp"

namespace {

using namespace rollcall::bench;
using rollcall::test::rollcall_program;
using clock_type = std::chrono::steady_clock;

// Seconds until the whole answer was there; negative when none came.
double probe(const char* from, std::uint16_t port, const std::string& target) {
  const auto begun = clock_type::now();
  const int on = connection(from, port);
  if (on < 0) return -1;
  const auto asking = "GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  ::send(on, asking.data(), asking.size(), MSG_NOSIGNAL);
  std::array<char, 65'536> bytes{};
  std::string head;
  for (;;) {
    const auto count = ::recv(on, bytes.data(), bytes.size(), 0);
    if (count <= 0) break;
    if (head.size() < 20) head.append(bytes.data(), static_cast<std::size_t>(count));
  }
  ::close(on);
  if (!head.starts_with("HTTP/1.1 200")) return -1;
  return std::chrono::duration<double>(clock_type::now() - begun).count();
}

void many_at_once(std::uint16_t port, const std::atomic<bool>& stop) {
  while (!stop) {
    std::vector<int> open;
    for (std::size_t i = 0; i < 2 * connections && !stop; ++i) {
      if (const int one = connection(flooding, port); one >= 0) {
        send_now(one, request("/api/v1/status"));
        open.push_back(one);
      }
    }
    for (const int each : open) ::close(each);
  }
}

using flood = std::function<void(std::uint16_t, const std::atomic<bool>&)>;

const std::vector<std::pair<std::string, flood>>& floods() {
  static const std::vector<std::pair<std::string, flood>> all{
      {"none", [](auto, const auto&) {}},
      {"300 x 200 /links, never read", [](auto p, const auto& s) { hold(p, many("/api/v1/links"), {}, s); }},
      {"300 x 200 /metrics, never read", [](auto p, const auto& s) { hold(p, many("/metrics"), {}, s); }},
      {"300 x 200 /healthz, again and again",
       [](auto p, const auto& s) { hold(p, many("/healthz"), many("/healthz"), s); }},
      {"300 requests byte by byte",
       [](auto p, const auto& s) { hold(p, "GET /healthz HTTP/1.1\r\nX: ", "x", s); }},
      {"600 connections at once, again and again", many_at_once},
  };
  return all;
}

void measure(const std::string& what, const flood& run, const rollcall_program& rollcall,
             std::chrono::seconds long_) {
  std::atomic<bool> stop = false;
  std::thread rude([&] { run(rollcall.http_port(), stop); });
  std::this_thread::sleep_for(500ms);
  for (const auto* from : {"127.0.0.88", flooding}) {
    std::map<std::string, std::vector<double>> took;
    int unanswered = 0;
    const auto until = clock_type::now() + long_;
    while (clock_type::now() < until) {
      for (const auto* target : {"/healthz", "/readyz", "/metrics"}) {
        const auto seconds = probe(from, rollcall.http_port(), target);
        if (seconds < 0) ++unanswered;
        if (seconds >= 0) took[target].push_back(seconds * 1e3);
        std::this_thread::sleep_for(10ms);
      }
    }
    fmt::print("  {:<40}{:<9}", what, from == flooding ? "same" : "another");
    for (const auto* target : {"/healthz", "/readyz", "/metrics"}) {
      auto& all = took[target];
      std::ranges::sort(all);
      const auto text =
          all.empty() ? std::string("-") : fmt::format("{:.1f} / {:.1f}", median(all), all.back());
      fmt::print("{:>16}", text);
    }
    fmt::print("{:>6}{:>8}\n", unanswered, rollcall.rss_kib() / 1024);
    std::cout << std::flush;
  }
  stop = true;
  rude.join();
}

}  // namespace

int main(int argc, char** argv) {
  int seconds = 5, members = 100;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string_view(argv[i]) == "--seconds") seconds = std::stoi(argv[i + 1]);
    if (std::string_view(argv[i]) == "--members") members = std::stoi(argv[i + 1]);
  }
  rollcall::test::rollcall_options options;
  for (int i = 0; i < members; ++i) {
    options.arguments.emplace_back("--node");
    options.arguments.push_back(fmt::format("app-{}@127.1.0.1", i));
  }
  const rollcall_program rollcall(std::move(options));
  while (!rollcall.is_ready()) std::this_thread::sleep_for(100ms);
  fmt::print("median / longest in ms of probes on a new connection each, {} s per row, {} members listed\n\n",
             seconds, members);
  fmt::print("  {:<40}{:<9}{:>16}{:>16}{:>16}{:>6}{:>8}\n", "flood, from 127.0.0.66", "probe by", "/healthz",
             "/readyz", "/metrics", "none", "RSS MiB");
  for (const auto& [what, run] : floods()) measure(what, run, rollcall, std::chrono::seconds(seconds));
}
