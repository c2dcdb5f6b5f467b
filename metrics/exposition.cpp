#include "metrics/exposition.hpp"

#include <prometheus/text_serializer.h>

namespace rollcall::metrics {

family::family(std::string name, std::string help, prometheus::MetricType type) {
  content_.name = std::move(name);
  content_.help = std::move(help);
  content_.type = type;
}

family family::gauge(std::string name, std::string help) {
  return {std::move(name), std::move(help), prometheus::MetricType::Gauge};
}

family family::counter(std::string name, std::string help) {
  return {std::move(name), std::move(help), prometheus::MetricType::Counter};
}

family family::histogram(std::string name, std::string help) {
  return {std::move(name), std::move(help), prometheus::MetricType::Histogram};
}

void family::add(std::span<const label> labels, double value) {
  auto& series = content_.metric.emplace_back();
  series.label.reserve(labels.size());
  for (const auto& [name, text] : labels) series.label.push_back({std::string(name), std::string(text)});
  if (content_.type == prometheus::MetricType::Counter) {
    series.counter.value = value;
  } else {
    series.gauge.value = value;
  }
}

void exposition::write(family finished) {
  if (finished.content_.metric.empty()) return;
  std::vector<prometheus::MetricFamily> one;
  one.push_back(std::move(finished.content_));
  prometheus::TextSerializer{}.Serialize(text_, one);
}

void exposition::gauge(std::string name, std::string help, double value) {
  auto one = family::gauge(std::move(name), std::move(help));
  one.add({}, value);
  write(std::move(one));
}

void exposition::counter(std::string name, std::string help, double value) {
  auto one = family::counter(std::move(name), std::move(help));
  one.add({}, value);
  write(std::move(one));
}

std::string exposition::take() && {
  return std::move(text_).str();
}

}  // namespace rollcall::metrics
