// What the fuzz target of the Kubernetes API does with its input: the bytes of one answer, in pieces, through
// the reader of HTTP, and what comes of it through those of lists, lines and Statuses, into a set of
// endpoints. Used by the libFuzzer program and by the ordinary test that replays its corpus.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

#include "discovery/api_answer.hpp"
#include "discovery/endpoint_set.hpp"

namespace rollcall::discovery::fuzz {

inline void must(bool holds) {
  if (!holds) std::abort();
}

inline void printable(std::string_view text) {
  must(text.size() <= 300);
  for (const char c : text) must(c >= ' ' && c <= '~');
}

inline void check(const endpoint_set& set) {
  must(set.held() <= 2 * max_endpoints);
  for (const auto& each : set.endpoints()) {
    must(!dns_host_of(each, "app.shop.svc.cluster.local").empty());
    must(each.pod.size() <= 253 && each.machine.size() <= 253 && each.zone.size() <= 253);
  }
}

inline void take_line(std::string_view text, endpoint_set& set, endpoint_set::time_point now) {
  std::string problem;
  auto line = read_watch_line(text, problem);
  must(line.has_value() == problem.empty());
  if (!line) return;
  if (line->what == watch_line::kind::error) {
    printable(line->status.reason);
    printable(line->status.message);
    return;
  }
  must(!line->version.empty() && line->version.find_first_of(" &\r\n") == std::string::npos);
  if (line->what == watch_line::kind::changed) set.change(std::move(line->slice), now);
  if (line->what == watch_line::kind::deleted) set.remove(line->slice.name, now);
}

inline void take_whole(std::string_view text, unsigned status, endpoint_set& set,
                       endpoint_set::time_point now) {
  if (status != 200) {
    const auto said = read_status(text);
    printable(said.reason);
    printable(said.message);
    return;
  }
  std::string problem;
  auto list = read_list(text, problem);
  must(list.has_value() == problem.empty());
  if (list) set.replace(std::move(list->slices), now);
}

// | size of a piece, and whether it is a watch:1 | bytes of the answer |
inline void answer(std::string_view input) {
  if (input.empty()) return;
  const auto first = static_cast<unsigned char>(input[0]);
  const bool watch = (first & 1U) != 0;
  const std::size_t piece = first % 97U + 1;
  input.remove_prefix(1);
  api_answer reader(watch ? 0 : 1U << 16, watch ? 1U << 12 : 0);
  endpoint_set set;
  endpoint_set::time_point now{};
  boost::system::error_code code;
  while (!input.empty() && !code) {
    const auto next = input.substr(0, piece);
    input.remove_prefix(next.size());
    code = reader.feed(next);
    now += std::chrono::milliseconds(700);
    if (code || !reader.has_head() || !watch || reader.status() != 200) continue;
    while (const auto line = reader.take_line()) take_line(*line, set, now);
    set.settle(now);
  }
  if (!code && !reader.done()) code = reader.finish();
  if (!code) {
    must(reader.status() < 1'000);
    if (const auto wait = reader.retry_after()) must(wait->count() >= 0 && wait->count() <= 86'400);
    if (!watch || reader.status() != 200) take_whole(reader.take_body(), reader.status(), set, now);
  }
  check(set);
}

}  // namespace rollcall::discovery::fuzz
