// What the benchmarks share: clocks that run on the nodes, and what a process costs.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "test/support/pods.hpp"

namespace rollcall::bench {

using namespace std::chrono_literals;
using rollcall::test::pods;

inline double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

inline double number(const std::string& text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Every node notes by itself when its last neighbour came: looking at it costs nothing while it is measured.
inline constexpr auto start_clock = R"(
  register(mesh_clock, spawn(fun() ->
    net_kernel:monitor_nodes(true),
    (fun Loop(Last) ->
      receive
        {nodeup, _} -> Loop(erlang:system_time(microsecond));
        {nodedown, _} -> put(down, erlang:system_time(microsecond)), Loop(Last);
        {down, From} -> From ! {mesh_clock, case get(down) of undefined -> 0; At -> At end}, Loop(Last);
        {read, From} -> From ! {mesh_clock, Last}, Loop(Last)
      end
    end)(0)
  end)), ok.)";
inline constexpr auto read_down = "mesh_clock ! {down, self()}, receive {mesh_clock, At} -> At end.";
inline constexpr auto read_clock = "mesh_clock ! {read, self()}, receive {mesh_clock, At} -> At end.";

inline bool whole(pods& cluster) {
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (cluster.node(i).eval("length(nodes()).") != std::to_string(cluster.size() - 1)) return false;
  }
  return true;
}

inline double whole_at(pods& cluster) {
  const auto deadline = std::chrono::steady_clock::now() + 120s;
  while (!whole(cluster)) {
    if (std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("the mesh did not become whole in 120 s");
    std::this_thread::sleep_for(200ms);
  }
  double last = 0;
  for (std::size_t i = 0; i < cluster.size(); ++i)
    last = std::max(last, number(cluster.node(i).eval(read_clock)) / 1e6);
  return last;
}

inline double cpu_seconds(pid_t id) {
  const auto stat = rollcall::test::read_file(fmt::format("/proc/{}/stat", id));
  const auto fields = stat.substr(stat.rfind(')') + 2);
  std::istringstream in(fields);
  std::string skipped;
  for (int i = 3; i < 14; ++i) in >> skipped;
  double user = 0, system = 0;
  in >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

inline std::size_t status_kib(pid_t id, const std::string& field) {
  std::istringstream in(rollcall::test::read_file(fmt::format("/proc/{}/status", id)));
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(field + ":"))
      return static_cast<std::size_t>(std::stoul(line.substr(field.size() + 1)));
  }
  return 0;
}

inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// "median unit (lowest..highest)"
inline std::string cell(std::vector<double> values, std::string_view unit, int digits) {
  std::ranges::sort(values);
  return fmt::format("{:.{}f} {} ({:.{}f}..{:.{}f})", median(values), digits, unit, values.front(), digits,
                     values.back(), digits);
}

}  // namespace rollcall::bench
