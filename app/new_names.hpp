// Whether a node that is new can be found by its name, wherever its name is looked up. Of several name
// servers behind one address some may not know it yet: a dial that asks one of those fails, and one that
// fails makes `global` drop the new node everywhere. So a name is looked up several times in a row, on the
// nodes that are about to dial it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/probes.hpp"
#include "membership/facts.hpp"

namespace rollcall::app {

class new_names {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using clock_function = std::function<time_point()>;
  static constexpr unsigned enough = 8;        // of two name servers, chance asks only the one that knows it
  static constexpr milliseconds pause{2'000};  // after an answer that was not the same

  explicit new_names(call_function call, clock_function now = std::chrono::steady_clock::now)
      : call_(std::move(call)), now_(std::move(now)) {}

  // A node that is linked; one of another creation is new.
  void seen(const node_name&, std::uint32_t creation);
  // `whose` host is looked up on `on`, until it is known there, for `limit`. `reachable`: it is known, or
  // nobody asks any more, since it is not new (for longer than `patience`); `no_word`: not known in time.
  asio::awaitable<membership::path_probe> look_up(node_name on, node_name whose, bool ipv6,
                                                  milliseconds patience, milliseconds limit);

 private:
  struct entry {
    std::uint32_t creation;
    time_point since;
    unsigned alike = 0;  // answers
    std::vector<std::string> addresses{};
    std::optional<time_point> failed_at{};
  };
  static constexpr std::size_t max_entries = 10'000;
  bool taken(entry&, const cnode::term& answer) const;

  call_function call_;
  clock_function now_;
  std::map<node_name, entry> entries_;
};

}  // namespace rollcall::app
