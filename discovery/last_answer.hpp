// What one source said: the last good answer, how often it has said "nothing" since, and the sentences for
// the log. Pure. An error never takes an entry away; "nothing" does only when it is said
// empty_rounds_to_believe times in a row, and not by a cache alone while somebody is linked.
#pragma once

#include <map>
#include <set>

#include "discovery/roster.hpp"

namespace rollcall::discovery {

class last_answer {
 public:
  // `linger`: how long an entry stays after the last answer that had it. `linked`: see roster::options.
  explicit last_answer(std::string label, std::chrono::milliseconds linger = {},
                       std::function<bool(const node_name&)> linked = {});

  // Of what a partial answer leaves out, who is not linked either goes after this long.
  static constexpr std::chrono::minutes partial_keeps{10};
  // A TTL of "nothing" that is longer is a mistake: nothing waits for it.
  static constexpr std::chrono::minutes longest_denial{5};

  void hear(heard, std::chrono::system_clock::time_point now, std::vector<std::string>& changes);

  // The same answer, under names that were learned since.
  void revise(std::vector<entry>, std::vector<std::string>& changes);

  const source_status& status() const noexcept { return status_; }
  const std::vector<entry>& entries() const noexcept { return entries_; }
  // True when "nothing" was said often enough to be the truth.
  bool believed_empty() const noexcept { return believed_empty_; }

 private:
  void hear_answer(heard, std::chrono::system_clock::time_point now, std::vector<std::string>& changes);
  void keep_absent(heard&, std::chrono::system_clock::time_point now);
  std::string differences(const std::vector<node_name>& before, std::vector<std::string>& changes) const;
  void hear_nothing(const heard&, std::chrono::system_clock::time_point now,
                    std::vector<std::string>& changes);
  bool anybody_linked() const;
  void doubt_no_more();
  void hear_failure(const heard&, std::vector<std::string>& changes);
  void keep(std::vector<entry>);

  source_status status_;
  std::vector<entry> entries_;
  std::chrono::milliseconds linger_;
  std::function<bool(const node_name&)> linked_;
  std::map<node_name, std::chrono::system_clock::time_point> seen_;  // in an answer, last
  int empty_rounds_ = 0;
  bool believed_empty_ = false;
  std::chrono::system_clock::time_point cached_until_;  // so long may a cache repeat what it knew before
  std::set<query_outcome> said_;                        // what was logged since the last answer
  std::set<std::string> remarks_;
};

// Every entry once per node, sorted by name. Names that differ in case of the host or a final dot are one
// node; the first is kept, and of how to reach it the first that knows an address or a port.
std::vector<entry> unite(std::vector<entry> all);

// "3 nodes", "1 node", "no nodes".
std::string count_of_nodes(std::size_t);

}  // namespace rollcall::discovery
