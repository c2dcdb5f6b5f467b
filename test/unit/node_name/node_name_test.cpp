// Node names as OTP takes them: what is accepted, which kind it is, what is refused and why.
#include "node_name/node_name.hpp"

#include <gtest/gtest.h>

#include <sstream>
#include <unordered_set>

namespace rollcall {
namespace {

struct accepted {
  const char* text;
  const char* alive;
  const char* host;
  name_kind kind;
};

// Each was given to `erl` of OTP 25 as -name or -sname, which took it.
TEST(NodeName, AcceptsWhatErlAccepts) {
  const accepted rows[] = {
      {"a@vm", "a", "vm", name_kind::short_name},
      {"app@app-0.app.shop.svc.cluster.local", "app", "app-0.app.shop.svc.cluster.local",
       name_kind::long_name},
      {"app@10-1-2-3.app.shop.svc.cluster.local", "app", "10-1-2-3.app.shop.svc.cluster.local",
       name_kind::long_name},
      {"my_app-1@127.0.0.1", "my_app-1", "127.0.0.1", name_kind::long_name},
      {"a_b@h_x.y", "a_b", "h_x.y", name_kind::long_name},
      {"a@::1", "a", "::1", name_kind::long_name},
      {"a@[::1]", "a", "[::1]", name_kind::long_name},
      {"a@fe80::1%eth0", "a", "fe80::1%eth0", name_kind::long_name},
      {"3BQ0E6TBVG5BX@host", "3BQ0E6TBVG5BX", "host", name_kind::short_name},
      {"A@Host.Example", "A", "Host.Example", name_kind::long_name},
  };
  for (const auto& row : rows) {
    const auto name = node_name::parse(row.text);
    ASSERT_TRUE(name) << row.text << ": " << name.error().message();
    EXPECT_EQ(name->text(), row.text);
    EXPECT_EQ(name->alive(), row.alive) << row.text;
    EXPECT_EQ(name->host(), row.host) << row.text;
    EXPECT_EQ(name->kind(), row.kind) << row.text;
    EXPECT_EQ(node_name::make(row.alive, row.host).value(), *name);
  }
}

struct refused {
  std::string text;
  node_name_error error;
};

TEST(NodeName, RefusesAndSaysWhy) {
  using enum node_name_error;
  const refused rows[] = {
      {"", empty},
      {"app", no_at_sign},
      {"@host", empty_alive},
      {"app@", empty_host},
      {"@", empty_alive},
      {"a@b@c", second_at_sign},
      {"a@@b", second_at_sign},
      {"a b@host", bad_character},
      {"a@ho st", bad_character},
      {"a@host\n", bad_character},
      {" a@host", bad_character},
      {"a/b@host", bad_character},
      {"a+b@host", bad_character},
      {"a'b@host", bad_character},
      {"a@host,b@host", second_at_sign},
      {std::string("a\0b@host", 8), bad_character},
      {"\xc3\xa4@host",
       bad_character},  // letters beyond ASCII are atoms, but neither epmd nor DNS carries them alike
      {"a@h\xc3\xb6st", bad_character},
      {"a@" + std::string(254, 'h'), too_long},
      {std::string(70'000, 'a') + "@h", too_long},
  };
  for (const auto& row : rows) {
    const auto name = node_name::parse(row.text);
    ASSERT_FALSE(name) << row.text;
    EXPECT_EQ(name.error(), make_error_code(row.error)) << row.text << ": " << name.error().message();
  }
}

TEST(NodeName, TakesExactlyAnAtomsLength) {
  EXPECT_TRUE(node_name::parse("a@" + std::string(253, 'h')));
  EXPECT_FALSE(node_name::parse("a@" + std::string(254, 'h')));
}

TEST(NodeName, MakeChecksBothParts) {
  EXPECT_EQ(node_name::make("a", "").error(), make_error_code(node_name_error::empty_host));
  EXPECT_EQ(node_name::make("", "h").error(), make_error_code(node_name_error::empty_alive));
  EXPECT_EQ(node_name::make("a@b", "h").error(), make_error_code(node_name_error::second_at_sign));
  EXPECT_EQ(node_name::make("a", "h@b").error(), make_error_code(node_name_error::second_at_sign));
}

TEST(NodeName, EveryErrorHasItsOwnSentence) {
  std::unordered_set<std::string> sentences;
  for (int value = static_cast<int>(node_name_error::empty);
       value <= static_cast<int>(node_name_error::too_long); ++value) {
    sentences.insert(make_error_code(static_cast<node_name_error>(value)).message());
  }
  EXPECT_EQ(sentences.size(), 7U);
  EXPECT_FALSE(sentences.contains("unknown node name error"));
  EXPECT_STREQ(node_name_category().name(), "node_name");
}

TEST(NodeName, IsAValue) {
  const auto a = node_name::parse("a@h").value();
  const auto b = node_name::parse("b@h").value();
  EXPECT_LT(a, b);
  EXPECT_NE(a, b);
  EXPECT_EQ(a, node_name::make("a", "h").value());
  EXPECT_NE(a, node_name::parse("A@h").value()) << "names are compared as atoms are";
  EXPECT_EQ(std::hash<node_name>{}(a), std::hash<node_name>{}(node_name::make("a", "h").value()));
  std::ostringstream out;
  out << a;
  EXPECT_EQ(out.str(), "a@h");
  auto copy = a;
  const auto moved = std::move(copy);
  EXPECT_EQ(moved.alive(), "a");
}

}  // namespace
}  // namespace rollcall
