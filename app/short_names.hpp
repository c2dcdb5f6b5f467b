// Names as people read them: what all hosts end in is said once, and app-2 stands before app-10.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace rollcall::app {

// From a dot on; empty for fewer than two names, for addresses, and where a host would be left with nothing.
std::string common_suffix(std::span<const std::string> names);

class short_names {
 public:
  short_names() = default;
  explicit short_names(std::span<const std::string> names) : suffix_(common_suffix(names)) {}
  const std::string& suffix() const noexcept { return suffix_; }
  // The text with the suffix taken off each name in it: of what stands behind an @.
  std::string operator()(std::string_view text) const;

 private:
  std::string suffix_;
};

// "a@h is suspect: a@h closed the connection" names it twice; then it is "it".
std::string name_once(std::string text, std::string_view name);

// Digits are compared as numbers, the rest as text.
bool natural_less(std::string_view a, std::string_view b);

}  // namespace rollcall::app
