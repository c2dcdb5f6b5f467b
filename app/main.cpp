// rollcall: calls the roll of a BEAM cluster. See README.md.
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>

#include "app/client.hpp"
#include "app/commands.hpp"
#include "app/engine.hpp"
#include "app/log.hpp"
#include "app/options.hpp"
#include "app/plain_text.hpp"

namespace {

rollcall::app::environment environment_of(char** variables) {
  rollcall::app::environment env;
  for (; variables != nullptr && *variables != nullptr; ++variables) {
    const std::string_view entry(*variables);
    const auto equals = entry.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    env.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return env;
}

int start(std::span<const std::string> arguments, const rollcall::app::environment& env) {
  using namespace rollcall::app;
  auto loaded = load(arguments, env);
  if (const auto* exit = std::get_if<early_exit>(&loaded)) {
    std::cout << exit->output << std::flush;
    return exit_ok;
  }
  const auto& c = std::get<configuration>(loaded);
  if (c.check_config) {
    std::cout << to_toml(c) << std::flush;
    return exit_ok;
  }
  switch (c.command) {
    case command::run:
      return run(c, env);
    case command::check:
      return check(c, env);
    case command::doctor:
      return doctor(c, env);
    case command::pause:
    case command::resume:
      return pause(c, env);
    case command::members:
    case command::status:
    case command::partitions:
    case command::netsplits:
    case command::events:
    case command::healthcheck:
    case command::why:
    case command::watch:
      return ask(c, env);
    case command::completion:
    case command::man:
      break;  // load() has printed them
  }
  return exit_usage;
}

// A start that fails says so as a log line of the format that was asked for, also where the options are what
// is wrong.
void say(std::span<const std::string> arguments, const rollcall::app::environment& env,
         std::string_view what) {
  using namespace rollcall::app;
  if (wants_json_lines(arguments, env)) {
    rollcall::app::log(log_level::error, log_format::json).error(what);
  } else {
    std::cerr << "rollcall: " << what << '\n';
  }
}

// A descriptor that was closed before us would be given to the next socket, and the log written into it.
void open_standard_streams() {
  int opened = 0;
  do opened = ::open("/dev/null", O_RDWR);
  while (opened >= 0 && opened <= STDERR_FILENO);
  if (opened > STDERR_FILENO) ::close(opened);
}

// A block of this size is mapped by itself and goes back to the system as soon as it is free. Otherwise glibc
// raises its own limit with the first large block that is freed (mallopt(3), M_MMAP_THRESHOLD), and what many
// peers sent by halves, or the views of a thousand nodes, stays between what others hold. Four pages: what
// mapping costs then is little beside what is done with the block.
void give_large_blocks_back() {
  ::mallopt(M_MMAP_THRESHOLD, 16 * 1024);
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_streams();
  give_large_blocks_back();
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto env = environment_of(environ);
  try {
    return start(arguments, env);
  } catch (const rollcall::app::configuration_error& e) {
    say(arguments, env, e.what());
    return rollcall::app::exit_usage;
  } catch (const rollcall::app::startup_error& e) {
    say(arguments, env, e.what());
    return rollcall::app::exit_cannot_start;
  } catch (const std::exception& e) {
    std::cerr << "rollcall: unexpected error: " << rollcall::app::plain_text(e) << "; please report this\n";
    return 70;  // EX_SOFTWARE, sysexits.h
  }
}
