// The real program: started with flags, asked over HTTP, its log and metrics read, ended.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "test/support/process.hpp"
#include "test/support/socket.hpp"

namespace rollcall::test {

struct rollcall_options {
  std::vector<std::string> arguments{};  // after `run`
  std::string cookie = "chocolate";      // written to a file of its own
  std::map<std::string, std::string> environment{};
  std::uint16_t epmd_port = 0;  // ERL_EPMD_PORT
  std::string network_namespace{};
  std::string name{};              // --name; empty: the program's default
  std::string interval = "500ms";  // empty: the program's default
  bool http_for_all = false;       // in a namespace: on all of its addresses, not on loopback alone
};

class rollcall_program {
 public:
  // Answering on HTTP when this returns. --http is chosen here (a free port; 127.0.0.1:14369 in a namespace).
  explicit rollcall_program(rollcall_options);
  // The end of its log is printed when the test has failed.
  ~rollcall_program();
  rollcall_program(rollcall_program&&) noexcept;
  rollcall_program& operator=(rollcall_program&&) noexcept;
  rollcall_program(const rollcall_program&) = delete;
  rollcall_program& operator=(const rollcall_program&) = delete;

  http_answer get(const std::string& path) const;
  boost::json::value json(const std::string& path) const;  // throws std::runtime_error unless 200 and JSON
  bool is_ready() const { return get("/readyz").status == 200; }

  // One of /api/v1/members, null when unknown.
  boost::json::value member(const std::string& node) const;
  std::string state(const std::string& node) const;   // "" when unknown
  std::string reason(const std::string& node) const;  // "" when it has none
  std::size_t up() const;                             // how many are
  std::size_t links_missing() const;
  std::vector<std::vector<std::string>> partitions() const;
  // `expected` members up, all pairs connected, one partition.
  testing::AssertionResult whole(std::size_t expected) const;
  testing::AssertionResult is(const std::string& node, const std::string& state,
                              const std::string& reason = "") const;

  // Value of one series; absent when there is none. All labels given here must match, others may be there.
  std::optional<double> metric(const std::string& name,
                               const std::map<std::string, std::string>& labels = {}) const;

  std::vector<std::string> log() const;  // lines on standard error
  // Lines that hold all the words.
  std::vector<std::string> log_with(const std::vector<std::string>& words) const;
  std::size_t log_size() const { return log().size(); }
  std::size_t rss_kib() const { return resident_kib(process_->id()); }

  std::uint16_t http_port() const noexcept { return http_port_; }
  void cookie(const std::string& now);  // rewrites the file
  process& running_process() { return *process_; }
  void signal(int number) { process_->signal(number); }
  // SIGTERM, and the exit code; throws when it takes longer than `limit`.
  int terminate(milliseconds limit = milliseconds(10'000));

 private:
  void start();

  rollcall_options options_;
  temporary_directory files_;
  std::uint16_t http_port_ = 0;
  std::optional<process> process_;
};

// Runs it to its end (check, --check-config, bad flags).
finished run_rollcall(std::vector<std::string> arguments, std::map<std::string, std::string> environment = {},
                      const std::string& network_namespace = {});

// One series of the text format, e.g. for what a Prometheus shows.
std::optional<double> find_metric(const std::string& text, const std::string& name,
                                  const std::map<std::string, std::string>& labels);

}  // namespace rollcall::test
