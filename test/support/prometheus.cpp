#include "test/support/prometheus.hpp"

#include <cctype>
#include <stdexcept>

namespace rollcall::test {

namespace {

std::string configuration(const prometheus_options& options) {
  std::string targets;
  for (const auto& target : options.targets) targets += (targets.empty() ? "'" : ", '") + target + "'";
  std::string text = "global: {scrape_interval: " + options.scrape_interval +
                     ", scrape_timeout: " + options.scrape_interval +
                     ", evaluation_interval: " + options.scrape_interval + "}\n";
  if (!options.rules.empty()) text += "rule_files: ['" + options.rules + "']\n";
  return text +
         "scrape_configs:\n"
         "  - job_name: rollcall\n"
         "    static_configs: [{targets: [" +
         targets + "], labels: " + options.labels + "}]\n" + options.scrape;
}

}  // namespace

std::string url_encoded(std::string_view text) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const auto c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4U];
      out += digits[byte & 15U];
    }
  }
  return out;
}

prometheus_server::prometheus_server(prometheus_options options)
    : network_namespace_(options.network_namespace),
      port_(network_namespace_.empty() ? free_port() : 9090),
      running_({.arguments = {"prometheus",
                              "--config.file=" + folder_.write("prometheus.yml", configuration(options)),
                              "--storage.tsdb.path=" + (folder_.path() / "data").string(),
                              "--web.listen-address=127.0.0.1:" + std::to_string(port_), "--log.level=warn"},
                .environment = {},
                .network_namespace = network_namespace_}) {}

http_answer prometheus_server::get(const std::string& path) const {
  return http_get("127.0.0.1", port_, path, network_namespace_);
}

boost::json::value prometheus_server::ask(const std::string& path) const {
  const auto answer = get(path);
  if (answer.status != 200)
    throw std::runtime_error(path + " gives " + std::to_string(answer.status) + " " + answer.body);
  return boost::json::parse(answer.body).at("data");
}

boost::json::array prometheus_server::instant(const std::string& expression) const {
  return ask("/api/v1/query?query=" + url_encoded(expression)).at("result").as_array();
}

std::vector<std::string> prometheus_server::query(const std::string& expression) const {
  std::vector<std::string> values;
  if (get("/-/ready").status != 200) return values;
  for (const auto& one : instant(expression))
    values.emplace_back(one.at("value").as_array().at(1).as_string());
  return values;
}

}  // namespace rollcall::test
