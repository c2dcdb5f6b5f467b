// OTP's real port mapper under test's control.
#include "test/support/epmd.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "test/support/socket.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

// NAMES_REQ is one byte, 110; the answer is a 4-byte port and a line for each name.
std::optional<std::string> ask_names(std::uint16_t port, const std::string& network_namespace) {
  const auto connection = connect_tcp("127.0.0.1", port, network_namespace, milliseconds(1'000));
  if (!connection.open() || !connection.send(std::string("\0\1n", 3))) return {};
  auto answer = connection.receive_all(milliseconds(2'000));
  if (answer.size() < 4) return {};
  return answer.substr(4);
}

}  // namespace

epmd::epmd(std::uint16_t port, std::string network_namespace)
    : port_(port), namespace_(std::move(network_namespace)) {
  const bool anywhere = port_ == 0 && namespace_.empty();
  if (port_ == 0) port_ = 4369;
  start(anywhere);
}

void epmd::start(bool choose_port) {
  process_.reset();
  const auto answers = [&] {
    if (process_ && process_->running()) return ask_names(port_, namespace_).has_value();
    // It ends at once where somebody else has the port, be it as the near end of a connection.
    if (choose_port) port_ = free_port();
    process_.emplace(
        process_options{.arguments = {"epmd", "-port", std::to_string(port_), "-relaxed_command_check"},
                        .environment = {},
                        .network_namespace = namespace_});
    return false;
  };
  const auto up = eventually(answers, 60s, "epmd answers");
  if (!up) throw std::runtime_error(std::string(up.message()) + process_->errors());
}

void epmd::stop() {
  process_.reset();
}

std::vector<std::string> epmd::names() const {
  std::vector<std::string> result;
  std::istringstream lines(ask_names(port_, namespace_).value_or(""));
  for (std::string line; std::getline(lines, line);) {  // name ALIVE at port N
    std::istringstream words(line);
    std::string name, alive;
    if (words >> name >> alive && name == "name") result.push_back(alive);
  }
  return result;
}

bool epmd::knows(const std::string& alive) const {
  const auto all = names();
  return std::find(all.begin(), all.end(), alive) != all.end();
}

}  // namespace rollcall::test
