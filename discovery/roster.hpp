// Who should be here: every source asked at once, the last good answer of each kept, their union given out.
#pragma once

#include "discovery/source.hpp"

namespace rollcall::discovery {

// What a reader is shown of a source.
struct source_status {
  std::string source;                         // its label
  query_outcome outcome = query_outcome::ok;  // of the last query
  std::string detail;                         // why it failed, empty otherwise
  bool asked = false;                         // false until the first query ended
  std::size_t records = 0;                    // nodes in the last good answer, --ignore applied
  std::optional<std::chrono::system_clock::time_point>
      last_success;                           // the last `ok`, `empty` or believed `nxdomain`
  std::vector<node_name> nodes;               // of the last good answer
  std::optional<std::chrono::seconds> ttl{};  // what the last answer says of itself
};

struct round {
  std::vector<source_status> sources;  // in configured order
  std::vector<entry> entries;          // the union, sorted by name, one per node, --ignore applied
  std::vector<std::size_t> queried;    // indices into sources: one query each was counted this round
  std::vector<std::string> changes;    // sentences for the log: what is new since the last round, each once
  std::optional<std::chrono::seconds> fresh_for{};  // the shortest of the sources' TTLs
};

class roster {
 public:
  struct options {
    std::vector<source_options> sources;
    std::vector<std::string> ignore;      // globs on the whole node name: * and ?
    bool srv_port = false;                // --peer-port=srv
    std::chrono::milliseconds linger{0};  // --linger
    // Whether there is a link to that node: it is not taken for gone while an answer is partial.
    std::function<bool(const node_name&)> linked{};
    std::optional<api_server> kubernetes{};        // of --kubernetes
    address_family family = address_family::both;  // of which its addresses are
    std::function<void()> news{};                  // review() has something new
  };
  roster(asio::io_context&, const options&, resolver&, const local_names_function&);
  ~roster();

  // Asks every source at once and waits for all (the resolver's timeout bounds it). Never throws for what the
  // network does. An error keeps the source's last good answer; so does NXDOMAIN or an empty answer after a
  // non-empty one, unless it is given `empty_rounds_to_believe` times in a row by a server that answers, and
  // for longer than its TTL while somebody is linked.
  asio::awaitable<round> refresh();
  static constexpr int empty_rounds_to_believe = 3;

  // A node that is listed under the first name told another one in its handshake. True: it is the same node,
  // which spells its host otherwise (case, a final dot, without the search list's domain), and review() has
  // it under its own spelling.
  bool learned(const node_name& listed, const node_name& real);
  // A listed node was linked. True: review() may give other entries than before.
  bool linked(const node_name&);
  // The last answers, with what was learned since, and what sources were told without being asked.
  round review();
  // Of all --kubernetes together; none: there is no such source.
  std::optional<watch_figures> figures() const;

 private:
  struct implementation;
  std::unique_ptr<implementation> implementation_;
};

// True when `text` matches the glob (`*`, `?`, everything else literally).
bool glob_matches(std::string_view pattern, std::string_view text) noexcept;

}  // namespace rollcall::discovery
