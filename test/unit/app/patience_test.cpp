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
  EXPECT_EQ(patience_for(fact::heard{node, 1ms}), patience_for_signs_of_life);
  EXPECT_EQ(patience_for(fact::links_probed{1, {link_probe::answered, link_probe::answered}}),
            patience_for_signs_of_life);
  EXPECT_EQ(patience_for(fact::view{node, {}, 1ms}), patience_for_views);
}

TEST(Patience, NewsDoesNot) {
  for (const auto one : {link_probe::silent, link_probe::no_link, link_probe::no_word}) {
    EXPECT_EQ(patience_for(fact::links_probed{1, {link_probe::answered, one}}), 0ms);
  }
  EXPECT_EQ(patience_for(fact::link_up{node, 1, true}), 0ms);
  EXPECT_EQ(patience_for(fact::link_down{node, membership::reason::closed, "closed", false}), 0ms);
  EXPECT_EQ(patience_for(fact::peer_changed{node, node, false, "gone"}), 0ms);
  EXPECT_EQ(patience_for(fact::stopping{node}), 0ms);
}

TEST(Patience, IsAFrameAtMost) {
  EXPECT_LE(patience_for_signs_of_life, 50ms);
  EXPECT_LE(patience_for_views, patience_for_signs_of_life);
}

}  // namespace
