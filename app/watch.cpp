#include "app/watch.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>

#include <boost/json/parse.hpp>
#include <csignal>
#include <ostream>

#include "app/client.hpp"
#include "app/http_client.hpp"
#include "app/plain_text.hpp"
#include "app/printable.hpp"
#include "app/watch_screen.hpp"

namespace rollcall::app {
namespace {

constexpr timespec redraw{.tv_sec = 1, .tv_nsec = 0};

// While it lives, a change of the terminal's size ends pause() at once, and comes at no other moment, so that
// none is missed between a look at the size and the pause.
class resizes {
 public:
  resizes() {
    struct sigaction nothing {};
    nothing.sa_handler = [](int) {};
    ::sigaction(SIGWINCH, &nothing, nullptr);
    sigset_t resized;
    ::sigemptyset(&resized);
    ::sigaddset(&resized, SIGWINCH);
    ::pthread_sigmask(SIG_BLOCK, &resized, &before_);
    ::sigdelset(&before_, SIGWINCH);
  }
  resizes(const resizes&) = delete;
  resizes& operator=(const resizes&) = delete;
  ~resizes() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  void pause() const { ::ppoll(nullptr, 0, &redraw, &before_); }

 private:
  sigset_t before_{};
};

// Each answer, or a sentence why there is none.
std::vector<std::string> picture(const configuration& config, milliseconds now, const terminal& on) {
  watched what;
  try {
    for (const auto& [path, answer] :
         {std::pair{"/api/v1/status", &what.status}, std::pair{"/api/v1/netsplits", &what.netsplits},
          std::pair{"/api/v1/members", &what.members}}) {
      const auto got = http_get(place_of(config), path, ask_timeout);
      if (got.status != 200) return wrapped(refusal(config, path, got.status, got.body), on.columns);
      *answer = boost::json::parse(got.body);
    }
    return watch_screen(what, now, on);
  } catch (const std::exception& failure) {
    return wrapped(fmt::format("cannot ask {}: {} (is rollcall running there? --url says where)",
                               printable(config.url), printable(plain_text(failure))),
                   on.columns);
  }
}

// In place: each line is cleared, before it is written, since behind a line as wide as the terminal that
// would take its last character; and the rest below.
void draw(const std::vector<std::string>& lines, std::ostream& out) {
  out << "\x1b[H";
  for (const auto& line : lines) out << "\x1b[K" << line << '\n';
  out << "\x1b[J" << std::flush;
}

}  // namespace

int watch(const configuration& config, const std::function<terminal()>& look, std::ostream& out,
          std::ostream& complaints) {
  if (look().columns == 0) {
    complaints << "rollcall: `rollcall watch` draws on a terminal; `rollcall events --follow` is for pipes\n";
    return could_not_ask;
  }
  const resizes resized;
  for (;;) {
    const auto on = look();
    const auto now = std::chrono::system_clock::now();
    auto below = on;
    below.rows = std::max<std::size_t>(on.rows, 2) - 1;
    auto lines = picture(config, std::chrono::duration_cast<milliseconds>(now.time_since_epoch()), below);
    const auto at = fmt::localtime(std::chrono::system_clock::to_time_t(now));
    const auto first = fmt::format("rollcall at {}, {:%H:%M:%S}", printable(config.url), at);
    lines.insert(lines.begin(), wrapped(first, on.columns).front());
    lines.resize(std::min(lines.size(), below.rows));
    draw(lines, out);
    resized.pause();
  }
}

}  // namespace rollcall::app
