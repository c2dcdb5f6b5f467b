// The manual page and the completion of shells, made from the tables of commands and options.
#include <fmt/format.h>

#include <algorithm>

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

// The values a shell can offer: those of a choice.
std::vector<std::string> choices_of(std::string_view alternatives) {
  std::vector<std::string> all;
  if (alternatives.find('|') == std::string_view::npos) return all;
  while (!alternatives.empty()) {
    const auto end = std::min(alternatives.find('|'), alternatives.size());
    all.emplace_back(alternatives.substr(0, end));
    alternatives.remove_prefix(std::min(end + 1, alternatives.size()));
  }
  return all;
}

std::vector<std::string> choices_of(const option& o) {
  if (o.flag == "state") return {"joining", "up", "suspect", "leaving", "down", "left"};
  return choices_of(std::string_view(o.placeholder));
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string flags_of(command what) {
  std::vector<std::string> flags;
  for (const auto& o : options()) {
    if (o.of(what)) flags.push_back(fmt::format("--{}", o.flag));
  }
  for (const auto& a : actions()) flags.push_back(fmt::format("--{}", a.flag));
  return joined(flags);
}

// In single quotes, for a POSIX shell and fish alike.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string bash_script() {
  std::vector<std::string> names;
  std::string cases, values;
  for (const auto& c : commands()) {
    names.emplace_back(c.name);
    const auto more = choices_of(c.argument);
    cases += fmt::format("    {}) words='{}{}{}' ;;\n", c.name, joined(more), more.empty() ? "" : " ",
                         flags_of(c.command));
  }
  for (const auto& o : options()) {
    if (const auto choices = choices_of(o); !choices.empty())
      values += fmt::format("    --{}) words='{}' ;;\n", o.flag, joined(choices));
    else if (o.placeholder == "FILE" || o.placeholder == "DIRECTORY")
      values += fmt::format("    --{}) COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n", o.flag);
  }
  return fmt::format(R"(# source <(rollcall completion bash)
_rollcall() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} command= word words=
  COMPREPLY=()
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case $word in -*) ;; *) command=$word; break ;; esac
  done
  case $command in
{}    *) words='{} {}' ;;
  esac
  case $previous in
{}    --config | -c) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -F _rollcall rollcall
)",
                     cases, joined(names), flags_of(command::run), values);
}

std::string zsh_script() {
  return "# source <(rollcall completion zsh)\nautoload -U +X bashcompinit && bashcompinit\n" + bash_script();
}

std::string fish_script() {
  std::string text = "# rollcall completion fish | source\ncomplete -c rollcall -f\n";
  for (const auto& c : commands()) {
    text +=
        fmt::format("complete -c rollcall -n __fish_use_subcommand -a {} -d {}\n", c.name, quoted(c.meaning));
    if (const auto more = choices_of(c.argument); !more.empty())
      text += fmt::format("complete -c rollcall -n '__fish_seen_subcommand_from {}' -a {}\n", c.name,
                          quoted(joined(more)));
  }
  for (const auto& o : options()) {
    std::vector<std::string> of;
    for (const auto& c : commands()) {
      if (o.of(c.command)) of.emplace_back(c.name);
    }
    const bool file = o.placeholder == "FILE" || o.placeholder == "DIRECTORY";
    const auto choices = choices_of(o);
    text +=
        fmt::format("complete -c rollcall{} -l {}{}{}{} -d {}\n",
                    o.of(command::run) ? "" : fmt::format(" -n '__fish_seen_subcommand_from {}'", joined(of)),
                    o.flag, o.kind == value_kind::toggle ? "" : " -r", file ? " -F" : "",
                    choices.empty() ? "" : " -a " + quoted(joined(choices)), quoted(o.meaning));
  }
  return text;
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
    if (last != o.group) text += fmt::format(".SH {}\n", roff(title(o.group)));
    last = o.group;
    const auto notes = notes_of(o);
    text +=
        tagged(left_of(o), notes.empty() ? std::string(o.meaning) : fmt::format("{} ({})", o.meaning, notes));
  }
  text += fmt::format(".SH {}\n", roff(title(option_group::file)));
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

std::string completion_script(std::string_view shell) {
  if (shell == "bash") return bash_script();
  if (shell == "zsh") return zsh_script();
  if (shell == "fish") return fish_script();
  throw configuration_error(
      fmt::format("rollcall completion: '{}' is not known: bash, zsh or fish is allowed", shell));
}

}  // namespace rollcall::app
