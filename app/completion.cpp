// The completion of three shells, made from the tables of commands and options.
#include <fmt/format.h>

#include <algorithm>

#include "app/options.hpp"

namespace rollcall::app {
namespace {

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

bool is_path(std::string_view placeholder) {
  return placeholder == "FILE" || placeholder == "DIRECTORY";
}

std::string joined(const std::vector<std::string>& words, std::string_view between = " ") {
  return fmt::format("{}", fmt::join(words, between));
}

std::string flags_of(command what) {
  std::vector<std::string> flags;
  for (const auto& o : options()) {
    if (o.of(what)) flags.push_back(fmt::format("--{}", o.flag));
  }
  for (const auto& a : actions()) flags.push_back(fmt::format("--{}", a.flag));
  return joined(flags);
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const auto& c : commands()) names.emplace_back(c.name);
  return names;
}

// In single quotes, for a POSIX shell and fish alike.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// Of a `case` over the word before: flags whose value is a path, and those whose value nobody can guess.
struct value_flags {
  std::vector<std::string> paths{"-c", "--config"}, others;
};

value_flags sorted_flags() {
  value_flags all;
  for (const auto& o : options()) {
    if (o.kind == value_kind::toggle || !choices_of(o).empty()) continue;
    (is_path(o.placeholder) ? all.paths : all.others).push_back(fmt::format("--{}", o.flag));
  }
  return all;
}

// Lines of a `case`, `offer` around the values of each choice.
std::string choice_cases(std::string_view before, std::string_view after) {
  std::string cases;
  for (const auto& o : options()) {
    if (const auto choices = choices_of(o); !choices.empty())
      cases += fmt::format("    --{}) {}{}{} ;;\n", o.flag, before, joined(choices), after);
  }
  return cases;
}

std::string bash_script() {
  std::string of_command;
  for (const auto& c : commands()) {
    const auto more = choices_of(c.argument);
    of_command += fmt::format("    {}) words='{}{}{}' ;;\n", c.name, joined(more), more.empty() ? "" : " ",
                              flags_of(c.command));
  }
  const auto flags = sorted_flags();
  // `--heal=plan` is three words to bash.
  return fmt::format(R"(# source <(rollcall completion bash)
_rollcall() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} command= word words=
  COMPREPLY=()
  if [[ $current == = ]]; then
    current=
  elif [[ $previous == = ]]; then
    previous=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case $word in {0}) command=$word; break ;; esac
  done
  case $command in
{1}    *) words='{2} {3}' ;;
  esac
  case $previous in
{4}    {5}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    {6}) return ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -F _rollcall rollcall
)",
                     joined(command_names(), " | "), of_command, joined(command_names()),
                     flags_of(command::run), choice_cases("words='", "'"), joined(flags.paths, " | "),
                     joined(flags.others, " | "));
}

// A name and its meaning for _describe, in which a colon separates the two.
std::string described(std::string_view name, std::string_view meaning) {
  std::string text;
  for (const char c : meaning) text += c == ':' ? std::string("\\:") : std::string(1, c);
  return fmt::format("    {}\n", quoted(fmt::format("{}:{}", name, text)));
}

std::string zsh_script() {
  std::string names, about, of_command;
  for (const auto& c : commands()) {
    names += described(c.name, c.meaning);
    const auto more = choices_of(c.argument);
    of_command += fmt::format("    {}) of=({}){} ;;\n", c.name, flags_of(c.command),
                              more.empty() ? "" : fmt::format("; compadd -- {}", joined(more)));
  }
  for (const auto& o : options()) about += described(fmt::format("--{}", o.flag), o.meaning);
  for (const auto& a : actions()) about += described(fmt::format("--{}", a.flag), a.meaning);
  const auto flags = sorted_flags();
  return fmt::format(R"(#compdef rollcall
# source <(rollcall completion zsh), or keep it as _rollcall in a folder of $fpath
_rollcall() {{
  local command= previous=${{words[CURRENT - 1]}} word
  local -a of offered names=(
{0}  ) about=(
{1}  )
  if [[ ${{words[CURRENT]}} == --*=* ]]; then
    previous=${{words[CURRENT]%%=*}}
    compset -P '*='
  fi
  case $previous in
{2}    {3}) _files; return ;;
    {4}) return ;;
  esac
  for word in ${{words[2,CURRENT - 1]}}; do
    case $word in {5}) command=$word; break ;; esac
  done
  case $command in
{6}    *) of=({7}); _describe -t commands command names ;;
  esac
  for word in $of; do offered+=(${{(M)about:#$word:*}}); done
  _describe -o option offered
}}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _rollcall "$@"
else
  (( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit -i }}
  compdef _rollcall rollcall
fi
)",
                     names, about, choice_cases("compadd -- ", "; return"), joined(flags.paths, " | "),
                     joined(flags.others, " | "), joined(command_names(), " | "), of_command,
                     flags_of(command::run));
}

// Where fish offers an option: `run` is also what no command means.
std::string condition_of(const option& o) {
  std::vector<std::string> of, others;
  for (const auto& c : commands()) (o.of(c.command) ? of : others).emplace_back(c.name);
  return o.of(command::run) ? "not __fish_seen_subcommand_from " + joined(others)
                            : "__fish_seen_subcommand_from " + joined(of);
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
    const auto choices = choices_of(o);
    const auto* value = o.kind == value_kind::toggle ? "" : is_path(o.placeholder) ? " -r -F" : " -x";
    text += fmt::format("complete -c rollcall -n '{}' -l {}{}{} -d {}\n", condition_of(o), o.flag, value,
                        choices.empty() ? "" : " -a " + quoted(joined(choices)), quoted(o.meaning));
  }
  for (const auto& a : actions()) {
    text += fmt::format("complete -c rollcall{}{} -l {}{} -d {}\n", a.short_flag.empty() ? "" : " -s ",
                        a.short_flag, a.flag, is_path(a.placeholder) ? " -r -F" : "", quoted(a.meaning));
  }
  return text;
}

}  // namespace

std::string completion_script(std::string_view shell) {
  if (shell == "bash") return bash_script();
  if (shell == "zsh") return zsh_script();
  if (shell == "fish") return fish_script();
  throw configuration_error(
      fmt::format("rollcall completion: '{}' is not known: bash, zsh or fish is allowed", shell));
}

}  // namespace rollcall::app
