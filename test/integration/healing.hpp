// Faults on real nodes, many clusters side by side in one process: most of the time is waiting. A scenario
// plays one fault in a thread and a cluster of its own and makes claims; the test of its name judges them.
//
//   SIDE_BY_SIDE(RefusedPair) { scene c(found, 5); found.must("a mesh", c.formed()); ...; found.claim(...); }
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "test/support/cluster.hpp"

namespace rollcall::test::healing {

using moment = std::chrono::system_clock::time_point;
inline moment now() {
  return std::chrono::system_clock::now();
}
double seconds(std::chrono::system_clock::duration);
std::string time(double seconds);  // "1.25 s"; "never" for what did not come
inline constexpr double never = 1e9;

struct claim {
  std::string what;
  bool holds = false;
  std::string detail;
};

// What a scenario found out. `what` of a claim is said once and names it in the list of what is not yet true.
class findings {
 public:
  void claim(std::string what, bool holds, std::string detail = {});
  void claim(std::string what, const testing::AssertionResult&);
  // What all that follows needs: ends the scenario when it does not hold.
  void must(std::string what, const testing::AssertionResult&);
  void note(std::string figure);  // measured; printed
  void keep_log(std::vector<std::string> lines);

  const std::vector<healing::claim>& claims() const { return claims_; }
  const std::vector<std::string>& notes() const { return notes_; }
  const std::vector<std::string>& log() const { return log_; }

 private:
  std::vector<healing::claim> claims_;
  std::vector<std::string> notes_, log_;
};

// Two clusters boot at a time: more only keep each other waiting.
class boot_turn {
 protected:
  boot_turn();
  ~boot_turn();
  void booted();

 private:
  bool ours_ = true;
};

struct loss {
  moment at;
  std::size_t of, by;  // whose nodedown it is, and who was lost
};

struct scene_options {
  std::size_t nodes = 5;
  std::vector<std::string> flags{};  // of Rollcall
  std::string interval = "2s";
  std::vector<std::string> arguments{"-kernel", "net_ticktime", "8"};
};

class scene : private boot_turn, public cluster {
 public:
  scene(findings&, scene_options = {});
  ~scene();

  indices all() const;
  indices all_but(const indices& without) const;
  // nodedown messages since then, in their order, of these nodes (a frozen or dead one cannot be asked).
  std::vector<loss> lost(moment since, const indices& of);
  // The time of the last nodeup among these; the epoch when there was none.
  moment last_up(moment since, const indices& of);
  // How long after `since` all were one mesh in their own eyes; never, and a failure, after `limit`.
  testing::AssertionResult whole_after(moment since, milliseconds limit, double& took);

  // One mesh of all but one, and that one alone, in Rollcall's eyes and in the nodes' own.
  testing::AssertionResult all_but_one_meshed();
  std::string quarantine() const;  // its sentences
  std::string story() const;       // types of the events of netsplits, in their order
  std::string shown() const;       // the incidents, for who reads a failure
  std::string call(std::size_t node,
                   const std::string& function_and_arguments);  // of Rollcall, from that node

 private:
  findings& found_;
};

// Moments (2 s) in which links were lost, as "12.3 s: 8, ...", and how many.
struct moments {
  std::vector<std::pair<double, int>> each;  // seconds after the first argument of tears(), links
  std::size_t count() const { return each.size(); }
  std::size_t after(double second) const;
  std::string text() const;
};
moments tears(moment since, const std::vector<loss>&);

using play = std::function<void(findings&)>;
struct listed_play {
  listed_play(std::string name, play);
};

class Healing : public testing::Test {
 protected:
  static void SetUpTestSuite();  // begins all that were selected
  static void TearDownTestSuite();
  static void judge(const std::string& name);
};

}  // namespace rollcall::test::healing

#define SIDE_BY_SIDE(name)                                                               \
  static void play_##name(findings& found);                                              \
  static const ::rollcall::test::healing::listed_play listed_##name(#name, play_##name); \
  TEST_F(Healing, name) {                                                                \
    judge(#name);                                                                        \
  }                                                                                      \
  static void play_##name(findings& found)
