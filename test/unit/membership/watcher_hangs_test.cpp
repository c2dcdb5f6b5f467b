// A watcher that hangs says neither what has changed nor that it is alive, while its node answers calls.
#include <set>

#include "test/unit/membership/pushing.hpp"

namespace rollcall::membership::test {
namespace {

// Of a, b and c, the watcher on c, or on others.
struct one_hangs {
  driver d{pushing()};
  std::size_t views_of_c = 0;
  std::set<std::string> hung{"c"};
  bool hangs(const node_name& node) const { return hung.contains(std::string(node.alive())); }

  one_hangs() {
    d.mesh({"a", "b", "c"});
    for (const auto* node : {"a", "b", "c"}) d.step({fact::watching{full(node), true}});
    d.answer_views();
  }
  void d_comes() {
    const names all{"a", "b", "c", "d"};
    d.list(all);
    for (const auto& node : all) d.sees(node, d.without(all, node));
    d.up("d");
    d.step({fact::watching{full("d"), true}});
    d.answer_views();
    d.step({fact::peer_changed{full("a"), full("d"), true, ""},
            fact::peer_changed{full("b"), full("d"), true, ""}});
  }
  void live(milliseconds span) {
    for (const auto end = d.now + span; d.now < end;) {
      d.now = std::min(end, std::max(d.wake, d.now + 1ms));
      d.step();
      for (const auto& s : d.take<action::ask_status>()) d.step({fact::heard{s.node, 1ms, !hangs(s.node)}});
      for (const auto& v : d.take<action::ask_view>()) {
        views_of_c += v.node == full("c") ? 1 : 0;
        d.step({fact::view{v.node, d.automatic.at(v.node), 1ms}});
      }
      for (const auto& v : d.take<action::confirm_view>()) {
        if (hangs(v.node)) continue;
        d.step({fact::view_confirmed{v.node, name_list(d.automatic.at(v.node)).digest(), 1ms}});
      }
    }
  }
};

TEST(WatcherHangs, WhatItHasNotToldIsNoIncident) {
  for (int round = 0; round < 6; ++round) {  // whenever its turn to confirm its view comes
    one_hangs mesh;
    mesh.live(round * mesh.d.options.interval);
    mesh.d_comes();
    mesh.live(20s);
    EXPECT_TRUE(mesh.d.shown().incidents->empty()) << round;
    mesh.live(20s);
    EXPECT_EQ(mesh.d.shown().links_missing, 0U) << round;
  }
}

TEST(WatcherHangs, ItsNodeIsAskedForItsViewInEachRoundForAsLongAsItOwesAnAnswer) {
  one_hangs mesh;
  mesh.live(35s);
  mesh.views_of_c = 0;
  mesh.live(25s);
  EXPECT_GE(mesh.views_of_c, 4U);
  mesh.hung.clear();
  mesh.d.step({fact::heard{full("c"), 30s, true}});
  mesh.views_of_c = 0;
  mesh.live(4 * mesh.d.options.interval);
  EXPECT_LE(mesh.views_of_c, 2U) << "it owes nothing until it is asked again";
}

// A loss that was over before the node was asked for its view.
TEST(WatcherHangs, WhatItTellsLateDoesNotUndoAViewThatCameSince) {
  one_hangs mesh;
  mesh.live(35s);
  mesh.d.step({fact::peer_changed{full("c"), full("a"), false, "connection_closed"}});
  EXPECT_TRUE(mesh.d.shown().sees(2, 0).value_or(false));
  // One that answers, and late, is behind as before.
  mesh.d.step({fact::heard{full("c"), 6s, true}, fact::peer_changed{full("c"), full("b"), false, "closed"}});
  EXPECT_TRUE(mesh.d.shown().sees(2, 1).value_or(false));
  mesh.live(20s);
  EXPECT_TRUE(mesh.d.shown().incidents->empty());
}

// b and c told that they had lost each other. What they say now is asked for before that is an incident.
TEST(WatcherHangs, ALinkThatCameBackUntoldIsNoIncident) {
  for (const bool back : {true, false}) {
    for (milliseconds offset{0}; offset < 5s; offset += 500ms) {  // from a round
      one_hangs mesh;
      mesh.hung.clear();
      mesh.live(10s + offset);
      mesh.d.sees("b", {"a"});
      mesh.d.sees("c", {"a"});
      mesh.d.step({fact::peer_changed{full("b"), full("c"), false, "connection_closed"},
                   fact::peer_changed{full("c"), full("b"), false, "connection_closed"}});
      mesh.hung = {"b", "c"};
      mesh.live(4'800ms);
      if (back) {
        mesh.d.sees("b", {"a", "c"});
        mesh.d.sees("c", {"a", "b"});
      }
      mesh.live(400ms);
      EXPECT_EQ(mesh.d.shown().incidents->size(), back ? 0U : 1U) << offset.count();
    }
  }
}

}  // namespace
}  // namespace rollcall::membership::test
