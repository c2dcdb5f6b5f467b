// The commands: what they are called, and which options each of them looks at.
#include <algorithm>
#include <array>

#include "app/options.hpp"

namespace rollcall::app {
namespace {

constexpr std::array<command_name, 15> all_commands{{
    {command::run, "run", "the service (the default)"},
    {command::check, "check", "one round, a table of members and what is wrong"},
    {command::doctor, "doctor", "each node, step by step, from DNS to its view"},
    {command::members, "members", "ask a running rollcall: members and their states, or one of them",
     "[NODE]"},
    {command::why, "why", "ask a running rollcall: what keeps a node out, step by step", "NODE"},
    {command::status, "status", "ask a running rollcall: health and what is wrong"},
    {command::partitions, "partitions", "ask a running rollcall: the groups of nodes that see each other"},
    {command::netsplits, "netsplits", "ask a running rollcall: incidents, newest first"},
    {command::events, "events", "ask a running rollcall: the last events"},
    {command::watch, "watch", "ask a running rollcall again and again, redrawn in place"},
    {command::healthcheck, "healthcheck", "ask a running rollcall whether it is alive, for what restarts it"},
    {command::pause, "pause", "tell a running rollcall to ask nothing of any node for TIME (`pause 10m`)",
     "TIME"},
    {command::resume, "resume", "tell it to go on"},
    {command::completion, "completion", "print what a shell needs to complete commands and options",
     "bash|zsh|fish"},
    {command::man, "man", "print the manual page: rollcall man | man -l -"},
}};

}  // namespace

std::span<const command_name> commands() {
  return all_commands;
}

std::string_view to_string(command what) {
  return std::ranges::find(all_commands, what, &command_name::command)->name;
}

bool asks_a_running_rollcall(command what) {
  return what != command::run && what != command::check && what != command::doctor &&
         what != command::pause && what != command::resume && what != command::completion &&
         what != command::man;
}

bool option::of(command what) const {
  const bool asks = asks_a_running_rollcall(what);
  const bool tells = what == command::pause || what == command::resume;
  if (what == command::completion || what == command::man) return false;
  if (flag == "json")
    return !tells && what != command::run && what != command::healthcheck && what != command::watch;
  if (flag == "last" || flag == "follow") return what == command::events;
  if (flag == "state") return what == command::members;
  if (flag == "all" || flag == "bundle") return what == command::doctor;
  if (flag == "wait") return what == command::check || what == command::doctor;
  return (group == option_group::asking) == asks;
}

bool wants_json_lines(std::span<const std::string> arguments, const environment& env) {
  const auto is_command = [&](const command_name& c) {
    return c.command != command::run && std::ranges::find(arguments, c.name) != arguments.end();
  };
  if (std::ranges::any_of(all_commands, is_command)) return false;
  const auto given = env.find("ROLLCALL_LOG_FORMAT");
  bool json = given != env.end() && given->second == "json";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].starts_with("--log-format=")) json = arguments[i] == "--log-format=json";
    if (arguments[i] == "--log-format") json = i + 1 < arguments.size() && arguments[i + 1] == "json";
  }
  return json;
}

}  // namespace rollcall::app
