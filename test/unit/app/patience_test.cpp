// What only says that all is as it was waits for others like it; news does not.
#include "app/patience.hpp"

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using namespace rollcall;
using namespace rollcall::app;
using membership::link_probe;
namespace fact = membership::fact;

const auto node = node_name::parse("a@host.example").value();

TEST(Patience, SignsOfLifeWait) {
  EXPECT_EQ(patience_for(fact::heard{node, 1ms}, false), patience_for_signs_of_life);
  EXPECT_EQ(patience_for(fact::view_confirmed{node, 7, 1ms}, false), patience_for_signs_of_life);
  EXPECT_EQ(patience_for(fact::links_probed{1, {link_probe::answered, link_probe::answered}}, false),
            patience_for_signs_of_life);
  EXPECT_EQ(patience_for(fact::view{node, {}, 1ms}, false), patience_for_views);
}

TEST(Patience, NewsDoesNot) {
  for (const bool calm : {false, true}) {
    for (const auto one : {link_probe::silent, link_probe::no_link, link_probe::no_word}) {
      EXPECT_EQ(patience_for(fact::links_probed{1, {link_probe::answered, one}}, calm), 0ms);
    }
    EXPECT_EQ(patience_for(fact::link_up{node, 1, true}, calm), 0ms);
    EXPECT_EQ(patience_for(fact::link_down{node, membership::reason::closed, "closed", false}, calm), 0ms);
    EXPECT_EQ(patience_for(fact::peer_changed{node, node, false, "gone"}, calm), 0ms);
    EXPECT_EQ(patience_for(fact::stopping{node}, calm), 0ms);
  }
}

TEST(Patience, IsLongerWhileAllIsWell) {
  EXPECT_EQ(patience_for(fact::heard{node, 1ms}, true), patience_in_calm);
  EXPECT_EQ(patience_for(fact::view_confirmed{node, 7, 1ms}, true), patience_in_calm);
  EXPECT_EQ(patience_for(fact::links_probed{1, {link_probe::answered}}, true), patience_in_calm);
  EXPECT_EQ(patience_for(fact::view{node, {}, 1ms}, true), patience_in_calm);
  membership::snapshot s;
  s.starting = false;
  s.listed = s.up = 3;
  EXPECT_TRUE(is_calm(s));
  for (const auto spoil : {+[](membership::snapshot& one) { one.starting = true; },
                           +[](membership::snapshot& one) { one.up = 2; },
                           +[](membership::snapshot& one) { one.links_missing = 1; },
                           +[](membership::snapshot& one) { one.overall = membership::health::warning; }}) {
    auto one = s;
    spoil(one);
    EXPECT_FALSE(is_calm(one));
  }
}

TEST(Patience, IsAFrameAtMost) {
  EXPECT_LE(patience_for_signs_of_life, 50ms);
  EXPECT_LE(patience_for_views, patience_for_signs_of_life);
}

}  // namespace
