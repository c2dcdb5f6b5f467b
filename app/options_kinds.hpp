// Rows of the table of options whose value is a member of the configuration of one of a few kinds: a list, a
// switch, a duration, a number, one of some words, a path. What they throw is bad_value, as in
// options_values.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/options.hpp"
#include "app/options_values.hpp"

namespace rollcall::app {

using option_texts = std::vector<std::string>;

template <class T>
option list_option(std::string_view flag, option_group where, const std::string& placeholder,
                   std::string_view meaning, std::vector<T> configuration::*member,
                   T (*parse)(std::string_view), std::string (*write)(const T&)) {
  return {flag,
          where,
          value_kind::list,
          placeholder,
          meaning,
          "",
          "none",
          [member, parse](configuration& c, const option_texts& given) {
            std::vector<std::string> seen;
            (c.*member).clear();
            for (const auto& text : given) {
              auto value = parse(text);
              if (std::ranges::find(seen, text) != seen.end()) continue;
              seen.push_back(text);
              (c.*member).push_back(std::move(value));
            }
          },
          [member, write](const configuration& c) {
            option_texts shown;
            for (const auto& value : c.*member) shown.push_back(write(value));
            return shown;
          }};
}

option toggle_option(std::string_view flag, option_group where, std::string_view meaning,
                     std::string_view standard, bool configuration::*member);

option duration_option(std::string_view flag, option_group where, std::string_view meaning,
                       std::string_view standard, milliseconds configuration::*member, milliseconds least,
                       milliseconds most);

template <class T>
option number_option(std::string_view flag, option_group where, const std::string& placeholder,
                     std::string_view meaning, T configuration::*member, std::uint64_t least,
                     std::uint64_t most) {
  return {flag,
          where,
          value_kind::number,
          placeholder,
          meaning,
          fmt::format("{} to {}", least, most),
          "",
          [=](configuration& c, const option_texts& given) {
            c.*member = static_cast<T>(parse_number(given.front(), least, most));
          },
          [member](const configuration& c) { return option_texts{std::to_string(c.*member)}; }};
}

template <class T>
using choices = std::vector<std::pair<std::string_view, T>>;

template <class T>
option choice_option(std::string_view flag, option_group where, std::string_view meaning,
                     T configuration::*member, choices<T> names) {
  std::string placeholder, allowed;
  for (std::size_t i = 0; i < names.size(); ++i) {
    placeholder += fmt::format("{}{}", i == 0 ? "" : "|", names[i].first);
    allowed += fmt::format("{}{}", i == 0 ? "" : i + 1 == names.size() ? " or " : ", ", names[i].first);
  }
  auto assign = [member, names, allowed](configuration& c, const option_texts& given) {
    for (const auto& [name, value] : names) {
      if (name == given.front()) {
        c.*member = value;
        return;
      }
    }
    throw bad_value(given.front(), fmt::format("is not known: {} is allowed", allowed));
  };
  auto show = [member, names](const configuration& c) {
    const auto found = std::ranges::find(names, c.*member, &std::pair<std::string_view, T>::second);
    return option_texts{std::string(found->first)};
  };
  return {flag, where, value_kind::text, placeholder, meaning, "", "", std::move(assign), std::move(show)};
}

option path_option(std::string_view flag, option_group where, const std::string& placeholder,
                   std::string_view meaning, std::string_view standard, std::string configuration::*member);

}  // namespace rollcall::app
