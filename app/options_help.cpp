// --help: written from the table of options, so that it cannot fall behind it.
#include <fmt/format.h>

#include <algorithm>

#include "app/options.hpp"

namespace rollcall::app {
namespace {

constexpr std::size_t left_columns = 26, line_columns = 80;

// `left`, then `right` wrapped beside it; on lines of its own where `left` is too long.
std::string entry(std::string_view left, std::string_view right) {
  std::string text = fmt::format("  {}", left);
  std::size_t column = text.size();
  if (column + 2 > left_columns) {
    text += '\n';
    column = 0;
  }
  text.append(left_columns - column, ' ');
  column = left_columns;
  bool first = true;
  while (!right.empty()) {
    const auto end = std::min(right.find(' '), right.size());
    const auto word = right.substr(0, end);
    right.remove_prefix(std::min(end + 1, right.size()));
    if (!first && column + 1 + word.size() > line_columns) {
      text += '\n';
      text.append(left_columns, ' ');
      column = left_columns;
    } else if (!first) {
      text += ' ';
      ++column;
    }
    text += word;
    column += word.size();
    first = false;
  }
  return text + '\n';
}

std::string entry(const option& o) {
  auto left = fmt::format("--{}", o.flag);
  if (!o.placeholder.empty()) left += fmt::format(" {}", o.placeholder);
  const auto notes = notes_of(o);
  return entry(left, notes.empty() ? std::string(o.meaning) : fmt::format("{} ({})", o.meaning, notes));
}

std::string entry(const command_name& c) {
  return entry(c.argument.empty() ? std::string(c.name) : fmt::format("{} {}", c.name, c.argument),
               c.meaning);
}

std::string entry(const action& a) {
  auto left =
      a.short_flag.empty() ? fmt::format("--{}", a.flag) : fmt::format("-{}, --{}", a.short_flag, a.flag);
  if (!a.placeholder.empty()) left += fmt::format(" {}", a.placeholder);
  return entry(left, a.meaning);
}

}  // namespace

std::string notes_of(const option& o) {
  if (o.kind == value_kind::list) return "repeatable";
  auto notes = o.allowed;
  if (const auto standard = default_text(o); standard != "false" && standard != "none")
    notes += fmt::format("{}default: {}", notes.empty() ? "" : "; ", standard);
  return notes;
}

std::vector<exit_code_row> exit_codes(std::optional<command> what) {
  std::vector<exit_code_row> rows;
  const auto concerns = [&](command c) { return !what || *what == c; };
  if (concerns(command::run))
    rows.push_back(
        {"run",
         "0 after SIGTERM or SIGINT; 1 when it could not start (an address in use); 2 for a bad option "
         "or no cookie, before anything is dialled"});
  if (concerns(command::check))
    rows.push_back({"check", "0 the cluster is whole; 1 it is not; 2 could not tell"});
  if (concerns(command::doctor))
    rows.push_back({"doctor", "0 nothing is wrong; 1 something is; 2 could not tell"});
  if (concerns(command::status))
    rows.push_back({"status", "0 health is ok; 1 warning or error; 2 could not ask"});
  if (concerns(command::healthcheck))
    rows.push_back({"healthcheck", "0 alive, however the cluster is; 1 no answer, or another one"});
  if (concerns(command::pause) || concerns(command::resume))
    rows.push_back({what ? to_string(*what) : "pause, resume", "0 it was told; 2 it could not be told"});
  if (!what || (asks_a_running_rollcall(*what) && *what != command::status && *what != command::healthcheck))
    rows.push_back({what ? to_string(*what) : "the others that ask", "0 answered; 2 could not ask"});
  rows.push_back({"all", "2 for a bad option; 70 for an error of rollcall itself"});
  return rows;
}

std::string help_text(std::optional<command> what) {
  std::string text;
  if (what) {
    const auto& c = *std::ranges::find(commands(), *what, &command_name::command);
    text += fmt::format("rollcall {}: {}\n\nUsage: rollcall {}{}{} [OPTION]...\n", c.name, c.meaning, c.name,
                        c.argument.empty() ? "" : " ", c.argument);
  } else {
    text +=
        "rollcall: calls the roll of an Erlang or Elixir cluster. It finds the nodes by\n"
        "DNS, links to each as a hidden node, has them connect to each other, keeps at\n"
        "it, and says who is there: to Prometheus, to a browser, and to iex.\n\n"
        "Usage: rollcall [COMMAND] [OPTION]...\n\nCommands\n";
    for (const auto& c : commands()) text += entry(c);
  }
  std::optional<option_group> last;
  for (const auto& o : options()) {
    if (what && !o.of(*what)) continue;
    if (last != o.group) text += fmt::format("\n{}\n", title(o.group));
    last = o.group;
    text += entry(o);
  }
  text += fmt::format("\n{}\n", title(option_group::file));
  for (const auto& a : actions()) text += entry(a);
  text +=
      "\nEvery option is also an environment variable (--peer-port is\n"
      "ROLLCALL_PEER_PORT, lists are separated by commas) and a key of the file\n"
      "(peer-port = 4370). A flag wins over the environment, the environment over the\n"
      "file; a list is replaced as a whole. TIME is a number with a unit: 500ms, 5s,\n"
      "2m, 1h30m.\n";
  text += "\nExit codes\n";
  for (const auto& row : exit_codes(what)) text += entry(row.who, row.meaning);
  return text;
}

}  // namespace rollcall::app
