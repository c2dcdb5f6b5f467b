// The snapshot as Prometheus families, made at scrape time, beside Rollcall's own counters.
// Names and labels: docs/metrics.md. Text format 0.0.4 by prometheus-cpp's TextSerializer.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "membership/snapshot.hpp"

namespace rollcall::metrics {

using std::chrono::milliseconds;
using seconds = std::chrono::duration<double>;

// Closed label values; their text is what stands in /metrics.
enum class direction { outgoing, incoming };
// Outcome of a handshake: ok, or a member's reason.
using handshake_outcome = membership::reason;  // reason::none is `ok`
enum class rpc_error { no_link, timed_out, link_lost, refused, raised, bad_answer };
std::string_view to_string(direction) noexcept;
std::string_view to_string(rpc_error) noexcept;

// Of the watches of --kubernetes: lists by reason (start, gone, silent, error), and how long ago a watch last
// said anything; none: it never did.
inline constexpr std::array<std::string_view, 4> list_reasons{"start", "gone", "silent", "error"};
struct kubernetes_figures {
  std::array<std::uint64_t, list_reasons.size()> lists{};
  std::optional<seconds> watch_age{};
};

struct options {
  std::string version;               // of rollcall_build_info
  std::string revision{};            // git commit, may be empty
  std::vector<std::string> sources;  // labels of the configured sources: their families exist from the start
  milliseconds interval{5'000};
  std::size_t max_link_series = 2'500;
  std::string otp_ei{};  // version of erl_interface it was built with; empty: label left out
};

// Rollcall's own work, counted where it happens (by app). One thread.
class exporter {
 public:
  explicit exporter(options);
  ~exporter();

  void round(seconds took, membership::wall_time ended);
  void handshake(direction, handshake_outcome);
  void call(seconds took);
  void call_failed(rpc_error);
  void connect_request(membership::connect_outcome, seconds took);
  void query(std::string_view source, membership::query_outcome);
  void links(std::size_t now);
  // Asked at each scrape; without it there are no such families.
  void kubernetes(std::function<kubernetes_figures()>);

  // The whole of /metrics.
  std::string render(const membership::snapshot&) const;
  static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

 private:
  struct implementation;
  std::unique_ptr<implementation> implementation_;
};

}  // namespace rollcall::metrics
