// Everything the core can ask for, failing in the same moment it is asked: nothing is asked again without a
// pause.
#include <array>
#include <map>
#include <utility>

#include "test/unit/membership/driver.hpp"

namespace rollcall::membership::test {
namespace {

constexpr milliseconds interval{5'000}, played{300'000};
constexpr std::size_t nodes = 6;
// An action a node (or of a pair, for one of its ends), every round, and as many again for what is confirmed.
constexpr std::size_t most = nodes * static_cast<std::size_t>(played / interval) * 4;

struct failing {
  const char* name;
  bool links = true;                 // dials succeed
  bool alternate = false;            // the reason of a dial that fails is another one each time
  bool hoards = false;               // each link is closed at once for the memory it holds
  std::optional<bool> views = true;  // whole ones, empty ones; absent: none
  connect_outcome connects = connect_outcome::error;
  link_probe link = link_probe::no_word;
  path_probe path = path_probe::no_word;
  bool told_to_leave = false;  // one of them, which somebody connects again at once
};
void PrintTo(const failing& row, std::ostream* out) {
  *out << row.name;
}

class AtOnce : public testing::TestWithParam<failing> {
 public:
  AtOnce() : core(probing()) {
    for (std::size_t i = 0; i < nodes; ++i) all.push_back(full("n" + std::to_string(i)));
  }
  static settings probing() {
    settings s;
    s.interval = interval;
    s.probe = s.watch = true;
    return s;
  }

  // The answer that comes at once, and is counted.
  std::vector<any_fact> operator()(const action::dial& a) {
    ++asked["dial"];
    if (GetParam().hoards) {
      return {fact::link_up{a.node, 1, true}, fact::link_down{a.node, reason::closed, "it held most", true}};
    }
    if (GetParam().links) return {fact::link_up{a.node, 1, true}};
    static constexpr std::array reasons{reason::refused, reason::cookie, reason::not_registered,
                                        reason::handshake};
    const auto why = GetParam().alternate ? reasons[asked["dial"] / nodes % reasons.size()] : reason::refused;
    return {fact::dial_failed{a.node, why, "at once", {}}};
  }
  std::vector<any_fact> operator()(const action::hang_up&) { return {}; }
  std::vector<any_fact> operator()(const action::ask_view& a) {
    ++asked["view"];
    const auto views = GetParam().views;
    if (!views) return {fact::view_failed{a.node, reason::incompatible, "undef"}};
    auto seen = *views ? all : std::vector<node_name>{};
    std::erase(seen, a.node);
    return {fact::view{a.node, seen, milliseconds(0)}};
  }
  std::vector<any_fact> operator()(const action::confirm_view& a) {
    ++asked["confirmation"];
    return {fact::view_confirmed{a.node, 7, milliseconds(0)}};
  }
  std::vector<any_fact> operator()(const action::ask_status&) {
    ++asked["status"];
    return {};
  }
  std::vector<any_fact> operator()(const action::ask_settings& a) {
    ++asked["settings"];
    return {fact::settings{a.node, {}, {}, {}, {}, {}, {}}};
  }
  std::vector<any_fact> operator()(const action::watch& a) {
    ++asked["watch"];
    return {fact::watching{a.node, false}};
  }
  std::vector<any_fact> operator()(const action::probe_links& a) {
    ++asked["link probe"];
    return {fact::links_probed{a.id, std::vector(a.to.size(), GetParam().link)}};
  }
  std::vector<any_fact> operator()(const action::probe_path& a) {
    ++asked["path probe"];
    return {fact::path_probed{a.id, GetParam().path}};
  }
  std::vector<any_fact> operator()(const action::tick_links&) {
    ++asked["ticks"];
    return {};
  }
  std::vector<any_fact> operator()(const action::leave_mesh&) {
    ++asked["leave"];
    return {};
  }
  std::vector<any_fact> operator()(const action::connect& a) {
    ++asked["connect"];
    return {fact::connect_result{a.id, GetParam().connects, milliseconds(0), "at once"}};
  }

  // Steps at `now` until nothing more is asked, or too much was.
  void settle(std::vector<any_fact> facts) {
    do {
      auto result = core.step(facts, {steady_time(now), driver::epoch + now});
      wake = result.wake.steady.time_since_epoch();
      facts.clear();
      for (const auto& one : result.actions) {
        for (auto& told : std::visit(*this, one)) facts.push_back(std::move(told));
      }
    } while (!facts.empty() && worst() <= most);
  }
  std::size_t worst() const {
    std::size_t count = 0;
    for (const auto& [what, times] : asked) count = std::max(count, times);
    return count;
  }

  cluster core;
  milliseconds now{1'000}, wake{0};
  std::vector<node_name> all;
  std::map<std::string, std::size_t> asked;
};

TEST_P(AtOnce, NothingIsAskedAgainWithoutAPause) {
  const auto end = now + played;
  auto next_round = now;
  bool ordered = false;
  while (now < end && worst() <= most) {
    if (now >= next_round) {
      next_round += interval;
      settle({fact::listed{all, {}}});
      if (GetParam().told_to_leave && !std::exchange(ordered, true)) settle({fact::leave{all.back()}});
    } else {
      settle({});
    }
    now = std::max(now + milliseconds(1), std::min(wake, next_round));
  }
  for (const auto& [what, times] : asked) {
    EXPECT_LE(times, most) << what << ", in " << now.count() / 1000 << " s";
    RecordProperty("asked_" + what, static_cast<int>(times));
  }
  EXPECT_GT(asked["dial"], 0U);
  EXPECT_EQ(asked["leave"] > 0, GetParam().told_to_leave);
}

INSTANTIATE_TEST_SUITE_P(
    All, AtOnce,
    testing::Values(
        failing{.name = "Dials", .links = false},
        failing{.name = "DialsForOtherReasons", .links = false, .alternate = true},
        failing{.name = "LinksThatHoldTooMuch", .hoards = true}, failing{.name = "Views", .views = {}},
        failing{.name = "ConnectsThatRaise", .views = false},
        failing{.name = "ConnectsThatSayFalse",
                .views = false,
                .connects = connect_outcome::failed,
                .link = link_probe::no_link,
                .path = path_probe::reachable},
        failing{.name = "ConnectsThatSayTrueAndAreNot",
                .views = false,
                .connects = connect_outcome::connected,
                .link = link_probe::no_link,
                .path = path_probe::reachable},
        failing{.name = "ProbesWithoutAWord"},
        failing{.name = "ProbesThatFindNoLink", .link = link_probe::no_link, .path = path_probe::refused},
        failing{.name = "ProbesThatFindSilence", .link = link_probe::silent, .path = path_probe::timeout},
        failing{.name = "LeavesThatSomebodyUndoes", .told_to_leave = true}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace rollcall::membership::test
