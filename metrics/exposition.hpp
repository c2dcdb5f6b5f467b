// Text exposition, one family at a time: each is built, serialised and dropped, so that a scrape of a
// thousand members never holds all of its families at once. Format: Prometheus text exposition 0.0.4.
#pragma once

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>

#include <initializer_list>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rollcall::metrics {

using label = std::pair<std::string_view, std::string_view>;

// One family under construction. A family without a single series is not written.
class family {
 public:
  static family gauge(std::string name, std::string help);
  static family counter(std::string name, std::string help);
  static family histogram(std::string name, std::string help);

  void add(std::initializer_list<label> labels, double value) { add(std::span(labels), value); }
  void add(std::span<const label> labels, double value);
  void add(prometheus::ClientMetric collected) { content_.metric.push_back(std::move(collected)); }
  void expect(std::size_t series) { content_.metric.reserve(series); }

 private:
  friend class exposition;
  family(std::string name, std::string help, prometheus::MetricType type);
  prometheus::MetricFamily content_;
};

class exposition {
 public:
  void write(family finished);
  // For families of one series.
  void gauge(std::string name, std::string help, double value);
  void counter(std::string name, std::string help, double value);
  std::string take() &&;

 private:
  std::ostringstream text_;
};

}  // namespace rollcall::metrics
