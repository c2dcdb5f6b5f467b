// The pieces of bench_scale: the fleet under its control, the hidden Erlang node that watches beside
// Rollcall, and how long /healthz takes meanwhile.
#pragma once

#include <atomic>
#include <boost/json.hpp>
#include <mutex>
#include <thread>

#include "bench/measure.hpp"
#include "bench/turns.hpp"
#include "test/support/beam.hpp"
#include "test/support/process.hpp"
#include "test/support/rollcall_program.hpp"

namespace rollcall::bench {

// What passed between the fleet and one of those who watch it.
struct passed {
  double frames = 0, bytes = 0;  // both ways
  std::map<std::string, double> asked;
  std::size_t links = 0;

  passed since(const passed& before) const;
};

// Files for TLS among nodes and with Rollcall: one certificate for all of them.
class tls_files {
 public:
  explicit tls_files(std::size_t size);
  std::vector<std::string> for_fleet() const { return {"tls", certificate_, key_, authorities_}; }
  std::vector<std::string> for_rollcall() const {
    return {"--tls", "on", "--tls-cert", certificate_, "--tls-key", key_, "--tls-ca", authorities_};
  }

 private:
  test::temporary_directory files_;
  std::string certificate_, key_, authorities_;
};

class fleet_program {
 public:
  // `tls`: null for none.
  fleet_program(std::size_t size, bool linked, const tls_files* tls = nullptr);
  void tell(const std::string& command) { ask(command); }
  passed with(const std::string& watcher);
  bool whole();
  std::size_t size() const noexcept { return size_; }
  std::vector<std::string> names() const;

 private:
  std::string ask(const std::string& command);
  boost::json::value counts() { return boost::json::parse(ask("counts")); }

  std::size_t size_;
  test::process process_;
  std::size_t read_ = 0;
};

// A new connection every 20 ms that asks for /healthz.
class health_clock {
 public:
  explicit health_clock(const test::rollcall_program&);
  ~health_clock();
  health_clock(const health_clock&) = delete;
  health_clock& operator=(const health_clock&) = delete;

  struct latency {
    double median = 0, late = 0, worst = 0;  // ms; `late`: the 99th percentile
    std::size_t asked = 0, unanswered = 0;
  };
  latency take();  // since the last call
  // While it rests nothing is asked: its fifty connections a second are no part of what quiet costs.
  void rest(bool now) { resting_ = now; }

 private:
  std::mutex lock_;
  std::vector<double> taken_;
  std::size_t unanswered_ = 0;
  std::atomic<bool> resting_{false};
  std::jthread thread_;
};

// What the turns of the program's loop take, by bench/turns.cpp preloaded into it.
class turn_clock {
 public:
  turn_clock();
  ~turn_clock();
  turn_clock(const turn_clock&) = delete;
  turn_clock& operator=(const turn_clock&) = delete;

  // For the program that is to be measured.
  std::map<std::string, std::string> environment() const;

  struct taken {
    double longest_ms = 0, longest_three_ms = 0, spent_s = 0;
    std::size_t turns = 0, above_20_ms = 0;
  };
  taken take();  // since the last call

  // What malloc has given out and not got back. The program must wake up for it: it is asked for /healthz.
  std::size_t bytes_in_use(const test::rollcall_program&);

 private:
  test::temporary_directory files_;
  std::string path_;
  turn_counts* counts_ = nullptr;
};

// The same watcher on each node, the views it sends kept up to date, and questions at the same rate, asked by
// a hidden Erlang node.
// How the Erlang node asks whether a node is alive and what it sees: by calls, as Erlang programs do, or by
// a message to its watcher there, as Rollcall does. `plainly`: by calls, and all of them in each round,
// without regard to what their probes have told already.
enum class asked_by { calls, watchers, plainly };

class erlang_observer {
 public:
  explicit erlang_observer(const fleet_program&);
  // Until every node was asked once and watches.
  void wait_until_watching();
  // What Rollcall asked of a node in a minute, on average; asked from now on, every `interval`.
  void ask_like(const passed& a_minute, std::chrono::seconds interval, asked_by);
  pid_t id() const { return node_->id(); }
  const std::string& name() const { return node_->name(); }
  // How many of its views are as large as they are when all nodes are linked.
  std::size_t whole_views();

 private:
  std::size_t size_;
  std::optional<test::beam> node_;
};

}  // namespace rollcall::bench
