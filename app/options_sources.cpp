// The three places options come from, each turned into the same rows: the command line (CLI11), ROLLCALL_*
// variables, and a TOML file. CLI11 ranks the file above the environment, so it is given the flags only.
#include <fmt/format.h>

#include <toml++/toml.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "app/options.hpp"
#include "app/options_values.hpp"
#include "app/printable.hpp"

namespace rollcall::app {
namespace {

constexpr std::size_t max_configuration_bytes = 1U << 20;
constexpr std::string_view no_cookie_option =
    "the cookie itself is no option, since others could read it there: use --cookie-file, or the variable "
    "ROLLCALL_COOKIE";

std::vector<std::string_view> every_flag() {
  std::vector<std::string_view> names;
  for (const auto& o : options()) names.push_back(o.flag);
  for (const auto& a : actions()) names.push_back(a.flag);
  return names;
}

std::string suggestion(std::string_view text, std::span<const std::string_view> names,
                       std::string_view prefix) {
  const auto near = nearest_name(text, names);
  return near.empty() ? std::string() : fmt::format("; did you mean {}{}?", prefix, near);
}

configuration_error unknown_argument(const std::string& text) {
  if (text.starts_with("-") && text.size() > 1) {
    auto flag = text.substr(0, text.find('='));
    const auto bare = flag.substr(std::min(flag.find_first_not_of('-'), flag.size()));
    // Only the name is repeated: what follows the '=' may be a secret.
    if (bare == "cookie" || bare == "setcookie") {
      return configuration_error(fmt::format("{}: {}", printable(flag), no_cookie_option));
    }
    return configuration_error(fmt::format("{} is not an option{} (see rollcall --help)", printable(flag),
                                           suggestion(bare, every_flag(), "--")));
  }
  std::vector<std::string_view> names;
  for (const auto& c : commands()) names.push_back(c.name);
  return configuration_error(fmt::format("'{}' is not a command{} (see rollcall --help)", printable(text),
                                         suggestion(text, names, "")));
}

const command_name& command_row(command what) {
  return *std::ranges::find(commands(), what, &command_name::command);
}

bool takes_argument(const std::optional<command>& what) {
  return what && !command_row(*what).argument.empty();
}

// `--interval=` and `--srv --dns ...`: CLI11 would take the next argument as the value.
void refuse_missing_values(std::span<const std::string> arguments) {
  const auto takes_value = [](std::string_view name) {
    const auto* o = find_option(name);
    return name == "config" || (o != nullptr && o->kind != value_kind::toggle);
  };
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& text = arguments[i];
    if (text == "--") return;
    if (!text.starts_with("--")) continue;
    const auto equals = text.find('=');
    const auto name = std::string_view(text).substr(2, equals == std::string::npos ? equals : equals - 2);
    const auto* o = find_option(name);
    if (equals + 1 == text.size() && (o != nullptr || name == "config")) {
      throw configuration_error(fmt::format("--{} has an empty value", name));
    }
    if (!takes_value(name) || equals != std::string::npos) continue;
    if (i + 1 == arguments.size() || arguments[i + 1].starts_with("--")) {
      throw configuration_error(fmt::format("--{} needs a value: --{} {}", name, name,
                                            o != nullptr ? o->placeholder : std::string("FILE")));
    }
    ++i;
  }
}

using toggle_values = std::map<std::string, std::vector<std::string>>;

void add_given(command_line& line, const option& o, const std::vector<std::string>& values) {
  const auto origin = fmt::format("--{}", o.flag);
  if (o.kind != value_kind::list && values.size() > 1) {
    throw configuration_error(fmt::format("{} is given {} times", origin, values.size()));
  }
  line.values.push_back({&o, values, origin, origin});
}

void define_options(CLI::App& program, command_line& line, toggle_values& toggles) {
  for (const auto& o : options()) {
    const auto take = [&line, &o](const CLI::results_t& values) {
      add_given(line, o, values);
      return true;
    };
    const auto flag = fmt::format("--{}", o.flag);
    // Toggles have values, too (--local=false).
    auto* added = o.kind == value_kind::toggle ? program.add_flag(flag, toggles[std::string(o.flag)])
                                               : program.add_option(flag, CLI::callback_t(take));
    added->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
}

void define_commands(CLI::App& program, command_line& line) {
  for (const auto& c : commands()) {
    auto* command = program.add_subcommand(std::string(c.name));
    command->set_help_flag();
    command->fallthrough();
    command->allow_extras();
    command->callback([&line, &c] { line.command = c.command; });
  }
}

void take_extra(command_line& line, const std::string& extra) {
  if (extra == "help" && !line.command) {
    line.help = true;
  } else if (extra == "version" && !line.command) {
    line.version = true;
  } else if (takes_argument(line.command) && !line.argument && !extra.starts_with('-')) {
    line.argument = extra;
  } else if (line.command && !extra.starts_with('-')) {
    throw configuration_error(fmt::format("'{}' is one argument too many: `rollcall {}` takes {}",
                                          printable(extra), to_string(*line.command),
                                          takes_argument(line.command) ? "one" : "options only"));
  } else if (extra != "--") {
    throw unknown_argument(extra);
  }
}

void refuse_missing_argument(const command_line& line) {
  if (!takes_argument(line.command) || line.argument || line.help) return;
  const auto& of = command_row(*line.command);
  if (line.command == command::pause)
    throw configuration_error("`rollcall pause` needs a time: rollcall pause 10m");
  if (!of.argument.starts_with('['))
    throw configuration_error(
        fmt::format("`rollcall {}` needs an argument: rollcall {} {}", of.name, of.name, of.argument));
}

}  // namespace

command_line read_command_line(std::span<const std::string> arguments) {
  refuse_missing_values(arguments);
  command_line line;
  toggle_values toggles;
  std::vector<std::string> config_files;
  CLI::App program;
  program.set_help_flag();
  program.allow_extras();
  program.require_subcommand(0, 1);
  define_options(program, line, toggles);
  program.add_option("-c,--config", config_files)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  program.add_flag("--check-config", line.check_config);
  program.add_flag("-h,--help", line.help);
  program.add_flag("-V,--version", line.version);
  define_commands(program, line);
  try {
    program.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& failure) {
    throw configuration_error(fmt::format("{} (see rollcall --help)", printable(failure.what())));
  }
  for (const auto& [flag, values] : toggles) {
    if (!values.empty()) add_given(line, *find_option(flag), values);
  }
  for (const auto& extra : program.remaining(true)) take_extra(line, extra);
  refuse_missing_argument(line);
  if (config_files.size() > 1) {
    throw configuration_error(
        fmt::format("--config is given {} times: there is one file", config_files.size()));
  }
  if (!config_files.empty()) line.config_file = config_files.front();
  return line;
}

std::vector<given> read_environment(const environment& variables, std::vector<std::string>& warnings) {
  // What Kubernetes puts into every container for a Service called rollcall or rollcall-something.
  static const std::regex of_a_service(
      "^ROLLCALL_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|"
      "PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$");
  static const std::regex of_a_service_value("^(tcp|udp|sctp)://.*");
  constexpr std::string_view prefix = "ROLLCALL_";
  std::vector<given> found;
  std::vector<std::string> names{"ROLLCALL_COOKIE", "ROLLCALL_URL_AUTH", "ROLLCALL_CONFIG"};
  for (const auto& o : options()) names.push_back(o.variable());
  const std::vector<std::string_view> known(names.begin(), names.end());
  for (const auto& [name, value] : variables) {
    if (!name.starts_with(prefix) || name == "ROLLCALL_COOKIE" || name == "ROLLCALL_URL_AUTH" ||
        name == "ROLLCALL_CONFIG" || value.empty())
      continue;
    // ROLLCALL_DIST_PORT is an option of ours and Kubernetes' variable of a Service rollcall-dist.
    if (std::regex_match(value, of_a_service_value)) continue;
    const auto option =
        std::ranges::find_if(options(), [&wanted = name](const auto& o) { return o.variable() == wanted; });
    if (option != options().end()) {
      std::vector<std::string> values;
      if (option->kind == value_kind::list) {
        std::istringstream parts(value);
        for (std::string part; std::getline(parts, part, ',');) {
          const auto first = part.find_first_not_of(' ');
          if (first == std::string::npos) continue;
          values.push_back(part.substr(first, part.find_last_not_of(' ') - first + 1));
        }
      } else {
        values.push_back(value);
      }
      found.push_back({&*option, std::move(values), name, name});
      continue;
    }
    if (std::regex_match(name, of_a_service)) continue;
    if (const auto near = suggestion(
            name.substr(prefix.size()),
            [&] {
              std::vector<std::string_view> bare;
              bare.reserve(known.size());
              for (const auto k : known) bare.push_back(k.substr(prefix.size()));
              return bare;
            }(),
            prefix);
        !near.empty()) {
      throw configuration_error(fmt::format("{} is not an option{}", printable(name), near));
    }
    warnings.push_back(
        fmt::format("the environment variable {} is not an option and is ignored", printable(name)));
  }
  return found;
}

std::vector<given> read_configuration_file(const std::string& path) {
  const auto shown = printable(path);
  std::error_code ignored;
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path, ignored)) {
    throw configuration_error(fmt::format("--config: {} cannot be read: {}", shown,
                                          file ? "it is a directory" : std::strerror(errno)));  // NOLINT
  }
  std::string text(max_configuration_bytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > max_configuration_bytes) {
    throw configuration_error(
        fmt::format("--config: {} is larger than {} bytes", shown, max_configuration_bytes));
  }
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& failure) {
    throw configuration_error(fmt::format("{} (line {}) is not TOML: {}", shown, failure.source().begin.line,
                                          printable(failure.description())));
  }
  std::vector<given> found;
  std::vector<std::string_view> names;
  for (const auto& o : options()) names.push_back(o.flag);
  for (const auto& [key, node] : table) {
    const auto name = std::string(key.str());
    const auto origin = fmt::format("{}:{}", shown, printable(name));
    const auto place = fmt::format("{} (line {})", origin, node.source().begin.line);
    const auto* option = find_option(name);
    if (name == "cookie") throw configuration_error(fmt::format("{}: {}", place, no_cookie_option));
    if (option == nullptr) {
      throw configuration_error(fmt::format("{} is not an option{}", place, suggestion(name, names, "")));
    }
    const auto scalar = [&](const toml::node& value) -> std::string {
      if (const auto* as_text = value.as_string()) return as_text->get();
      if (const auto* as_number = value.as_integer()) return std::to_string(as_number->get());
      if (const auto* as_toggle = value.as_boolean()) return as_toggle->get() ? "true" : "false";
      throw configuration_error(fmt::format("{}: {} is needed here", place,
                                            option->kind == value_kind::list     ? "text, or a list of texts,"
                                            : option->kind == value_kind::toggle ? "true or false"
                                                                                 : "text or a whole number"));
    };
    std::vector<std::string> values;
    if (const auto* list = node.as_array(); list != nullptr && option->kind == value_kind::list) {
      for (const auto& element : *list) values.push_back(scalar(element));
    } else {
      values.push_back(scalar(node));
    }
    found.push_back({option, std::move(values), origin, place});
  }
  return found;
}

}  // namespace rollcall::app
