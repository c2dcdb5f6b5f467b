// Log lines on standard error: text for people, JSON for collectors. One line an event, never one a round.
#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "app/configuration.hpp"

namespace rollcall::app {

class log {
 public:
  // `field` values are written as they are in JSON (escaped) and quoted in text when they hold a space.
  using field = std::pair<std::string_view, std::string>;
  using sink = std::function<void(std::string_view line)>;  // absent: standard error

  log(log_level, log_format, sink = {});
  void debug(std::string_view message, std::initializer_list<field> = {});
  void info(std::string_view message, std::initializer_list<field> = {});
  void warning(std::string_view message, std::initializer_list<field> = {});
  void error(std::string_view message, std::initializer_list<field> = {});
  void line(log_level, std::string_view message, std::span<const field>);
  bool enabled(log_level) const noexcept;

 private:
  log_level level_;
  log_format format_;
  sink sink_;
};

}  // namespace rollcall::app
