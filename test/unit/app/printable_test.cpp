// What a peer sends never moves a terminal's cursor nor forges a line.
#include "app/printable.hpp"

#include <gtest/gtest.h>

namespace rollcall::app {
namespace {

struct text_row {
  std::string name, text, printed;
};
std::ostream& operator<<(std::ostream& out, const text_row& row) {
  return out << row.name;
}
struct Printable : testing::TestWithParam<text_row> {};

TEST_P(Printable, IsOneHarmlessLine) {
  EXPECT_EQ(printable(GetParam().text), GetParam().printed);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, Printable,
    testing::Values(text_row{"plain", "a@b \"c\\d\"", "a@b \"c\\d\""}, text_row{"empty", "", ""},
                    text_row{"line_break", "a\r\nb", "a\\r\\nb"}, text_row{"tab", "a\tb", "a\\tb"},
                    text_row{"escape", "\x1b[2J", "\\u001b[2J"},
                    text_row{"zero", std::string("a\0b", 3), "a\\u0000b"},
                    text_row{"delete", "\x7f", "\\u007f"}, text_row{"c1_control", "\xC2\x9B", "\\u009b"},
                    text_row{"utf8", "Zürich 東京 🎉", "Zürich 東京 🎉"},
                    text_row{"line_separator", "\xE2\x80\xA8", "\\u2028"},
                    text_row{"right_to_left", "\xE2\x80\xAE", "\\u202e"},
                    text_row{"lone_continuation", "a\x80z", "a\xEF\xBF\xBDz"},
                    text_row{"cut_short", "a\xE6\x9D", "a\xEF\xBF\xBD\xEF\xBF\xBD"},
                    text_row{"overlong", "\xC0\x8A", "\xEF\xBF\xBD\xEF\xBF\xBD"},
                    text_row{"surrogate", "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
                    text_row{"above_unicode", "\xF4\x90\x80\x80",
                             "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}),
    [](const auto& row) { return row.param.name; });

TEST(JsonEscaped, EscapesQuotesToo) {
  EXPECT_EQ(json_escaped("a\"b\\c\n"), "a\\\"b\\\\c\\n");
}

TEST(DisplayWidth, CountsCodePoints) {
  EXPECT_EQ(display_width("Zürich"), 6U);
  EXPECT_EQ(display_width(""), 0U);
}

}  // namespace
}  // namespace rollcall::app
