// Columns and ages.
#include "app/table.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <sstream>

#include "app/short_names.hpp"

namespace rollcall::app {
namespace {

using namespace std::chrono_literals;

struct temporary {
  temporary() : descriptor(::open("/dev/null", O_WRONLY | O_CLOEXEC)) {}  // NOLINT: the system's own variadic
  temporary(const temporary&) = delete;
  temporary& operator=(const temporary&) = delete;
  ~temporary() { ::close(descriptor); }
  int descriptor;
};

struct pseudo_terminal {
  pseudo_terminal() {
    if (::openpty(&other, &descriptor, nullptr, nullptr, nullptr) != 0) descriptor = -1;
  }
  pseudo_terminal(const pseudo_terminal&) = delete;
  pseudo_terminal& operator=(const pseudo_terminal&) = delete;
  ~pseudo_terminal() {
    ::close(descriptor);
    ::close(other);
  }
  void resize(unsigned short columns, unsigned short rows) const {
    const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    ::ioctl(descriptor, TIOCSWINSZ, &size);  // NOLINT: the system's own variadic
  }
  int descriptor = -1, other = -1;
};

TEST(Table, AlignsColumnsWithoutTrailingSpace) {
  table t({"NODE", "STATE", "REASON"});
  t.row({"a@b", "suspect", "dns"});
  t.row({"zürich@h", "up"});
  std::ostringstream out;
  out << t;
  EXPECT_EQ(out.str(),
            "NODE      STATE    REASON\n"
            "a@b       suspect  dns\n"
            "zürich@h  up\n");
}

TEST(Table, CellsCannotMoveTheCursor) {
  table t({});
  t.row({"a\x1b[2J\nb", "c"});
  std::ostringstream out;
  out << t;
  EXPECT_EQ(out.str(), "a\\u001b[2J\\nb  c\n");
}

std::string printed(const table& t, std::size_t columns, bool colour = false) {
  std::ostringstream out;
  t.print(out, {.columns = columns, .rows = 24, .colour = colour});
  return out.str();
}

TEST(Table, KeepsToTheWidthOfTheTerminal) {
  table t({"NODE", "(OTP)", "STATE", "TEXT"});
  t.row({"app@app-0", "25", "down", "nothing listens at 10.0.0.7:9100; the node has just stopped"});
  EXPECT_EQ(printed(t, 200),
            "NODE       OTP  STATE  TEXT\n"
            "app@app-0  25   down   nothing listens at 10.0.0.7:9100; the node has just stopped\n");
  EXPECT_EQ(printed(t, 60),
            "NODE       STATE  TEXT\n"
            "app@app-0  down   nothing listens at 10.0.0.7:9100; the node\n"
            "                  has just stopped\n");
  table names({"NODE"});
  names.row({std::string(50, 'a')});
  EXPECT_EQ(printed(names, 40), "NODE\n" + std::string(40, 'a') + "\n" + std::string(10, 'a') + "\n");
}

TEST(Table, AnEmptyColumnIndentsAndIsPartOfTheWidth) {
  table t({});
  t.row({"", "one two three four five six seven eight"});
  EXPECT_EQ(printed(t, 30),
            "  one two three four five six\n"
            "  seven eight\n");
}

TEST(Table, ColoursWordsAndNotTheSpaceBesideThem) {
  table t({});
  t.row({cell("up", paint::good), "x"});
  t.row({cell("suspect", paint::warning), "y"});
  EXPECT_EQ(printed(t, 80, true), "\x1b[32mup\x1b[0m       x\n\x1b[33msuspect\x1b[0m  y\n");
  EXPECT_EQ(printed(t, 80), "up       x\nsuspect  y\n");
}

TEST(Terminal, WhatIsNoneHasNeitherWidthNorColour) {
  const temporary none;
  EXPECT_EQ(terminal_of(none.descriptor, {{"TERM", "xterm"}}).columns, 0U);
  EXPECT_FALSE(terminal_of(none.descriptor, {}).colour);
}

TEST(Terminal, ColourIsNotForThoseWhoSaySo) {
  const pseudo_terminal one;
  ASSERT_GE(one.descriptor, 0);
  EXPECT_EQ(terminal_of(one.descriptor, {}).columns, 80U);
  EXPECT_TRUE(terminal_of(one.descriptor, {{"TERM", "xterm"}, {"NO_COLOR", ""}}).colour);
  EXPECT_FALSE(terminal_of(one.descriptor, {{"NO_COLOR", "1"}}).colour);
  EXPECT_FALSE(terminal_of(one.descriptor, {{"TERM", "dumb"}}).colour);
  one.resize(132, 50);
  EXPECT_EQ(terminal_of(one.descriptor, {}).columns, 132U);
  EXPECT_EQ(terminal_of(one.descriptor, {}).rows, 50U);
}

TEST(ShortNames, WhatAllEndInIsTakenOff) {
  struct row {
    std::vector<std::string> names;
    std::string suffix;
  };
  for (const auto& [names, suffix] : {
           row{{"a@a-0.app.shop.svc", "a@a-1.app.shop.svc"}, ".app.shop.svc"},
           row{{"a@a-0.x.svc", "a@a-1.y.svc"}, ".svc"},
           row{{"a@h", "b@h"}, ""},
           row{{"a@10.0.0.1", "a@11.0.0.1"}, ""},
           row{{"a@h.example", "b@h.example"}, ".example"},
           row{{"a@a.b", "a@b"}, ""},
           row{{"a@a.b"}, ""},
           row{{}, ""},
       })
    EXPECT_EQ(common_suffix(names), suffix);
  const std::vector<std::string> names{"a@a-0.app.svc", "a@a-1.app.svc"};
  const short_names shorten(names);
  EXPECT_EQ(shorten("a@a-0.app.svc is suspect: a@a-1.app.svc closed it, www.app.svc did not; a@a-1.app.svc."),
            "a@a-0 is suspect: a@a-1 closed it, www.app.svc did not; a@a-1.");
  EXPECT_EQ(shorten("no name, and @.app.svc"), "no name, and @.app.svc");
}

TEST(ShortNames, ASentenceNamesItOnce) {
  EXPECT_EQ(name_once("a@h is suspect: a@h closed, not xa@h or a@h.x; a@h.", "a@h"),
            "a@h is suspect: it closed, not xa@h or a@h.x; it.");
  EXPECT_EQ(name_once("nobody", "a@h"), "nobody");
}

TEST(ShortNames, NumbersAreNumbers) {
  EXPECT_TRUE(natural_less("app-2", "app-10"));
  EXPECT_FALSE(natural_less("app-10", "app-2"));
  EXPECT_TRUE(natural_less("app", "app-1"));
  EXPECT_TRUE(natural_less("a-1-x", "a-1-y"));
  EXPECT_FALSE(natural_less("same", "same"));
  EXPECT_NE(natural_less("a01", "a1"), natural_less("a1", "a01"));
}

TEST(Age, OfWhatLiesAhead) {
  EXPECT_EQ(ahead(1'000'000ms, 1'540'000ms), "in 9m");
  EXPECT_EQ(ahead(1'000'000ms, 1'000'100ms), "now");
  EXPECT_EQ(ahead(1'000'000ms, 940'000ms), "1m ago");
}

TEST(Age, NamesTheGreatestUnits) {
  const milliseconds now = 1'000'000h;
  EXPECT_EQ(age(now, now), "now");
  EXPECT_EQ(age(now, now + 5s), "now");
  EXPECT_EQ(age(now, now - 999ms), "now");
  EXPECT_EQ(age(now, now - 12s), "12s ago");
  EXPECT_EQ(age(now, now - 119s), "1m ago");
  EXPECT_EQ(age(now, now - 65min), "1h 5m ago");
  EXPECT_EQ(age(now, now - 2h), "2h ago");
  EXPECT_EQ(age(now, now - 76h), "3d 4h ago");
  EXPECT_EQ(age(now, 0ms), "");
  EXPECT_EQ(span(850ms), "850ms");
}

}  // namespace
}  // namespace rollcall::app
