#include "app/log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "app/printable.hpp"

namespace rollcall::app {
namespace {

constexpr std::array<std::string_view, 4> level_names{"debug", "info", "warning", "error"};

std::string timestamp() {
  const auto now = std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), (now - seconds).count());
}

bool needs_quotes(std::string_view escaped) {
  return escaped.empty() || escaped.find_first_of(" \"=\\") != std::string_view::npos;
}

std::string text_line(log_level level, std::string_view message, std::span<const log::field> fields) {
  auto line = fmt::format("{} {:<5} {}", timestamp(), level_names[static_cast<std::size_t>(level)],
                          printable(message));
  for (const auto& [key, value] : fields) {
    // For people: a name that the sentence has is not said again.
    if ((key == "node" || key == "source") && message.find(value) != std::string_view::npos) continue;
    const auto plain = printable(value);
    if (needs_quotes(plain)) {
      line += fmt::format(" {}=\"{}\"", printable(key), json_escaped(value));
    } else {
      line += fmt::format(" {}={}", printable(key), plain);
    }
  }
  return line;
}

std::string json_line(log_level level, std::string_view message, std::span<const log::field> fields) {
  auto line = fmt::format(R"({{"time":"{}","level":"{}","message":"{}")", timestamp(),
                          level_names[static_cast<std::size_t>(level)], json_escaped(message));
  for (const auto& [key, value] : fields) {
    // A second "time" in one object would hide the first from most readers.
    const bool taken = key == "time" || key == "level" || key == "message";
    line += fmt::format(R"(,"{}{}":"{}")", json_escaped(key), taken ? "_" : "", json_escaped(value));
  }
  return line + '}';
}

// Whole lines, so that two writers to one pipe do not mix. What standard error does not take is lost, not
// waited for.
void write_to_standard_error(std::string_view line) noexcept {
  while (!line.empty()) {
    const auto written = ::write(STDERR_FILENO, line.data(), line.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return;
    }
    line.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

log::log(log_level level, log_format format, sink to)
    : level_(level), format_(format), sink_(std::move(to)) {}

void log::debug(std::string_view message, std::initializer_list<field> fields) {
  line(log_level::debug, message, {fields.begin(), fields.size()});
}
void log::info(std::string_view message, std::initializer_list<field> fields) {
  line(log_level::info, message, {fields.begin(), fields.size()});
}
void log::warning(std::string_view message, std::initializer_list<field> fields) {
  line(log_level::warning, message, {fields.begin(), fields.size()});
}
void log::error(std::string_view message, std::initializer_list<field> fields) {
  line(log_level::error, message, {fields.begin(), fields.size()});
}

bool log::enabled(log_level level) const noexcept {
  return level >= level_;
}

void log::line(log_level level, std::string_view message, std::span<const field> fields) {
  if (!enabled(level)) return;
  try {
    auto line =
        format_ == log_format::json ? json_line(level, message, fields) : text_line(level, message, fields);
    if (sink_) {
      sink_(line);
    } else {
      line += '\n';
      write_to_standard_error(line);
    }
  } catch (...) {  // NOLINT(bugprone-empty-catch): there is nobody left to tell
  }
}

}  // namespace rollcall::app
