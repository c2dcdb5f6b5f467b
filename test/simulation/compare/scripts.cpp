// One script for each kind of fault that concerns nodes; those of discovery and of the observer do not.
#include "test/simulation/compare/stage.hpp"

namespace rollcall::simulation {

namespace {

using std::chrono::seconds;

places others(place first, place end) {
  places list;
  for (; first < end; ++first) list.push_back(first);
  return list;
}

// Three that connect to each other again once nothing is in the way: the rest is `global`'s.
step connects(milliseconds at, place on, place to) {
  return {at, [=](stage& s) { s.connect(on, to); }};
}

script dark_pair() {
  return {.name = "dark_pair",
          .nodes = 5,
          .steps = {{seconds(0), [](stage& s) { s.cut({0}, {1}); }},
                    {seconds(18), [](stage& s) { s.join({0}, {1}); }},
                    connects(seconds(20), 0, 2),
                    connects(seconds(20), 1, 2)},
          .looks = {seconds(17), seconds(28)},
          .in_ci = true};
}

script halves() {
  return {.name = "halves",
          .nodes = 6,
          .steps = {{seconds(0),
                     [](stage& s) {
                       s.cut({0, 1, 2}, {3, 4, 5});
                     }},
                    connects(seconds(16), 0, 3),
                    {seconds(26),
                     [](stage& s) {
                       s.join({0, 1, 2}, {3, 4, 5});
                     }},
                    connects(seconds(28), 0, 3)},
          .looks = {seconds(15), seconds(25), seconds(36)},
          .in_ci = true};
}

script three_way() {
  return {.name = "three_way",
          .nodes = 6,
          .steps = {{seconds(0),
                     [](stage& s) {
                       s.cut({0, 1}, {2, 3, 4, 5});
                       s.cut({2, 3}, {4, 5});
                     }},
                    {seconds(18),
                     [](stage& s) {
                       s.join({0, 1}, {2, 3, 4, 5});
                       s.join({2, 3}, {4, 5});
                     }},
                    connects(seconds(20), 0, 2),
                    connects(seconds(24), 0, 4)},
          .looks = {seconds(17), seconds(32)}};
}

script ring() {
  return {.name = "ring",
          .nodes = 4,
          .steps = {{seconds(0),
                     [](stage& s) {
                       s.cut({0}, {2});
                       s.cut({1}, {3});
                     }},
                    {seconds(18),
                     [](stage& s) {
                       s.join({0}, {2});
                       s.join({1}, {3});
                     }},
                    connects(seconds(20), 0, 1),
                    connects(seconds(22), 0, 2),
                    connects(seconds(24), 0, 3)},
          .looks = {seconds(17), seconds(32)}};
}

script one_way_loss() {
  return {.name = "one_way_loss",
          .nodes = 5,
          .steps = {{seconds(0), [](stage& s) { s.mute(0, 1); }},
                    connects(seconds(18), 1, 0),
                    {seconds(28), [](stage& s) { s.join({0}, {1}); }},
                    connects(seconds(30), 0, 2),
                    connects(seconds(30), 1, 2)},
          .looks = {seconds(17), seconds(27), seconds(38)},
          .in_ci = true};
}

script node_dark() {
  return {.name = "node_dark",
          .nodes = 5,
          .steps = {{seconds(0), [](stage& s) { s.cut({0}, others(1, 5)); }},
                    {seconds(18), [](stage& s) { s.join({0}, others(1, 5)); }},
                    connects(seconds(20), 0, 3)},
          .looks = {seconds(17), seconds(28)},
          .in_ci = true};
}

script refused_handshake() {
  return {.name = "refused_handshake",
          .nodes = 5,
          .steps = {{seconds(0),
                     [](stage& s) {
                       s.refuse(0, 1);
                       s.disconnect(0, 1);
                     }},
                    connects(seconds(5), 0, 1),
                    {seconds(10), [](stage& s) { s.agree(0, 1); }},
                    connects(seconds(12), 0, 2),
                    connects(seconds(12), 1, 2)},
          .looks = {seconds(4), seconds(9), seconds(20)}};
}

// One that hangs is still under way when the path is back.
script mapper_blocked() {
  return {.name = "mapper_blocked",
          .nodes = 4,
          .steps = {{seconds(0),
                     [](stage& s) {
                       for (place i = 1; i < 4; ++i) s.block_mapper(i, 0);
                       s.leave(0);
                     }},
                    connects(seconds(4), 1, 0),
                    connects(seconds(18), 0, 1)},
          .looks = {seconds(3), seconds(17), seconds(26)}};
}

script a_door(const char* name, door how) {
  return {.name = name,
          .nodes = 4,
          .steps = {{seconds(0),
                     [how](stage& s) {
                       for (place i = 1; i < 4; ++i) s.close_door(i, 0, how);
                       s.leave(0);
                     }},
                    connects(seconds(4), 1, 0),
                    connects(seconds(18), 0, 1)},
          .looks = {seconds(3), seconds(17), seconds(26)}};
}

script large_packets_lost() {
  return {.name = "large_packets_lost",
          .nodes = 5,
          .steps = {{seconds(0), [](stage& s) { s.lose_large(0, 1); }}},
          .looks = {seconds(40)}};
}

script frozen_node() {
  return {.name = "frozen_node",
          .nodes = 5,
          .steps = {{seconds(0), [](stage& s) { s.freeze(0); }},
                    {seconds(3), [](stage& s) { s.thaw(0); }},
                    {seconds(8), [](stage& s) { s.freeze(0); }},
                    {seconds(26), [](stage& s) { s.thaw(0); }},
                    connects(seconds(32), 0, 1)},
          .looks = {seconds(7), seconds(25), seconds(31), seconds(40)},
          .in_ci = true};
}

script node_restarted() {
  return {.name = "node_restarted",
          .nodes = 5,
          .steps = {{seconds(0), [](stage& s) { s.kill(0); }},
                    {seconds(5), [](stage& s) { s.boot(0); }},
                    connects(seconds(14), 0, 1)},
          .looks = {seconds(4), seconds(13), seconds(22)},
          .in_ci = true};
}

script machine_lost() {
  return {.name = "machine_lost",
          .nodes = 5,
          .steps = {{seconds(0), [](stage& s) { s.lose_machine(0); }}, connects(seconds(18), 1, 0)},
          .looks = {seconds(17), seconds(28)}};
}

// In by one connect; and one that cannot reach a member.
script newcomer() {
  return {.name = "newcomer",
          .nodes = 4,
          .more = 2,
          .steps = {{seconds(0), [](stage& s) { s.boot(4); }},
                    connects(seconds(8), 4, 1),
                    {seconds(16), [](stage& s) { s.boot(5); }},
                    {seconds(22), [](stage& s) { s.cut({5}, {0}); }},
                    connects(seconds(24), 5, 1)},
          .looks = {seconds(7), seconds(15), seconds(23), seconds(50)}};
}

script flapping() {
  script s{.name = "flapping", .nodes = 5, .steps = {}, .looks = {seconds(64), seconds(78)}};
  for (int turn = 0; turn < 5; ++turn) {
    s.steps.push_back({seconds(12 * turn), [](stage& on) { on.cut({0}, others(1, 5)); }});
    s.steps.push_back({seconds(12 * turn + 4), [](stage& on) { on.join({0}, others(1, 5)); }});
  }
  s.steps.push_back(connects(seconds(66), 0, 1));
  return s;
}

}  // namespace

const std::vector<script>& scripts() {
  static const std::vector<script> all{dark_pair(),
                                       halves(),
                                       one_way_loss(),
                                       node_dark(),
                                       frozen_node(),
                                       node_restarted(),
                                       three_way(),
                                       ring(),
                                       refused_handshake(),
                                       mapper_blocked(),
                                       a_door("silent_door", door::silent),
                                       a_door("closing_door", door::closing),
                                       large_packets_lost(),
                                       machine_lost(),
                                       newcomer(),
                                       flapping()};
  return all;
}

}  // namespace rollcall::simulation
