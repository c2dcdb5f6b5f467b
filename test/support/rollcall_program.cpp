// The real program under test's control.
#include "test/support/rollcall_program.hpp"

#include <csignal>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

std::string text_of(const boost::json::value& object, std::string_view key) {
  const auto* members = object.if_object();
  const auto* value = members == nullptr ? nullptr : members->if_contains(key);
  const auto* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : std::string(*text);
}

std::size_t number_of(const boost::json::value& object, std::string_view key) {
  const auto* members = object.if_object();
  const auto* value = members == nullptr ? nullptr : members->if_contains(key);
  if (value == nullptr || !value->is_number()) throw std::runtime_error("no number " + std::string(key));
  return value->to_number<std::size_t>();
}

}  // namespace

rollcall_program::rollcall_program(rollcall_options options) : options_(std::move(options)) {
  const bool anywhere = options_.network_namespace.empty();
  // What was free may be somebody's a moment later, be it as the near end of a connection.
  for (int tries = 0; tries < 10; ++tries) {
    http_port_ = anywhere ? free_port() : std::uint16_t{14369};
    start();
    const auto up = eventually([&] { return !process_->running() || get("/healthz").status == 200; }, 60s,
                               "rollcall answers on HTTP", 10ms);
    if (!up) throw std::runtime_error(std::string(up.message()) + "\n" + process_->errors());
    if (process_->running()) return;
    if (!anywhere || process_->errors().find("cannot listen for HTTP") == std::string::npos) break;
  }
  throw std::runtime_error("rollcall ended: " + process_->errors());
}

rollcall_program::rollcall_program(rollcall_program&& other) noexcept
    : options_(std::move(other.options_)),
      files_(std::move(other.files_)),
      http_port_(other.http_port_),
      process_(std::move(other.process_)) {
  other.process_.reset();
}

rollcall_program& rollcall_program::operator=(rollcall_program&& other) noexcept {
  options_ = std::move(other.options_);
  files_ = std::move(other.files_);
  http_port_ = other.http_port_;
  process_ = std::move(other.process_);
  other.process_.reset();
  return *this;
}

rollcall_program::~rollcall_program() {
  if (!process_ || !testing::Test::HasFailure()) return;
  try {
    const auto lines = log();
    constexpr std::size_t most = 80;
    std::cerr << "its log ends with:\n";
    for (std::size_t i = lines.size() > most ? lines.size() - most : 0; i < lines.size(); ++i) {
      std::cerr << "  " << lines[i] << "\n";
    }
  } catch (const std::exception& e) {
    std::cerr << "its log cannot be read: " << e.what() << "\n";
  }
}

void rollcall_program::start() {
  std::vector<std::string> arguments{
      ROLLCALL_PROGRAM, "run",
      "--http",         (options_.http_for_all ? "0.0.0.0:" : "127.0.0.1:") + std::to_string(http_port_),
      "--cookie-file",  files_.write("cookie", options_.cookie + "\n", 0400)};
  if (!options_.name.empty()) arguments.insert(arguments.end(), {"--name", options_.name});
  if (!options_.interval.empty()) arguments.insert(arguments.end(), {"--interval", options_.interval});
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  auto environment = options_.environment;
  environment.emplace("ROLLCALL_TEST_OTP_ROOT", "");  // it would warn of an option it does not know
  if (options_.epmd_port != 0) environment["ERL_EPMD_PORT"] = std::to_string(options_.epmd_port);
  process_.emplace(process_options{.arguments = std::move(arguments),
                                   .environment = std::move(environment),
                                   .network_namespace = options_.network_namespace});
}

http_answer rollcall_program::get(const std::string& path) const {
  return http_get("127.0.0.1", http_port_, path, options_.network_namespace);
}

boost::json::value rollcall_program::json(const std::string& path) const {
  const auto answer = get(path);
  if (answer.status != 200)
    throw std::runtime_error(path + " gives " + std::to_string(answer.status) + " " + answer.body);
  return boost::json::parse(answer.body);
}

boost::json::value rollcall_program::member(const std::string& node) const {
  const auto members = json("/api/v1/members");
  for (const auto& one : members.as_array()) {
    if (text_of(one, "node") == node) return one;
  }
  return nullptr;
}

std::string rollcall_program::state(const std::string& node) const {
  return text_of(member(node), "state");
}
std::string rollcall_program::reason(const std::string& node) const {
  return text_of(member(node), "reason");
}

std::size_t rollcall_program::up() const {
  return number_of(json("/api/v1/status"), "up");
}
std::size_t rollcall_program::links_missing() const {
  return number_of(json("/api/v1/status"), "links_missing");
}

std::vector<std::vector<std::string>> rollcall_program::partitions() const {
  std::vector<std::vector<std::string>> result;
  const auto document = json("/api/v1/partitions");
  for (const auto& partition : document.as_array()) {
    auto& names = result.emplace_back();
    // Of deploys that are kept apart, each says which mesh it is of.
    const auto* apart = partition.if_object();
    const auto& nodes = apart != nullptr ? apart->at("nodes") : partition;
    for (const auto& name : nodes.as_array()) names.emplace_back(name.as_string());
  }
  return result;
}

testing::AssertionResult rollcall_program::whole(std::size_t expected) const {
  const auto now = up();
  const auto missing = links_missing();
  const auto parts = partitions();
  if (now == expected && missing == 0 && parts.size() == 1 && parts.front().size() == expected) {
    return testing::AssertionSuccess();
  }
  auto failure = testing::AssertionFailure();
  failure << now << " of " << expected << " up, " << missing << " links missing, " << parts.size()
          << " partitions;";
  const auto members = json("/api/v1/members");
  for (const auto& one : members.as_array()) {
    failure << "\n  " << text_of(one, "node") << " " << text_of(one, "state") << " "
            << text_of(one, "reason");
  }
  failure << "\n" << process_->errors();
  return failure;
}

testing::AssertionResult rollcall_program::is(const std::string& node, const std::string& state_wanted,
                                              const std::string& reason_wanted) const {
  const auto one = member(node);
  if (text_of(one, "state") == state_wanted && text_of(one, "reason") == reason_wanted)
    return testing::AssertionSuccess();
  return testing::AssertionFailure() << node << " is " << boost::json::serialize(one) << "\n"
                                     << process_->errors();
}

std::optional<double> rollcall_program::metric(const std::string& name,
                                               const std::map<std::string, std::string>& labels) const {
  return find_metric(get("/metrics").body, name, labels);
}

std::vector<std::string> rollcall_program::log() const {
  return log_with({});
}

std::vector<std::string> rollcall_program::log_with(const std::vector<std::string>& words) const {
  std::vector<std::string> result;
  std::istringstream lines(process_->errors());
  for (std::string line; std::getline(lines, line);) {
    bool all = true;
    for (const auto& word : words) all = all && line.find(word) != std::string::npos;
    if (all) result.push_back(line);
  }
  return result;
}

void rollcall_program::cookie(const std::string& now) {
  files_.write("cookie", now + "\n", 0400);
}

int rollcall_program::terminate(milliseconds limit) {
  signal(SIGTERM);
  if (!process_->wait(limit)) throw std::runtime_error("rollcall does not end on SIGTERM");
  return process_->exit_code().value_or(-1);
}

finished run_rollcall(std::vector<std::string> arguments, std::map<std::string, std::string> environment,
                      const std::string& network_namespace) {
  arguments.insert(arguments.begin(), ROLLCALL_PROGRAM);
  return run({.arguments = std::move(arguments),
              .environment = std::move(environment),
              .network_namespace = network_namespace});
}

std::optional<double> find_metric(const std::string& text, const std::string& name,
                                  const std::map<std::string, std::string>& labels) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name) || line.size() <= name.size()) continue;
    const char next = line[name.size()];
    if (next != ' ' && next != '{') continue;
    bool all = true;
    for (const auto& [key, value] : labels) {
      const auto label = key + "=\"" + value + "\"";
      const auto at = line.find(label, name.size());
      all = all && at != std::string::npos && (line[at - 1] == '{' || line[at - 1] == ',');
    }
    if (!all) continue;
    const auto end = next == ' ' ? name.size() : line.rfind('}') + 1;
    return std::stod(line.substr(end));
  }
  return {};
}

}  // namespace rollcall::test
