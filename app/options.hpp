// The one table of options: flags, ROLLCALL_* variables, keys of the file, --help, --check-config and the
// test of docs/configuration.md are all driven by it.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/configuration.hpp"

namespace rollcall::app {

struct command_name {
  app::command command;
  std::string_view name, meaning;
  std::string_view argument = {};  // NODE; [NODE] when it may be missing
};
std::span<const command_name> commands();
std::string_view to_string(command);
bool asks_a_running_rollcall(command);  // over HTTP

enum class option_group { discovery, identity, rounds, healing, serving, logging, asking, file };
std::string_view title(option_group);

enum class value_kind {
  toggle,
  number,
  text,
  list
};  // number: written without quotes in TOML where it is one

struct option {
  std::string_view flag;  // without the dashes
  option_group group;
  value_kind kind;
  std::string placeholder;   // empty for a toggle; a|b|c for a choice
  std::string_view meaning;  // a phrase for --help
  std::string allowed;       // empty when the placeholder says it all
  std::string_view
      standard;  // the default in words where it is computed; otherwise show() of a fresh configuration
  // Replaces what a weaker source said. Throws bad_value.
  std::function<void(configuration&, const std::vector<std::string>&)> assign;
  // Empty: not set.
  std::function<std::vector<std::string>(const configuration&)> show;

  std::string variable() const;  // ROLLCALL_PEER_PORT
  bool is_duration() const { return placeholder == "TIME"; }
  bool of(command) const;  // whether the command looks at it
};

std::span<const option> options();
const option* find_option(std::string_view flag);
// Of the flags that make a program print something and stop, or say where the rest is: flags only, no keys.
struct action {
  std::string_view flag, short_flag, placeholder, meaning;
};
std::span<const action> actions();

// What one source said about one option.
struct given {
  const option* what;
  std::vector<std::string> values;
  std::string origin;  // "--interval", "ROLLCALL_INTERVAL", "rollcall.toml:interval"
  std::string place;   // origin, and the line where there is one
};

struct command_line {
  std::optional<app::command> command;
  std::vector<given> values;
  std::string config_file;
  std::optional<std::string> argument;  // of a command that takes one
  bool help = false, version = false, check_config = false;
};
// Throws configuration_error.
command_line read_command_line(std::span<const std::string> arguments);
// Of a command line and an environment that may be wrong: whether `run` would log JSON.
bool wants_json_lines(std::span<const std::string> arguments, const environment&);
std::vector<given> read_environment(const environment&, std::vector<std::string>& warnings);
std::vector<given> read_configuration_file(const std::string& path);

// For `command` when there is one, else everything.
std::string help_text(std::optional<command>);
std::string default_text(const option&);

// Made of the same tables: what a shell completes (bash, zsh or fish; else configuration_error), and the
// manual page as roff.
std::string completion_script(std::string_view shell);
std::string manual_page();
// Words for --help and the manual page: what is allowed, or the default, of an option; each command's exit
// codes.
std::string notes_of(const option&);
struct exit_code_row {
  std::string_view who, meaning;
};
std::vector<exit_code_row> exit_codes(std::optional<command>);

}  // namespace rollcall::app
