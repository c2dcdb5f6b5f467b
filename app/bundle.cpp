#include "app/bundle.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "app/cookie.hpp"
#include "app/http_client.hpp"
#include "app/printable.hpp"

namespace rollcall::app {
namespace {

constexpr milliseconds ask_for{2'000};
constexpr std::string_view taken_out = "[the cookie]";

std::string section(std::string_view title, std::string_view text) {
  return fmt::format("\n==== {}\n{}{}", title, text, text.ends_with('\n') ? "" : "\n");
}

std::string machine() {
  utsname names{};
  if (::uname(&names) != 0) return "unknown";
  return fmt::format("{} {} {}", names.sysname, names.release, names.machine);
}

std::string file(const char* path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return in ? text.str() : "cannot be read";
}

// Of one that runs beside this; the first failure ends it, for the others would only wait, too.
std::string of_the_running_one(const configuration& c) {
  std::string text;
  for (const auto* path : {"/readyz", "/api/v1/status", "/api/v1/members", "/api/v1/netsplits",
                           "/api/v1/discovery", "/api/v1/missing_links", "/api/v1/events", "/metrics"}) {
    try {
      text += section(path, http_get(place_of(c), path, ask_for).body);
    } catch (const std::exception& failure) {
      return text + section(path, fmt::format("{} does not answer: {}", c.url, failure.what()));
    }
  }
  return text;
}

}  // namespace

std::string without_secrets(std::string text, const std::vector<std::string>& secrets) {
  for (const auto& secret : secrets) {
    if (secret.empty()) continue;
    for (std::size_t at = 0; (at = text.find(secret, at)) != std::string::npos; at += taken_out.size())
      text.replace(at, secret.size(), taken_out);
  }
  return text;
}

void write_bundle(const configuration& c, const environment& env, std::string_view findings_as_json) {
  auto text = fmt::format("rollcall {} on {}\n", ROLLCALL_VERSION, machine());
  text += section("configuration", to_toml(c)) + section("resolv.conf", file("/etc/resolv.conf")) +
          section("doctor", findings_as_json) + of_the_running_one(c);
  text = without_secrets(std::move(text), cookie_jar(c, env).cookies());
  const int to =
      ::open(c.bundle.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);  // NOLINT: its own variadic
  std::size_t written = 0;
  while (to >= 0 && written < text.size()) {
    const auto some = ::write(to, text.data() + written, text.size() - written);
    if (some < 0 && errno != EINTR) break;
    if (some > 0) written += static_cast<std::size_t>(some);
  }
  const bool whole = to >= 0 && written == text.size();
  const std::string why = whole ? "" : std::strerror(errno);  // NOLINT: one thread
  if (to >= 0) ::close(to);
  if (!whole)
    throw configuration_error(fmt::format("--bundle: {} cannot be written: {}", printable(c.bundle), why));
}

}  // namespace rollcall::app
