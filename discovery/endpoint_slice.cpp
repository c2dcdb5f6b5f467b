#include "discovery/endpoint_slice.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "discovery/json_bounds.hpp"

namespace rollcall::discovery {
namespace {

namespace json = boost::json;

// An endpoint has about 15 values, and metadata of a slice about 60.
constexpr json_bounds list_bounds{.max_bytes = max_list_bytes, .max_values = 1'000'000};
constexpr json_bounds line_bounds{.max_bytes = max_watch_line_bytes, .max_values = 100'000};
constexpr json_bounds status_bounds{.max_bytes = 64U << 10, .max_values = 1'000};
// Names of objects and labels (RFC 1123) are shorter; a version is opaque.
constexpr std::size_t max_name = 253, max_version = 128, max_message = 300;

std::string name_in(const json::value& of, std::string_view key) {
  const auto text = text_of(of, key);
  return text.size() > max_name ? std::string() : std::string(text);
}

std::string shown_text(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, max_message)) shown += c >= ' ' && c <= '~' ? c : ' ';
  while (shown.ends_with(' ')) shown.pop_back();
  return shown;
}

std::string version_in(const json::value& of) {
  const auto* metadata = member_of(of, "metadata");
  const auto text = metadata == nullptr ? std::string_view() : text_of(*metadata, "resourceVersion");
  const auto plain = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-'; };
  return text.size() <= max_version && std::ranges::all_of(text, plain) ? std::string(text) : std::string();
}

std::optional<endpoint> read_endpoint(const json::value& of) {
  const auto* addresses = array_of(of, "addresses");
  if (addresses == nullptr || addresses->empty() || !addresses->front().is_string()) return {};
  boost::system::error_code code;
  endpoint one;
  one.address = boost::asio::ip::make_address(std::string(addresses->front().get_string()), code);
  if (code) return {};
  if (const auto* conditions = member_of(of, "conditions")) {
    one.ready = flag_of(*conditions, "ready", true);
    one.terminating = flag_of(*conditions, "terminating", false);
    one.serving = flag_of(*conditions, "serving", one.ready);
  }
  one.hostname = name_in(of, "hostname");
  one.machine = name_in(of, "nodeName");
  one.zone = name_in(of, "zone");
  if (const auto* target = member_of(of, "targetRef")) {
    if (text_of(*target, "kind") == "Pod") one.pod = name_in(*target, "name");
    one.uid = name_in(*target, "uid");
  }
  return one;
}

std::optional<endpoint_slice> read_slice(const json::value& of) {
  const auto* metadata = member_of(of, "metadata");
  if (metadata == nullptr) return {};
  endpoint_slice slice{name_in(*metadata, "name"), {}};
  if (slice.name.empty()) return {};
  const auto* endpoints = array_of(of, "endpoints");
  if (endpoints == nullptr || text_of(of, "addressType") == "FQDN") return slice;
  for (const auto& each : *endpoints) {
    if (slice.endpoints.size() >= max_slice_endpoints) break;
    if (auto one = read_endpoint(each)) slice.endpoints.push_back(std::move(*one));
  }
  return slice;
}

api_status status_in(const json::value& of) {
  api_status status;
  if (const auto* code = member_of(of, "code"); code != nullptr && code->is_int64()) {
    const auto value = code->get_int64();
    if (value >= 100 && value < 600) status.code = static_cast<unsigned>(value);
  }
  status.reason = shown_text(text_of(of, "reason"));
  status.message = shown_text(text_of(of, "message"));
  return status;
}

}  // namespace

std::optional<slice_list> read_list(std::string_view text, std::string& problem) {
  const auto value = parse_within(text, list_bounds, problem);
  if (!problem.empty()) return {};
  slice_list list{version_in(value), {}};
  const auto* items = member_of(value, "items");
  if (list.version.empty() || items == nullptr || (!items->is_array() && !items->is_null())) {
    problem = "it is no list of objects with a version";
    return {};
  }
  std::size_t endpoints = 0;
  if (items->is_null()) return list;
  for (const auto& each : items->get_array()) {
    auto slice = read_slice(each);
    if (!slice) continue;
    endpoints += slice->endpoints.size();
    if (list.slices.size() >= max_slices || endpoints > max_endpoints) {
      problem = fmt::format("it has more than {} slices or {} endpoints", max_slices, max_endpoints);
      return {};
    }
    list.slices.push_back(std::move(*slice));
  }
  return list;
}

std::optional<watch_line> read_watch_line(std::string_view text, std::string& problem) {
  const auto value = parse_within(text, line_bounds, problem);
  if (!problem.empty()) return {};
  const auto type = text_of(value, "type");
  const auto* object = member_of(value, "object");
  if (object == nullptr || !object->is_object()) {
    problem = "it has no object";
    return {};
  }
  watch_line line;
  if (type == "ERROR") {
    line.status = status_in(*object);
    return line;
  }
  line.version = version_in(*object);
  if (line.version.empty()) {
    problem = "its object has no version";
    return {};
  }
  if (type == "BOOKMARK") {
    line.what = watch_line::kind::bookmark;
    return line;
  }
  if (type != "ADDED" && type != "MODIFIED" && type != "DELETED") {
    problem = "its type is not known";
    return {};
  }
  line.what = type == "DELETED" ? watch_line::kind::deleted : watch_line::kind::changed;
  auto slice = read_slice(*object);
  if (!slice) {
    problem = "its object has no name";
    return {};
  }
  line.slice = std::move(*slice);
  return line;
}

api_status read_status(std::string_view text) {
  std::string problem;
  const auto value = parse_within(text, status_bounds, problem);
  if (problem.empty() && text_of(value, "kind") == "Status") return status_in(value);
  return {0, {}, shown_text(text)};
}

std::string dns_host_of(const endpoint& one, std::string_view service_domain) {
  auto label = one.hostname;
  if (label.empty()) {
    label = one.address.to_string();
    std::ranges::replace(label, '.', '-');
    std::ranges::replace(label, ':', '-');
  }
  return fmt::format("{}.{}", label, service_domain);
}

}  // namespace rollcall::discovery
