// `rollcall watch`: what fits on which terminal, and, in a pseudo-terminal, that it is drawn in place and
// again when the size changes.
#include "app/watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/json/serialize.hpp>
#include <csignal>

#include "app/client.hpp"
#include "app/printable.hpp"
#include "app/watch_screen.hpp"
#include "test/support/wait.hpp"
#include "test/unit/app/answering_server.hpp"

namespace rollcall::app {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;
using testing::StartsWith;
namespace json = boost::json;

constexpr milliseconds now{1'000'000'000};

std::string name_of(std::size_t number) {
  return "app@app-" + std::to_string(number) + ".app.default.svc.cluster.local";
}

// Members, of which number 3 is down and number 11 lacks two links; with a netsplit, two conditions and an
// incident.
watched cluster_of(std::size_t size, bool split) {
  json::array members, netsplits, details;
  for (std::size_t i = 0; i < size; ++i) {
    members.push_back({{"node", name_of(i)},
                       {"state", i == 3 ? "down" : "up"},
                       {"reason", i == 3 ? json::value("timeout") : json::value()},
                       {"since_at", now.count() - 120'000},
                       {"visible", i == 3 || size < 2 ? 0 : size - 2},
                       {"missing", i == 11 ? 2 : 0},
                       {"partition", i == 3 ? json::value() : json::value(0)}});
  }
  details.push_back(
      {{"name", "members_missing"},
       {"severity", "warning"},
       {"text", "1 of " + std::to_string(size) + " members is not up: " + name_of(3) + " (timeout)"}});
  if (split) {
    std::string all;
    for (std::size_t i = 0; i < 12; ++i) all += (i == 0 ? "" : ", ") + name_of(i);
    details.push_back(
        {{"name", "netsplit"}, {"severity", "error"}, {"text", "the members are apart: " + all}});
    netsplits.push_back(
        {{"id", "7"},
         {"type", "full"},
         {"opened_at", now.count() - 60'000},
         {"closed_at", nullptr},
         {"groups", {{name_of(0), name_of(1)}, {name_of(2)}}},
         {"cause", {{"from", name_of(0)}, {"to", name_of(2)}, {"reason", "probe"}, {"path", "timeout"}}}});
  }
  json::object status{{"health", split ? "error" : "warning"},
                      {"details", details},
                      {"expected", size},
                      {"up", size - 1},
                      {"members", {{"up", size - 1}, {"down", 1}, {"suspect", 0}}},
                      {"partitions", split ? 2 : 1},
                      {"links_missing", 2}};
  return {status, netsplits, members};
}

std::vector<std::string> lines_on(const watched& what, std::size_t columns, std::size_t rows) {
  return watch_screen(what, now, {.columns = columns, .rows = rows, .colour = false});
}

std::size_t rows_of_members(const std::vector<std::string>& lines) {
  return static_cast<std::size_t>(
      std::ranges::count_if(lines, [](const std::string& each) { return each.starts_with("app@app-"); }));
}

TEST(WatchScreen, AFewMembersAreAllThere) {
  EXPECT_EQ(lines_on(cluster_of(5, false), 80, 24),
            (std::vector<std::string>{
                "warning: 4 of 5 members up, 1 down, 2 links missing",
                "warning members_missing: 1 of 5 members is not up: app@app-3 (timeout)",
                "",
                "NODE       STATE  REASON   SINCE   SEES  MISSING  PARTITION",
                "app@app-3  down   timeout  2m ago  0     0",
                "app@app-0  up              2m ago  3     0        0",
                "app@app-1  up              2m ago  3     0        0",
                "app@app-2  up              2m ago  3     0        0",
                "app@app-4  up              2m ago  3     0        0",
                "names end in .app.default.svc.cluster.local",
            }));
}

TEST(WatchScreen, WhatIsWorstComesFirstAndHowManyMoreIsSaid) {
  const auto lines = lines_on(cluster_of(20, false), 80, 20);
  EXPECT_EQ(lines.size(), 19U);
  EXPECT_THAT(lines.at(4), StartsWith("app@app-3   down"));
  EXPECT_THAT(lines.at(5), StartsWith("app@app-11  up"));
  EXPECT_THAT(lines.at(6), StartsWith("app@app-0   up"));
  EXPECT_EQ(lines.back(), "and 6 more, all up; names end in .app.default.svc.cluster.local");
  EXPECT_EQ(rows_of_members(lines), 14U);
}

TEST(WatchScreen, ANetsplitLeavesRoomForMembers) {
  for (const std::size_t size : {20, 60, 300}) {
    const auto lines = lines_on(cluster_of(size, true), 80, 23);
    EXPECT_EQ(lines.size(), 22U) << size;
    EXPECT_THAT(lines, Contains(StartsWith("error netsplit: the members are apart: app@app-0, app@app-1")))
        << size;
    EXPECT_THAT(
        lines,
        Contains(StartsWith("open: netsplit 7, full, 1m ago: first broken pair app@app-0 - app@app-2")));
    EXPECT_GE(rows_of_members(lines), 12U) << size;
    EXPECT_THAT(lines.back(), HasSubstr("more, all up")) << size;
  }
}

TEST(WatchScreen, NoSizeIsExceeded) {
  for (const std::size_t size : {0, 1, 5, 20, 60}) {
    for (const bool split : {false, true}) {
      auto what = cluster_of(size, split);
      for (const std::size_t rows : {6, 7, 8, 11, 24, 50}) {
        for (const std::size_t columns : {40, 57, 80, 200}) {
          const auto lines = lines_on(what, columns, rows);
          EXPECT_LE(lines.size(), rows - 1) << size << " members on " << columns << " x " << rows;
          for (const auto& each : lines) EXPECT_LE(display_width(each), columns) << each;
        }
      }
    }
  }
}

TEST(WatchScreen, AStandByAndNobodySaySo) {
  auto what = cluster_of(0, false);
  what.status.as_object()["standing_by"] = true;
  what.status.as_object()["details"] = json::array{};
  EXPECT_THAT(lines_on(what, 80, 24), Contains(StartsWith("standing by: another rollcall")));
  EXPECT_EQ(lines_on(what, 80, 24).back(), "no members");
}

// What a terminal of that size shows of what is written to it: it wraps and scrolls as terminals do.
class shown_screen {
 public:
  shown_screen(std::size_t columns, std::size_t rows)
      : columns_(columns), lines_(rows, std::string(columns, ' ')) {}
  void write(std::string_view bytes) {
    for (const auto byte : bytes) {
      if (!sequence_.empty()) {
        sequence_ += byte;
        if (byte >= '@' && byte != '[') act();
      } else if (byte == '\x1b') {
        sequence_ = byte;
      } else if (byte == '\r') {
        column_ = 0;
      } else if (byte == '\n') {
        down();
      } else if ((static_cast<unsigned char>(byte) & 0xC0U) != 0x80U) {
        if (column_ == columns_) {
          column_ = 0;
          down();
        }
        lines_[row_][column_++] = byte;
      }
    }
  }
  std::size_t pictures() const { return pictures_; }
  std::size_t scrolled() const { return scrolled_; }
  std::string text() const {
    std::string all;
    for (const auto& line : lines_) all += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
    return all;
  }

 private:
  void down() {
    if (++row_ < lines_.size()) return;
    row_ = lines_.size() - 1;
    ++scrolled_;
    lines_.erase(lines_.begin());
    lines_.emplace_back(columns_, ' ');
  }
  void act() {
    if (sequence_ == "\x1b[H") row_ = column_ = 0;
    if (sequence_ == "\x1b[K")
      std::fill(lines_[row_].begin() + static_cast<std::ptrdiff_t>(column_), lines_[row_].end(), ' ');
    if (sequence_ == "\x1b[J") {
      for (auto below = row_; below < lines_.size(); ++below) lines_[below].assign(columns_, ' ');
      ++pictures_;
    }
    sequence_.clear();
  }
  std::size_t columns_, row_ = 0, column_ = 0, pictures_ = 0, scrolled_ = 0;
  std::vector<std::string> lines_;
  std::string sequence_;
};

// A rollcall of 60 members as `watch` asks it, and `watch` in a pseudo-terminal, in a process of its own.
class WatchInATerminal : public testing::Test {
 protected:
  void start(unsigned short columns, unsigned short rows) {
    const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    child_ = ::forkpty(&terminal_, nullptr, nullptr, &size);
    ASSERT_GE(child_, 0);
    if (child_ == 0) {
      configuration config;
      config.command = command::watch;
      config.url = server_.url();
      ask(config, {});
      ::_exit(0);
    }
    screen_ = shown_screen(columns, rows);
    server_.start();
  }
  void resize(unsigned short columns, unsigned short rows) {
    const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    screen_ = shown_screen(columns, rows);
    ASSERT_EQ(::ioctl(terminal_, TIOCSWINSZ, &size), 0);  // NOLINT: the system's own variadic
  }
  void TearDown() override {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
    if (terminal_ >= 0) ::close(terminal_);
  }
  // Reads what has been written until now.
  void read() {
    pollfd ready{.fd = terminal_, .events = POLLIN, .revents = 0};
    while (::poll(&ready, 1, 0) > 0) {
      std::array<char, 4096> bytes{};
      const auto count = ::read(terminal_, bytes.data(), bytes.size());
      if (count <= 0) return;
      screen_.write({bytes.data(), static_cast<std::size_t>(count)});
    }
  }
  testing::AssertionResult shows(const std::string& what) {
    return test::eventually(
        [&]() -> testing::AssertionResult {
          read();
          if (screen_.text().find(what) != std::string::npos) return testing::AssertionSuccess();
          return testing::AssertionFailure() << screen_.text();
        },
        60s, what);
  }
  const watched what_ = cluster_of(60, true);
  answering_server server_{[this](const std::string& path) -> std::optional<std::string> {
    if (path == "/api/v1/status") return json::serialize(what_.status);
    if (path == "/api/v1/members") return json::serialize(what_.members);
    return json::serialize(what_.netsplits);
  }};
  shown_screen screen_{80, 24};
  int terminal_ = -1;
  pid_t child_ = -1;
};

TEST_F(WatchInATerminal, IsDrawnInPlaceAndFollowsTheSize) {
  start(80, 24);
  ASSERT_TRUE(shows("\nand 47 more, all up; names end in .app.default.svc.cluster.local\n"));
  EXPECT_THAT(screen_.text(), StartsWith("rollcall at http://127.0.0.1:"));
  EXPECT_THAT(screen_.text(),
              HasSubstr("\nerror: 59 of 60 members up, 1 down, 2 partitions, 2 links missing\n"));
  EXPECT_THAT(screen_.text(), HasSubstr("\napp@app-3   down   timeout"));
  const auto pictures = screen_.pictures();
  EXPECT_TRUE(test::eventually(
      [&] {
        read();
        return screen_.pictures() >= pictures + 2;
      },
      60s, "it is drawn again"));
  EXPECT_THAT(screen_.text(), StartsWith("rollcall at http://127.0.0.1:"));
  EXPECT_EQ(screen_.scrolled(), 0U);

  resize(100, 80);
  ASSERT_TRUE(shows("\nnames end in .app.default.svc.cluster.local\n"));
  EXPECT_THAT(screen_.text(), HasSubstr("\napp@app-59  up"));
  resize(60, 12);
  ASSERT_TRUE(shows("\nand 5"));
  EXPECT_THAT(screen_.text(), HasSubstr("\napp@app-3 "));
}

}  // namespace
}  // namespace rollcall::app
