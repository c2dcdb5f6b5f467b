// The EndpointSlices of one service as the API server writes them (discovery.k8s.io/v1), read with bounds: a
// list, a line of a watch, the Status of an error. Pure.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::discovery {

// The largest answers: 10,000 endpoints in a list (about 265 bytes each on the wire), 1,000 in a slice.
inline constexpr std::size_t max_list_bytes = 16U << 20, max_watch_line_bytes = 2U << 20;
inline constexpr std::size_t max_endpoints = 16'384, max_slices = 4'096, max_slice_endpoints = 1'000;

struct endpoint {
  boost::asio::ip::address address;
  std::string uid;       // of the pod: with the family of its address, what makes it one endpoint
  std::string hostname;  // empty: the DNS name is the address with dashes
  std::string pod, machine, zone;
  bool ready = true;    // as DNS sees it: serving and staying, or the service publishes who is not ready
  bool serving = true;  // the pod is Ready
  bool terminating = false;
  friend bool operator==(const endpoint&, const endpoint&) = default;
};

struct endpoint_slice {
  std::string name;
  std::vector<endpoint> endpoints;
};

// A Status object: why a request failed, in the server's words.
struct api_status {
  unsigned code = 0;
  std::string reason, message;  // printable, cut
};

struct slice_list {
  std::string version;  // opaque
  std::vector<endpoint_slice> slices;
};

struct watch_line {
  enum class kind { changed, deleted, bookmark, error };
  kind what = kind::error;
  std::string version;   // of the object: from here the next watch goes on
  endpoint_slice slice;  // of changed, and by name alone of deleted
  api_status status;     // of error
};

// `problem`: why nothing was read.
std::optional<slice_list> read_list(std::string_view text, std::string& problem);
std::optional<watch_line> read_watch_line(std::string_view text, std::string& problem);
// What a failed request says; a body that is no Status is its message, cut.
api_status read_status(std::string_view text);

// What DNS calls it: hostname, or the address with dashes, under the service.
std::string dns_host_of(const endpoint&, std::string_view service_domain);

}  // namespace rollcall::discovery
