#include "app/erlang_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace rollcall::app {
namespace {

using kind = erlang_value::kind;
constexpr int max_depth = 32;

struct wrong {
  std::size_t at;
  std::string_view what;
};

bool is_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '@';
}

class reader {
 public:
  explicit reader(std::string_view all) : all_(all) {}

  erlang_value whole() {
    auto value = term(0);
    skip();
    if (!take(".")) fail("a dot is missing after the term");
    return value;
  }
  std::size_t line_of(std::size_t at) const {
    return 1 + static_cast<std::size_t>(std::ranges::count(all_.substr(0, at), '\n'));
  }

 private:
  [[noreturn]] void fail(std::string_view what) const { throw wrong{at_, what}; }
  bool ended() const { return at_ >= all_.size(); }
  char next() const { return ended() ? '\0' : all_[at_]; }
  bool take(std::string_view token) {
    if (!all_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void skip() {
    while (!ended()) {
      if (std::isspace(static_cast<unsigned char>(next())) != 0) {
        ++at_;
      } else if (next() == '%') {
        at_ = std::min(all_.find('\n', at_), all_.size());
      } else {
        return;
      }
    }
  }

  erlang_value term(int depth) {
    skip();
    if (depth > max_depth) fail("it is nested too deeply");
    if (ended()) fail("it ends in the middle of a term");
    if (take("<<")) return binary();
    if (take("#{")) return {kind::map, {}, pairs(depth)};
    if (take("{")) return {kind::tuple, {}, items('}', depth)};
    if (take("[")) return {kind::list, {}, items(']', depth)};
    if (next() == '"') return {kind::text, strings(), {}};
    if (next() == '\'') return {kind::atom, quoted(), {}};
    if (std::islower(static_cast<unsigned char>(next())) != 0) return word();
    if (std::isdigit(static_cast<unsigned char>(next())) != 0 || next() == '-' || next() == '$') {
      return {kind::number, other(), {}};
    }
    return {kind::other, other(), {}};
  }

  std::vector<erlang_value> items(char end, int depth) {
    std::vector<erlang_value> all;
    skip();
    if (take({&end, 1})) return all;
    while (true) {
      all.push_back(term(depth + 1));
      skip();
      if (take({&end, 1})) return all;
      if (!take(",")) fail("a comma or a closing bracket is missing");
    }
  }
  std::vector<erlang_value> pairs(int depth) {
    std::vector<erlang_value> all;
    skip();
    if (take("}")) return all;
    while (true) {
      all.push_back(term(depth + 1));
      skip();
      if (!take("=>")) fail("`=>` is missing after a map's key");
      all.push_back(term(depth + 1));
      skip();
      if (take("}")) return all;
      if (!take(",")) fail("a comma or a closing bracket is missing");
    }
  }

  erlang_value word() {
    const auto begun = at_;
    while (!ended() && is_name(next())) ++at_;
    const auto name = all_.substr(begun, at_ - begun);
    if (name != "fun") return {kind::atom, std::string(name), {}};
    at_ = begun;
    return {kind::other, other(), {}};
  }
  erlang_value binary() {
    skip();
    erlang_value value{kind::text, {}, {}};
    if (next() == '"') value.text = strings();
    skip();
    if (take("/utf8")) skip();
    if (!take(">>")) fail("only binaries that are one text are understood");
    return value;
  }
  // Strings that follow each other are one.
  std::string strings() {
    std::string all;
    for (; next() == '"'; skip()) all += quoted();
    return all;
  }
  std::string quoted() {
    const char quote = next();
    ++at_;
    std::string text;
    while (next() != quote) {
      if (ended()) fail("a quote is not closed");
      if (next() == '\\') {
        ++at_;
        escape(text);
      } else {
        text += next();
        ++at_;
      }
    }
    ++at_;
    return text;
  }
  void escape(std::string& to) {
    if (ended()) fail("a quote is not closed");
    const char c = next();
    ++at_;
    static constexpr std::string_view letters = "nrtsbfve0", meant = "\n\r\t \b\f\v\x1b";
    const auto found = letters.find(c);
    if (c == 'x' || std::isdigit(static_cast<unsigned char>(c)) != 0)
      fail("numbers of characters are not understood");
    to += found < meant.size() ? meant[found] : c;
  }
  // What is of no use here: up to what ends it.
  std::string other() {
    const auto begun = at_;
    while (!ended() && std::string_view(",]}>").find(next()) == std::string_view::npos &&
           std::isspace(static_cast<unsigned char>(next())) == 0) {
      if (next() == '.' &&
          (at_ + 1 == all_.size() || std::isspace(static_cast<unsigned char>(all_[at_ + 1])) != 0))
        break;
      ++at_;
    }
    skip_rest_of_fun(begun);
    if (at_ == begun) fail("this is no term");
    return std::string(all_.substr(begun, at_ - begun));
  }
  // `fun module:function/1`
  void skip_rest_of_fun(std::size_t begun) {
    if (all_.substr(begun, at_ - begun) != "fun") return;
    skip();
    while (!ended() && (is_name(next()) || next() == ':' || next() == '/')) ++at_;
  }

  std::string_view all_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<erlang_value> read_erlang_text(std::string_view file, std::string& problem) {
  reader from(file);
  try {
    return from.whole();
  } catch (const wrong& found) {
    problem = fmt::format("line {}: {}", from.line_of(std::min(found.at, file.size())), found.what);
    return std::nullopt;
  }
}

}  // namespace rollcall::app
