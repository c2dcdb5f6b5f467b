#include "app/options_kinds.hpp"

namespace rollcall::app {

option toggle_option(std::string_view flag, option_group where, std::string_view meaning,
                     std::string_view standard, bool configuration::*member) {
  return {flag,
          where,
          value_kind::toggle,
          "",
          meaning,
          "",
          standard,
          [member](configuration& c, const option_texts& given) { c.*member = parse_toggle(given.front()); },
          [member](const configuration& c) { return option_texts{c.*member ? "true" : "false"}; }};
}

option duration_option(std::string_view flag, option_group where, std::string_view meaning,
                       std::string_view standard, milliseconds configuration::*member, milliseconds least,
                       milliseconds most) {
  return {flag,
          where,
          value_kind::text,
          "TIME",
          meaning,
          fmt::format("{} to {}", format_duration(least), format_duration(most)),
          standard,
          [=](configuration& c, const option_texts& given) {
            c.*member = parse_duration(given.front(), least, most);
          },
          [member](const configuration& c) { return option_texts{format_duration(c.*member)}; }};
}

option path_option(std::string_view flag, option_group where, const std::string& placeholder,
                   std::string_view meaning, std::string_view standard, std::string configuration::*member) {
  return {flag,
          where,
          value_kind::text,
          placeholder,
          meaning,
          "",
          standard,
          [member](configuration& c, const option_texts& given) {
            if (given.front().empty() || given.front().find('\0') != std::string::npos) {
              throw bad_value(given.front(), "is not a path");
            }
            c.*member = given.front();
          },
          [member](const configuration& c) {
            return (c.*member).empty() ? option_texts{} : option_texts{c.*member};
          }};
}

}  // namespace rollcall::app
