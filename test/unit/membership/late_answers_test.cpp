// A mesh that lacks links, and whose nodes answer late: what is proven of one pair is old when the next one
// is.
#include <fmt/format.h>

#include <map>

#include "test/unit/membership/driver.hpp"

namespace rollcall::membership::test {
namespace {

struct LateAnswers : testing::Test {
  static constexpr milliseconds late{500};

  driver d;
  names all;
  std::multimap<milliseconds, request_id> coming;  // answers to probes of paths
  std::size_t asked = 0;

  LateAnswers() : d(careful()) {
    d.usual.otp_release = "25";
    d.usual.prevent_overlapping_partitions = true;
    d.usual.connect_all = true;
    for (int i = 0; i < 20; ++i) all.push_back(fmt::format("n{:02}", i));
  }
  static settings careful() {
    settings s;
    s.probe = true;
    return s;
  }
  // Whole but for the pairs of one and the next.
  void lack_pairs() {
    d.list(all);
    for (std::size_t i = 0; i < all.size(); ++i) {
      d.sees(all[i], driver::without(driver::without(all, all[i]), all[i ^ 1U]));
      d.up(all[i]);
    }
    d.answer_views();
  }
  // The first answers come one after the other, and the next ones as late as they are asked for.
  void live(milliseconds span) {
    for (auto left = span; left > 0ms; left -= 50ms) {
      d.pass(50ms);
      for (const auto& p : d.take<action::probe_path>()) {
        const auto first = asked < all.size() / 2;
        coming.emplace(d.now + (first ? static_cast<int>(asked) * late : late), p.id);
        ++asked;
      }
      for (const auto& l : d.take<action::probe_links>()) {
        d.step({fact::links_probed{l.id, std::vector(l.to.size(), link_probe::answered)}});
      }
      while (!coming.empty() && coming.begin()->first <= d.now) {
        d.step({fact::path_probed{coming.begin()->second, path_probe::reachable}});
        coming.erase(coming.begin());
      }
      d.answer_views();
    }
  }
};

TEST_F(LateAnswers, WhatIsProvenInsideAGroupStandsWhileTheRestIsProbed) {
  lack_pairs();
  live(30'000ms);
  EXPECT_GT(asked, all.size() / 2);  // no proof stood until the last one came
  EXPECT_EQ(d.take<action::connect>().size(), all.size() / 2);
}

}  // namespace
}  // namespace rollcall::membership::test
