// What an operator may set, as far as the core is concerned: every span and switch of a cluster's life.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "membership/facts.hpp"

namespace rollcall::membership {

// --heal: what is done about missing links. `plan` tells what it would ask, and asks nothing.
enum class heal_mode { automatic, off, all, plan };

struct settings {
  milliseconds interval{5'000};  // one round: views asked, missing members dialled
  heal_mode heal = heal_mode::automatic;
  std::size_t expect = 0;                   // --expect; 0: discovery knows
  milliseconds suspect_after_loss{15'000};  // less than this since the loss is suspect, not down
  milliseconds left_within{30'000};         // closed and delisted within this is `left`, not a failure
  milliseconds linger{0};                   // --linger: listed for so much longer than answers have it
  milliseconds reap_after{86'400'000};      // `left` members are forgotten
  milliseconds discovery_stale_after{60'000};
  milliseconds formation_settle{
      300};  // nodes without a visible link wait this long for more of them to be linked
  milliseconds cookie_retry{300'000};      // a refused cookie is tried again no sooner
  bool watch = false;                      // --views=push: nodes report changes by themselves
  bool probe = false;                      // links and paths are probed
  milliseconds probe_limit{1'000};         // of one link or path probe
  milliseconds introduce_timeout{30'000};  // a new node waits this long to be reachable for everyone
  std::optional<milliseconds>
      prune_after{};        // unlisted, unhealthy nodes are taken out of the mesh after this
  bool prune_live = false;  // healthy ones too
  std::uint64_t seed = 1;
  std::size_t max_events = 256;
};

}  // namespace rollcall::membership
