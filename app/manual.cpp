// The manual page, made from the tables of commands and options.
#include <fmt/format.h>

#include "app/options.hpp"

namespace rollcall::app {
namespace {

// roff takes a backslash, and a dot or quote at the beginning of a line, for its own.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      if ((out.empty() || out.back() == '\n') && (c == '.' || c == '\'')) out += "\\&";
      out += c;
    }
  }
  return out;
}

std::string tagged(const std::string& left, std::string_view right) {
  return fmt::format(".TP\n.B {}\n{}\n", roff(left), roff(right));
}

std::string left_of(const option& o) {
  return o.placeholder.empty() ? fmt::format("--{}", o.flag) : fmt::format("--{} {}", o.flag, o.placeholder);
}

// Headings of manual pages are in capitals.
std::string heading(std::string_view text) {
  std::string out = ".SH ";
  for (const char c : text) out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out + '\n';
}

}  // namespace

std::string manual_page() {
  std::string text = fmt::format(
      ".TH ROLLCALL 1 \"\" \"rollcall {}\"\n.SH NAME\nrollcall \\- calls the roll of an Erlang or Elixir "
      "cluster\n"
      ".SH SYNOPSIS\n.B rollcall\n[COMMAND] [OPTION]...\n.SH DESCRIPTION\n"
      "Finds the nodes by DNS, links to each as a hidden node, has them connect to each other, keeps them "
      "connected, and "
      "shows which are there: to Prometheus, to a browser, and to iex.\n.SH COMMANDS\n",
      ROLLCALL_VERSION);
  for (const auto& c : commands())
    text += tagged(c.argument.empty() ? std::string(c.name) : fmt::format("{} {}", c.name, c.argument),
                   c.meaning);
  std::optional<option_group> last;
  for (const auto& o : options()) {
    if (last != o.group) text += heading(title(o.group));
    last = o.group;
    const auto notes = notes_of(o);
    text +=
        tagged(left_of(o), notes.empty() ? std::string(o.meaning) : fmt::format("{} ({})", o.meaning, notes));
  }
  text += heading(title(option_group::file));
  for (const auto& a : actions()) {
    text += tagged(fmt::format("{}--{}{}{}", a.short_flag.empty() ? "" : fmt::format("-{}, ", a.short_flag),
                               a.flag, a.placeholder.empty() ? "" : " ", a.placeholder),
                   a.meaning);
  }
  text += ".SH ENVIRONMENT\n" +
          roff(
              "Every option is a variable too: --peer-port is ROLLCALL_PEER_PORT; a list is separated by "
              "commas. A flag wins "
              "over the environment, the environment over the file.") +
          "\n.SH EXIT STATUS\n";
  for (const auto& row : exit_codes({})) text += tagged(std::string(row.who), row.meaning);
  return text;
}

}  // namespace rollcall::app
