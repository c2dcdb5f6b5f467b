// Pods of a headless service and the Rollcall that meshes them: cut and joined by their indices, asked what
// the incident says, what the nodes themselves see and which of them they have lost.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "test/support/pods.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {

namespace json = boost::json;
using group = std::set<std::string>;
using indices = std::vector<std::size_t>;

inline std::string text(const json::value& v) {
  return v.is_string() ? std::string(v.get_string()) : json::serialize(v);
}

// Pods of a headless service, meshed by Rollcall before anything is cut. A tick time of 8 s makes them notice
// a silent cut within 6 to 10.
struct cluster {
  explicit cluster(std::size_t count, std::vector<std::string> arguments = {"-kernel", "net_ticktime", "8"},
                   std::vector<std::string> flags = {}, bool dashed = false,
                   const std::string& interval = "1s")
      : nodes({.count = count, .arguments = std::move(arguments), .dashed = dashed}),
        rollcall(nodes.rollcall(std::move(flags), interval)) {}

  testing::AssertionResult formed() {
    const auto whole = eventually([&] { return rollcall.whole(nodes.size()); }, 90s, "the mesh is whole");
    if (!whole) return whole;
    for (std::size_t i = 0; i < nodes.size(); ++i) nodes.node(i).watch();
    // Views are pushed from here on, and links have been probed once.
    return eventually([&] { return rounds() >= 4; }, 30s, "some quiet rounds");
  }
  double rounds() const { return rollcall.metric("rollcall_round_duration_seconds_count").value_or(0); }

  void between(const indices& some, const indices& others, bool cut) {
    std::vector<std::string> here, there;
    for (const auto a : some) here.push_back(nodes.hostname(a));
    for (const auto b : others) there.push_back(nodes.hostname(b));
    if (cut) {
      nodes.net().cut(here, there);
    } else {
      nodes.net().heal(here, there);
    }
  }
  void observer(const indices& from, bool cut) {
    for (const auto i : from) {
      if (cut) {
        nodes.net().cut("rollcall", nodes.hostname(i));
      } else {
        nodes.net().heal("rollcall", nodes.hostname(i));
      }
    }
  }

  json::array incidents() const { return rollcall.json("/api/v1/netsplits").as_array(); }
  json::object incident() const { return incidents().at(0).as_object(); }
  bool open() const {
    const auto all = incidents();
    return !all.empty() && all[0].at("closed_at").is_null();
  }
  bool closed() const {
    const auto all = incidents();
    return !all.empty() && !all[0].at("closed_at").is_null();
  }
  std::string type() const { return open() || closed() ? text(incident().at("type")) : std::string(); }
  std::set<group> groups() const {
    std::set<group> found;
    const auto shown = incident();
    for (const auto& one : shown.at("groups").as_array()) {
      group names;
      for (const auto& name : one.as_array()) names.insert(text(name));
      found.insert(std::move(names));
    }
    return found;
  }
  group names(const indices& of) const {
    group all;
    for (const auto i : of) all.insert(nodes.name(i));
    return all;
  }
  // The pair that is called the cause, as indices, the lower one first.
  std::pair<std::size_t, std::size_t> cause() const {
    const auto found = incident();
    if (!found.at("cause").is_object()) return {99, 99};
    std::size_t from = 99, to = 99;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (nodes.name(i) == text(found.at("cause").at("from"))) from = i;
      if (nodes.name(i) == text(found.at("cause").at("to"))) to = i;
    }
    return std::minmax(from, to);
  }
  bool raised(const std::string& condition) const {
    return rollcall.metric("erlang_cluster_health_detail", {{"name", condition}, {"severity", "error"}}) == 1;
  }
  std::vector<int> downs() {
    std::vector<int> all;
    for (std::size_t i = 0; i < nodes.size(); ++i) all.push_back(nodes.node(i).downs());
    return all;
  }
  // How each of them is linked, as they say themselves: every node of `some` to every other of them.
  bool meshed(const indices& some) {
    for (const auto i : some) {
      const auto seen = nodes.node(i).nodes();
      for (const auto j : some) {
        if (i != j && std::ranges::find(seen, nodes.name(j)) == seen.end()) return false;
      }
    }
    return true;
  }
  // After `begun` rounds, an incident of that type is open; how many rounds later that was seen.
  testing::AssertionResult opens(const std::string& wanted, milliseconds limit = 60s) {
    return eventually([&] { return open() && type() == wanted; }, limit, "an incident is " + wanted);
  }
  testing::AssertionResult heals(milliseconds limit = 120s) {
    const auto over = eventually([&] { return closed(); }, limit, "the incident is closed");
    if (!over) return over;
    return eventually([&] { return rollcall.whole(nodes.size()); }, 60s, "the mesh is whole again");
  }
  // `span` intervals pass.
  testing::AssertionResult wait_rounds(int span) {
    const auto until = rounds() + span;
    return eventually([&] { return rounds() >= until; }, milliseconds(span * 10'000), "rounds go by");
  }

  mutable pods nodes;
  rollcall_program rollcall;
};

}  // namespace rollcall::test
