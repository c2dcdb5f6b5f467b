// A real Prometheus that scrapes some targets on this machine, asked over its API.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "test/support/process.hpp"
#include "test/support/socket.hpp"

namespace rollcall::test {

// For a query string.
std::string url_encoded(std::string_view text);

struct prometheus_options {
  std::vector<std::string> targets{};  // HOST:PORT, as job `rollcall`
  std::string labels = "{}";           // of the targets, as a YAML mapping
  std::string scrape{};                // more lines of the job
  std::string scrape_interval = "200ms";
  std::string rules{};              // path of a rule file
  std::string network_namespace{};  // on 127.0.0.1:9090 there, else on a free port
};

class prometheus_server {
 public:
  explicit prometheus_server(prometheus_options);

  bool ready() const { return get("/-/ready").status == 200; }
  std::string errors() const { return running_.errors(); }

  // An answer's `data`; throws std::runtime_error with Prometheus' own words when it refuses the question.
  boost::json::value ask(const std::string& path) const;
  // An instant query's result: [{metric, value: [time, "text"]}].
  boost::json::array instant(const std::string& expression) const;
  // The values of one, as text.
  std::vector<std::string> query(const std::string& expression) const;

 private:
  http_answer get(const std::string& path) const;
  temporary_directory folder_;
  std::string network_namespace_;
  std::uint16_t port_;
  process running_;
};

}  // namespace rollcall::test
