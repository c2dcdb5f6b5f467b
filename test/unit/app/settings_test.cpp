// What a node says of itself, from terms shaped as OTP 23 to 29 answer.
#include "app/settings.hpp"

#include <gtest/gtest.h>

namespace rollcall::app {
namespace {

using cnode::atom;
using cnode::list;
using cnode::term;
using cnode::tuple;
using std::chrono::seconds;

term pair(term a, term b) {
  return tuple{{std::move(a), std::move(b)}};
}
term chars(std::string_view text) {
  list l;
  for (const char c : text) l.items.emplace_back(std::int64_t{c});
  return l;
}
membership::fact::settings fresh() {
  return {node_name::parse("a@h").value(), {}, {}, {}, {}, {}, {}};
}

TEST(NamesIn, KeepsNodeNamesOnly) {
  const auto names =
      names_in(list{{atom{"a@h"}, std::int64_t{1}, atom{"nonode"}, atom{"b@h.example"}}, nullptr});
  ASSERT_TRUE(names);
  ASSERT_EQ(names->size(), 2U);
  EXPECT_EQ((*names)[0].text(), "a@h");
  EXPECT_EQ((*names)[1].text(), "b@h.example");
}

TEST(NamesIn, GivesTheAtomsOfAnEncodedAnswerWithoutOurOwn) {
  const auto encoded = cnode::term_writer()
                           .list_header(4)
                           .atom("a@h")
                           .atom("rollcall@h")
                           .raw(cnode::term_writer().write(std::int64_t{1}).bytes())
                           .atom("b@h.example")
                           .nil()
                           .bytes();
  const auto names = names_in(encoded, "rollcall@h");
  ASSERT_TRUE(names);
  EXPECT_EQ(std::vector<std::string>(names->begin(), names->end()),
            (std::vector<std::string>{"a@h", "b@h.example"}));
  EXPECT_FALSE(names_in(cnode::term_writer().atom("ok").bytes(), "rollcall@h"));
}

TEST(NamesIn, EmptyListIsAnAnswer) {
  EXPECT_TRUE(names_in(list{}));
}

TEST(NamesIn, RefusesWhatIsNoProperList) {
  EXPECT_FALSE(names_in(atom{"ok"}));
  EXPECT_FALSE(names_in(list{{atom{"a@h"}}, std::make_shared<const term>(atom{"b@h"})}));
}

TEST(SaysStopping, OnlyForStopping) {
  EXPECT_TRUE(says_stopping(pair(atom{"stopping"}, atom{"started"})));
  EXPECT_FALSE(says_stopping(pair(atom{"started"}, atom{"started"})));
  EXPECT_FALSE(says_stopping(atom{"stopping"}));
}

TEST(Settings, KernelEnvironmentIsRead) {
  auto s = fresh();
  read_kernel_environment(
      s, list{{pair(atom{"prevent_overlapping_partitions"}, atom{"false"}),
               pair(atom{"connect_all"}, atom{"false"}), pair(atom{"dist_auto_connect"}, atom{"never"}),
               pair(atom{"net_setuptime"}, std::int64_t{9}), pair(atom{"net_ticktime"}, std::int64_t{20}),
               atom{"odd"}},
              nullptr});
  EXPECT_EQ(s.prevent_overlapping_partitions, false);
  EXPECT_EQ(s.connect_all, false);
  EXPECT_EQ(s.dist_auto_connect, "never");
  EXPECT_EQ(s.net_setuptime, seconds(9));
  EXPECT_EQ(s.net_ticktime, seconds(20));
}

TEST(Settings, AbsurdTimesAreNotBelieved) {
  auto s = fresh();
  read_net_ticktime(s, std::int64_t{0});
  read_net_ticktime(s, std::int64_t{-5});
  read_net_ticktime(s, std::int64_t{1} << 60);
  read_net_ticktime(s, atom{"ignored"});
  EXPECT_FALSE(s.net_ticktime);
}

TEST(Settings, TicktimeUnderChangeIsTheNewOne) {
  auto s = fresh();
  read_net_ticktime(s, pair(atom{"ongoing_change_to"}, std::int64_t{30}));
  EXPECT_EQ(s.net_ticktime, seconds(30));
}

TEST(Settings, PreventOverlappingPartitionsByRelease) {
  for (const auto& [release, expected] :
       {std::pair{"23", false}, {"24", false}, {"25", true}, {"29", true}}) {
    auto s = fresh();
    read_otp_release(s, chars(release));
    fill_defaults(s);
    EXPECT_EQ(s.prevent_overlapping_partitions, expected) << release;
    EXPECT_EQ(s.connect_all, true) << release;
  }
}

TEST(Settings, OldConnectAllFlagIsRead) {
  auto s = fresh();
  read_connect_all_flag(s, pair(atom{"ok"}, list{{list{{chars("false")}, nullptr}}, nullptr}));
  EXPECT_EQ(s.connect_all, false);
  auto other = fresh();
  read_connect_all_flag(other, atom{"error"});
  EXPECT_FALSE(other.connect_all);
}

}  // namespace
}  // namespace rollcall::app
