#include "app/client.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "app/http_client.hpp"
#include "app/options.hpp"
#include "app/plain_text.hpp"
#include "app/printable.hpp"

namespace rollcall::app {
namespace {

namespace json = boost::json;

constexpr milliseconds stream_silence{60'000};  // four comment lines of the server's
constexpr milliseconds try_again{2'000}, redraw{1'000};

milliseconds wall_clock() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
}

int could_not(const configuration& config, const std::exception& failure, std::ostream& complaints) {
  complaints << fmt::format("rollcall: cannot ask {}: {} (is rollcall running there? --url says where)\n",
                            printable(config.url), printable(plain_text(failure)));
  return could_not_ask;
}

int refused(const configuration& config, const std::string& path, unsigned status, std::string_view body,
            std::ostream& complaints) {
  if (status == 404) {
    complaints << fmt::format(
        "rollcall: {} does not know {}: it is an older rollcall, or no rollcall (--url says where)\n",
        printable(config.url), path);
  } else if (status == 401) {
    complaints << fmt::format(
        "rollcall: {} wants a name and a password that are right: --url-auth-file, or the variable "
        "ROLLCALL_URL_AUTH, holds them\n",
        printable(config.url));
  } else {
    complaints << fmt::format("rollcall: {} answered {} with HTTP status {}: {}\n", printable(config.url),
                              path, status, printable(body.substr(0, 200)));
  }
  return could_not_ask;
}

// Members of which `part` is the beginning of the name or of the host: "app-0" for
// app@app-0.app.shop.svc.cluster.local.
std::vector<std::string> members_like(const configuration& config, std::string_view part) {
  std::vector<std::string> found;
  const auto answer = http_get(place_of(config), "/api/v1/members", ask_timeout);
  if (answer.status != 200) return found;
  const auto parsed = json::parse(answer.body);
  const auto begins = [&](std::string_view text) {
    return text.starts_with(part) && (text.size() == part.size() || text[part.size()] == '.');
  };
  for (const auto& each : parsed.as_array()) {
    const std::string name(each.at("node").as_string());
    if (begins(name) || begins(std::string_view(name).substr(name.find('@') + 1))) found.push_back(name);
  }
  return found;
}

int show_answer(const configuration& config, const http_answer& answer, const terminal& on, std::ostream& out,
                std::ostream& complaints) {
  try {
    const auto parsed = json::parse(answer.body);
    if (!config.json) {
      if (answer.standing_by && config.command != command::status)
        complaints
            << "rollcall: standing by: another rollcall of this name is at work, and here nothing is known\n";
      return show(config, parsed, wall_clock(), on, out);
    }
    out << json::serialize(parsed) << '\n';
    return config.command != command::status || health_in(parsed) == "ok" ? answered : not_well;
  } catch (const std::exception& failure) {
    complaints << fmt::format("rollcall: what {} answered is not rollcall's: {} (--url says where)\n",
                              printable(config.url), printable(plain_text(failure)));
    return could_not_ask;
  }
}

// Of `members NODE` and `why NODE`, for a part of a name.
int ask_for_the_one(configuration config, const terminal& on, std::ostream& out, std::ostream& complaints) {
  std::vector<std::string> found;
  try {
    found = members_like(config, config.subject);
    if (found.size() == 1) {
      config.subject = found.front();
      const auto path = api_path(config);
      const auto answer = http_get(place_of(config), path, ask_timeout);
      if (answer.status == 200) return show_answer(config, answer, on, out, complaints);
      return refused(config, path, answer.status, answer.body, complaints);
    }
  } catch (const std::exception& failure) {
    return could_not(config, failure, complaints);
  }
  complaints << fmt::format("rollcall: {} {}{}\n",
                            found.empty() ? "no member is called" : "several members begin with",
                            printable(config.subject),
                            found.empty() ? ": `rollcall members` lists them"
                                          : ": " + printable(found[0]) + ", " + printable(found[1]));
  return could_not_ask;
}

int ask_once(const configuration& config, const terminal& on, std::ostream& out, std::ostream& complaints) {
  const auto path = api_path(config);
  http_answer answer;
  try {
    answer = http_get(place_of(config), path, ask_timeout);
  } catch (const std::exception& failure) {
    return could_not(config, failure, complaints);
  }
  if (answer.status == 404 && !config.subject.empty()) return ask_for_the_one(config, on, out, complaints);
  if (answer.status != 200) return refused(config, path, answer.status, answer.body, complaints);
  if (config.command == command::healthcheck) {
    out << "alive\n";
    return answered;
  }
  return show_answer(config, answer, on, out, complaints);
}

// A server-sent event: its id is kept for the next connection, its data is one event.
void take_stream_line(const configuration& config, std::string_view line, std::string& last_id,
                      const terminal& on, std::ostream& out) {
  constexpr std::string_view id = "id: ", data = "data: ";
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with(id)) last_id = line.substr(id.size());
  if (!line.starts_with(data)) return;
  line.remove_prefix(data.size());
  if (config.json)
    out << json::serialize(json::parse(line)) << '\n';
  else
    show_event(json::parse(line), on, out);
  out.flush();
}

int follow(const configuration& config, const terminal& on, std::ostream& out, std::ostream& complaints) {
  std::string last_id;
  bool any = false;
  for (;;) {
    const auto path = fmt::format("/api/v1/events/stream{}", any ? "" : fmt::format("?last={}", config.last));
    try {
      const auto status =
          http_lines(place_of(config), path, last_id, stream_silence, [&](std::string_view line) {
            any = true;
            take_stream_line(config, line, last_id, on, out);
          });
      if (status != 200) return refused(config, path, status, "", complaints);
    } catch (const std::exception& failure) {
      if (!any) return could_not(config, failure, complaints);
    }
    std::this_thread::sleep_for(try_again);
  }
}

// What fits on the screen, each line cleared to its end and the rest below; how much does not fit is said.
std::string screen(const std::string& text, std::size_t rows) {
  std::string out = "\x1b[H";
  std::istringstream lines(text);
  const auto all = static_cast<std::size_t>(std::ranges::count(text, '\n'));
  const auto shown = rows < 3 || all < rows ? all : rows - 2;
  std::size_t count = 0;
  for (std::string line; count < shown && std::getline(lines, line); ++count) out += line + "\x1b[K\n";
  if (shown < all) out += fmt::format("{} more lines than this terminal has\x1b[K\n", all - shown);
  return out + "\x1b[J";
}

int watch(configuration config, const terminal& on, std::ostream& out, std::ostream& complaints) {
  if (on.columns == 0) {
    complaints << "rollcall: `rollcall watch` draws on a terminal; `rollcall events --follow` is for pipes\n";
    return could_not_ask;
  }
  for (;;) {
    std::ostringstream picture;
    picture << fmt::format(
        "rollcall at {}, {:%H:%M:%S}\n", printable(config.url),
        fmt::localtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
    // Members last: there may be more of them than lines.
    for (const auto part : {command::status, command::netsplits, command::members}) {
      picture << '\n';
      config.command = part;
      if (ask_once(config, on, picture, picture) == could_not_ask) break;
    }
    out << screen(picture.str(), on.rows) << std::flush;
    std::this_thread::sleep_for(redraw);
  }
}

}  // namespace

std::string api_path(const configuration& config) {
  if (config.command == command::healthcheck) return "/healthz";
  auto path = fmt::format("/api/v1/{}", to_string(config.command));
  if (!config.subject.empty()) path += "/" + url_encoded(config.subject);
  if (config.command == command::members && !config.state.empty()) path += "?state=" + config.state;
  return config.command == command::events ? fmt::format("{}?last={}", path, config.last) : path;
}

int ask(const configuration& config, const terminal& on, std::ostream& out, std::ostream& complaints) {
  if (config.command == command::watch) return watch(config, on, out, complaints);
  if (config.follow) return follow(config, on, out, complaints);
  const auto code = ask_once(config, on, out, complaints);
  return config.command == command::healthcheck && code == could_not_ask ? not_alive : code;
}

int ask(const configuration& config, const environment& env) {
  const auto code = ask(config, terminal_of(STDOUT_FILENO, env), std::cout, std::cerr);
  std::cout.flush();
  return code;
}

}  // namespace rollcall::app
