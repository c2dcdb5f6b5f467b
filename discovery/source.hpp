// One place that says who should be here, asked once a round: what it is configured as, what it answers, and
// the interface behind which each kind lives (srv, dns, static_nodes, local).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "discovery/resolver.hpp"
#include "discovery/slice_watch.hpp"
#include "node_name/node_name.hpp"

namespace rollcall::discovery {

struct srv_source {
  std::string alive, domain;
};  // --srv alive@domain
struct dns_source {
  std::string alive, domain;
};  // --dns alive@domain
struct static_source {
  std::vector<node_name> nodes;
};                       // every --node together
struct local_source {};  // --local
struct kubernetes_source {
  std::string alive, service, name_space;  // --kubernetes alive@service[.name_space]
};
using source_options = std::variant<srv_source, dns_source, static_source, local_source, kubernetes_source>;

// As it was configured: "srv:app@svc.ns", "dns:...", "node", "local", "kubernetes:...": the label `source`.
std::string label(const source_options&);

struct local_entry {
  std::string alive;
  std::uint16_t port;
};
// Asks this machine's port mapper for its names. Given by the app (discovery knows nothing of cnode). No port
// mapper is `boost::asio::error::connection_refused`: nobody is registered, which is an empty answer and no
// failure.
using local_names_function =
    std::function<asio::awaitable<boost::system::result<std::vector<local_entry>>>()>;

// What Kubernetes says of the pod in which a node runs.
struct placement {
  std::string pod, name_space, uid;
  std::string machine, zone;  // empty: not known
  bool leaving = false;       // it is terminating: no failure, however long it takes
  friend bool operator==(const placement&, const placement&) = default;
};

// One node to be dialled.
struct entry {
  node_name name;
  std::string host;                          // to resolve, when `address` is absent
  std::optional<asio::ip::address> address;  // of --dns and --local
  std::optional<std::uint16_t> port;         // of --local, or of the SRV record when --peer-port=srv
  // Not empty: only where a node may be is known, and which names are meant (a pattern for the part before
  // the
  // '@', or that part itself); `name` is a place_name() then, and nobody's.
  std::string pattern{};
  bool learned = false;                  // the name came from a handshake at a place with a pattern
  std::optional<node_name> listed_as{};  // what the source calls it, where the node itself says otherwise
  std::optional<placement> placed{};     // of --kubernetes
  friend bool operator==(const entry&, const entry&) = default;
};

// True when BASE of a source is a pattern: the source knows addresses, and the nodes their names.
inline bool is_pattern(std::string_view alive) {
  return alive.find_first_of("*?") != std::string_view::npos;
}
// Stands where a name would, for a place whose node is not known: an underscore and the host, or what else
// tells the place apart.
boost::system::result<node_name> place_name(std::string_view host);
inline constexpr std::string_view place_alive = "_";
// For people: the name, or what a place goes by.
std::string shown(const node_name&);

// What a source says once.
struct heard {
  query_outcome outcome = query_outcome::ok;
  std::vector<entry> entries;  // empty unless `ok` or `partial`
  std::string detail;          // why, empty when `ok`
  // Of a partial answer: whose records are missing, so that nobody of them is gone because of it.
  std::optional<address_family> unanswered{};
  std::optional<std::chrono::seconds> ttl{};
  std::vector<std::string> remarks;  // what is wrong with single records; each is said once while it stays so
};

class source {
 public:
  source() = default;
  virtual ~source() = default;
  source(const source&) = delete;
  source& operator=(const source&) = delete;

  // Never throws for what the network does; the resolver's timeout bounds it.
  virtual asio::awaitable<heard> ask() = 0;
  // What it would answer now, of one that is told of changes by itself; nothing while it knows nothing new
  // for certain.
  virtual std::optional<heard> news() { return std::nullopt; }
  virtual const watch_figures* figures() const { return nullptr; }
  // False: it knows by itself, and no query is counted.
  virtual bool asks() const { return true; }
  // "Nothing" was said often enough to be believed: what was remembered of earlier answers is forgotten.
  virtual void believed_empty() {}
  // A node of its entries was linked. True: keeps() may say something else from now on.
  virtual bool linked(const entry&) { return false; }
  // False: known not to be a member, whatever the answer says. `all`: what is listed beside it.
  virtual bool keeps(const entry&, const std::vector<entry>& /*all*/) const { return true; }
};

std::unique_ptr<source> make_srv_source(srv_source, bool use_port, resolver&);
std::unique_ptr<source> make_dns_source(dns_source, resolver&);
std::unique_ptr<source> make_static_source(const static_source&);
// `name_server`: for a server that has a name. `changed`: news() has something.
std::unique_ptr<source> make_kubernetes_source(asio::io_context&, kubernetes_source, const api_server&,
                                               address_family, resolver& name_server,
                                               std::function<void()> changed);
std::unique_ptr<source> make_local_source(local_names_function);

// The sentence about a record that makes no node name.
std::string not_a_name(std::string_view alive, std::string_view host, const boost::system::error_code&);

}  // namespace rollcall::discovery
