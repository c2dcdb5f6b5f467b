#include "app/client.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cctype>
#include <iostream>
#include <stdexcept>
#include <thread>

#include "app/http_client.hpp"
#include "app/options.hpp"
#include "app/plain_text.hpp"
#include "app/printable.hpp"
#include "app/watch.hpp"

namespace rollcall::app {
namespace {

namespace json = boost::json;

constexpr milliseconds stream_silence{60'000};  // four comment lines of the server's
constexpr milliseconds try_again{2'000};

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
  complaints << "rollcall: " << refusal(config, path, status, body) << '\n';
  return could_not_ask;
}

// Members of which `part` is the beginning of the name or of the host: "app-0" for
// app@app-0.app.shop.svc.cluster.local, "one" for one@127.0.0.1.
std::vector<std::string> members_like(const configuration& config, std::string_view part) {
  std::vector<std::string> found;
  const auto answer = http_get(place_of(config), "/api/v1/members", ask_timeout);
  if (answer.status != 200) return found;
  const auto parsed = json::parse(answer.body);
  const auto begins = [&](std::string_view text) {
    const auto rest = text.substr(std::min(part.size(), text.size()));
    return text.starts_with(part) && (rest.empty() || rest[0] == '.' || rest[0] == '@');
  };
  for (const auto& each : parsed.as_array()) {
    const std::string name(each.at("node").as_string());
    if (begins(name) || begins(std::string_view(name).substr(name.find('@') + 1))) found.push_back(name);
  }
  return found;
}

// What is told now of nodes that are no members and that `part` may mean: a node that never linked is told by
// the name it was dialled under, "localhost (bad)" for bad@here, so its alive name decides.
std::string told_of(const configuration& config, std::string_view part) {
  const auto alive = part.substr(0, part.find('@'));
  const auto answer = http_get(place_of(config), "/api/v1/status", ask_timeout);
  if (answer.status != 200 || alive.empty()) return {};
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  std::string told;
  const auto parsed = json::parse(answer.body);
  for (const auto& each : parsed.at("details").as_array()) {
    const std::string_view text = each.at("text").as_string();
    for (auto at = text.find(alive); at != text.npos; at = text.find(alive, at + 1)) {
      const auto end = at + alive.size();
      if ((at > 0 && is_word(text[at - 1])) || (end < text.size() && is_word(text[end]))) continue;
      told += fmt::format("{}{}", told.empty() ? "" : "; ", text);
      break;
    }
  }
  return told;
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
  std::string told;
  try {
    found = members_like(config, config.subject);
    if (found.empty()) told = told_of(config, config.subject);
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
  if (found.empty())
    complaints << fmt::format("rollcall: no member is called {}: {}\n", printable(config.subject),
                              told.empty() ? "`rollcall members` lists them, and of a node that never linked "
                                             "`rollcall status` says why"
                                           : printable(told));
  else
    complaints << fmt::format("rollcall: several members begin with {}: {}, {}\n", printable(config.subject),
                              printable(found[0]), printable(found[1]));
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

}  // namespace

std::string refusal(const configuration& config, const std::string& path, unsigned status,
                    std::string_view body) {
  if (status == 404) {
    return fmt::format("{} does not know {}: it is an older rollcall, or no rollcall (--url says where)",
                       printable(config.url), path);
  }
  if (status == 401) {
    return fmt::format(
        "{} wants a name and a password that are right: --url-auth-file, or the variable "
        "ROLLCALL_URL_AUTH, holds them",
        printable(config.url));
  }
  return fmt::format("{} answered {} with HTTP status {}: {}", printable(config.url), path, status,
                     printable(body.substr(0, 200)));
}

std::string api_path(const configuration& config) {
  if (config.command == command::healthcheck) return "/healthz";
  auto path = fmt::format("/api/v1/{}", to_string(config.command));
  if (!config.subject.empty()) path += "/" + url_encoded(config.subject);
  if (config.command == command::members && !config.state.empty()) path += "?state=" + config.state;
  return config.command == command::events ? fmt::format("{}?last={}", path, config.last) : path;
}

int ask(const configuration& config, const terminal& on, std::ostream& out, std::ostream& complaints) {
  if (config.follow) return follow(config, on, out, complaints);
  const auto code = ask_once(config, on, out, complaints);
  return config.command == command::healthcheck && code == could_not_ask ? not_alive : code;
}

int ask(const configuration& config, const environment& env) {
  const auto look = [&env] { return terminal_of(STDOUT_FILENO, env); };
  const auto code = config.command == command::watch ? watch(config, look, std::cout, std::cerr)
                                                     : ask(config, look(), std::cout, std::cerr);
  std::cout.flush();
  return code;
}

}  // namespace rollcall::app
