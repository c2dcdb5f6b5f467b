#include "test/simulation/coverage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace rollcall::simulation {

using namespace membership;

namespace {

constexpr std::array<std::string_view, decision_count> decision_names{
    "forms_a_mesh",        "joins_groups",      "repairs_inside",      "repairs_one_way",
    "introduces_newcomer", "tries_a_loner",     "asks_the_other_side", "asks_again",
    "holds_a_newcomer",    "leaves_one_out",    "holds_a_pair_back",   "suspects_a_link",
    "moves_the_odd_one",   "introduces_several"};

template <class Visitor, class Coverage>
void each_number(Coverage& c, Visitor&& visit) {
  for (auto* n : {&c.histories, &c.steps, &c.actions, &c.tears}) visit(*n);
  for (auto& n : c.kinds) visit(n);
  for (auto& row : c.pairs) {
    for (auto& n : row) visit(n);
  }
  for (auto& n : c.one_sided) visit(n);
  for (auto& n : c.states) visit(n);
  for (auto& n : c.decisions) visit(n);
  for (auto& row : c.incidents) {
    for (auto& n : row) visit(n);
  }
  for (auto& n : c.outcomes) visit(n);
}

bool excluded(std::size_t a, std::size_t b) {
  return std::ranges::any_of(excluded_pairs(), [&](const excluded_pair& p) {
    const auto x = static_cast<std::size_t>(p.one), y = static_cast<std::size_t>(p.other);
    return (x == a && y == b) || (x == b && y == a);
  });
}

// `unwatched` is how an incident ends when another observer takes over: here is one.
bool out_of_reach(std::string_view title, std::string_view name) {
  return title.starts_with("incidents") && name == "unwatched";
}

template <class List, class Name>
std::string row(const char* title, const List& list, Name&& name, std::vector<std::string>& gaps) {
  auto text = fmt::format("{}:", title);
  for (std::size_t i = 0; i < list.size(); ++i) {
    text += fmt::format(" {} {}", name(i), list[i]);
    if (list[i] == 0 && !out_of_reach(title, name(i)))
      gaps.push_back(fmt::format("{}: {} was never reached", title, name(i)));
  }
  return text + "\n";
}

}  // namespace

std::string_view to_string(decision d) {
  return decision_names[static_cast<std::size_t>(d)];
}

const std::vector<excluded_pair>& excluded_pairs() {
  using enum fault_kind;
  static const std::vector<excluded_pair> all{
      {mixed_settings, incompatible_releases,
       "both say what the kernels of all nodes are; a history has one of them"},
  };
  return all;
}

void coverage::add(const coverage& other) {
  std::vector<std::uint64_t> more;
  each_number(other, [&](std::uint64_t n) { more.push_back(n); });
  auto at = more.begin();
  each_number(*this, [&](std::uint64_t& n) { n += *at++; });
}

std::string coverage::packed() const {
  std::string text;
  each_number(*this, [&](std::uint64_t n) { text += fmt::format("{} ", n); });
  return text;
}

coverage coverage::unpacked(const std::string& text) {
  coverage c;
  std::istringstream in(text);
  each_number(c, [&](std::uint64_t& n) { in >> n; });
  return c;
}

std::string coverage::table(std::vector<std::string>& gaps) const {
  auto text = fmt::format("histories {}, steps {}, actions {}, tears {}\n", histories, steps, actions, tears);
  text += row(
      "fault kinds", kinds, [](std::size_t i) { return traits_of(static_cast<fault_kind>(i)).name; }, gaps);
  std::size_t reached = 0, possible = 0;
  std::vector<std::uint64_t> counts;
  for (std::size_t a = 0; a < fault_kind_count; ++a) {
    for (std::size_t b = a + 1; b < fault_kind_count; ++b) {
      if (excluded(a, b)) continue;
      ++possible;
      counts.push_back(pairs[a][b]);
      if (pairs[a][b] != 0) {
        ++reached;
      } else {
        gaps.push_back(fmt::format("pairs of kinds: {} with {} was never reached",
                                   traits_of(static_cast<fault_kind>(a)).name,
                                   traits_of(static_cast<fault_kind>(b)).name));
      }
    }
  }
  std::ranges::sort(counts);
  text += fmt::format(
      "pairs of kinds: {} of {} reached; the rarest {} times, the median {} times; {} exclude each other\n",
      reached, possible, counts.front(), counts[counts.size() / 2], excluded_pairs().size());
  for (const auto& p : excluded_pairs()) {
    text += fmt::format("  {} with {}: {}\n", traits_of(p.one).name, traits_of(p.other).name, p.reason);
  }
  text += row(
      "doors on one side", one_sided, [](std::size_t i) { return traits_of(door_kinds[i]).name; }, gaps);
  text += row(
      "member states", states,
      [](std::size_t i) { return membership::to_string(static_cast<member_state>(i)); }, gaps);
  text += row(
      "decisions", decisions, [](std::size_t i) { return simulation::to_string(static_cast<decision>(i)); },
      gaps);
  text += row(
      "request outcomes", outcomes,
      [](std::size_t i) { return membership::to_string(static_cast<connect_outcome>(i)); }, gaps);
  for (std::size_t t = 0; t < incident_type_count; ++t) {
    text += row(
        fmt::format("incidents, {}", membership::to_string(static_cast<incident_type>(t))).c_str(),
        incidents[t], [](std::size_t i) { return membership::to_string(static_cast<incident_end>(i)); },
        gaps);
  }
  return text;
}

}  // namespace rollcall::simulation
