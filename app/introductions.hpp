// Nodes whose names no source knows: a source gives places (an address, perhaps a port) and a pattern; the
// port mapper there lists the first halves of names, and a handshake tells the whole name, proven by its ack.
// Only then is there a member. Until then it is an address.
//
//   place ---(port mapper: names the pattern takes; or a known port)---> start ---(handshake)---> name
//
// Of --local a place is a name that this machine's port mapper has, and goes with it.
//
// A start is one run of a node as far as it can be told from outside. A name stays with its place while the
// place is listed, so that a crash is a crash, until
//   - another name came there later;
//   - it is not registered any more, nor linked, and it passed by only (it was there for less than
//     `passes_by_within`, once) or said that it was stopping.
// A node that is dialled under a name and calls itself otherwise is asked again. Short names beside as many
// long ones are no members: those serve the others, such as the `epmd-starter-N` of RabbitMQ.
// Everything is asked beside the rounds: a dark address delays itself only.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "app/configuration.hpp"
#include "app/log.hpp"
#include "app/probes.hpp"
#include "cnode/epmd.hpp"
#include "discovery/roster.hpp"
#include "membership/facts.hpp"

namespace rollcall::app {

class introductions {
 public:
  struct surroundings {
    node_function node;
    cnode::resolve_function resolve;
    std::function<bool()> stopping;
    std::function<bool(const node_name&)> ignored;
    std::function<bool(const node_name&)> leaving;
    std::function<void(const node_name& place)> answered;  // a member told its name there
    std::function<void()> changed;                         // names() gives another answer
    std::uint16_t port_mapper_port;
  };
  introductions(asio::io_context&, const configuration&, log&, surroundings);
  // Longer than a command line's node lives, shorter than a start of an application that then crashes.
  static constexpr std::chrono::seconds passes_by_within{30};

  // The places listed now; asks those that are due, and waits for nothing. `owner` keeps this object alive.
  void look(const std::shared_ptr<void>& owner, std::vector<discovery::entry> places);
  // Where they are known to be, one entry a name.
  std::vector<discovery::entry> names() const;
  // A node was dialled at its place under `name`, and calls itself otherwise. True: it is asked again.
  bool mismatch(const std::shared_ptr<void>& owner, const node_name& name);
  // Something changed on our side, a cookie perhaps: the pauses of those that told no name are over.
  void try_again();
  // Whether there is a link to a node whose name was learned at the place that a source lists under this
  // name.
  bool linked_at(const node_name& place) const;
  // Every place was looked at once.
  bool settled() const;
  // Puts into the report of a source that gives places the names that are known, and the places without one.
  // Until those of the start were looked at, it counts as not asked: nobody is new then.
  void tell(membership::source_report&) const;

 private:
  struct start {
    std::optional<node_name> name;  // proven
    std::uint64_t learned = 0;      // order
    bool listed = true;             // by the port mapper, at the last look
    bool refused = false;           // it is no member: hidden, ignored, of another name than is meant
    bool stays = false;             // it did not only pass by
    std::chrono::steady_clock::time_point since{};  // first seen
    std::optional<std::uint16_t> port;
    membership::reason why = membership::reason::none;
    std::string detail;
    std::chrono::steady_clock::time_point due{};
    unsigned failures = 0;
  };
  // By what tells starts apart: the half name in the port mapper; empty where the port is known beforehand.
  using starts = std::map<std::string, start>;
  struct place {
    explicit place(discovery::entry e) : where(std::move(e)) {}
    discovery::entry where;
    std::vector<asio::ip::address> addresses;  // `where` has one, or they are its host's
    asio::ip::address mapper;                  // whose port mapper answered last
    starts found;
    bool looking = false, looked = false;
    std::set<std::string> asking;  // starts that are being asked right now
    bool from_the_start = false;   // of ours: who is there then may have been there for long
    membership::reason why = membership::reason::none;  // why there are no starts
    std::string detail;
    std::chrono::steady_clock::time_point due{};
    unsigned failures = 0;
    std::set<std::string> passed_by;  // half names: one that comes back is no passer-by
  };
  using place_pointer = std::shared_ptr<place>;
  using key = std::tuple<std::string, std::string, std::uint16_t>;  // host, pattern, port
  static key key_of(const discovery::entry&);

  void spawn(const std::shared_ptr<void>& owner, const place_pointer&);
  asio::awaitable<void> look_at(std::shared_ptr<void> owner, place_pointer);
  void looked_at(place&);
  asio::awaitable<bool> list(place&);
  asio::awaitable<cnode::result<std::vector<cnode::epmd::name_entry>>> ask_mapper(place&);
  void registered(place&, const std::vector<cnode::epmd::name_entry>&);
  bool makes_way(place&, const std::string& alive, const start&) const;
  using patterns = std::set<std::string>;
  patterns without_short_names() const;
  static bool stray(const patterns&, const place&, const start&);
  asio::awaitable<void> ask(place_pointer, std::string alive);
  std::optional<cnode::peer> twin(const std::string& alive, std::optional<std::uint16_t> port) const;
  bool placed(const node_name&) const;
  enum class whose { theirs, asked_for };  // a link: it was there before, or was made to hear the name
  void learn(place&, const std::string& alive, const cnode::peer&, whose);
  std::optional<cnode::peer> hidden(const std::string& half) const;
  void failed(place&, const std::string& alive, const cnode::failure&);
  std::map<node_name, place_pointer> named() const;
  std::vector<std::pair<membership::unnamed_node, place_pointer>> unnamed() const;
  milliseconds pause_after(unsigned failures) const;
  std::optional<std::uint16_t> known_port(const place&) const;
  static std::string half_name(const place&, const std::string& alive);
  static void run_at(start&, std::uint16_t port);

  asio::io_context& io_;
  const configuration& configuration_;
  log& log_;
  surroundings around_;
  std::map<key, place_pointer> places_;
  bool started_ = false, begun_ = false;  // places were listed; those of then were looked at
  std::uint64_t order_ = 0;
};

}  // namespace rollcall::app
