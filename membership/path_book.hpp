// What probes of paths (a TCP connection from one node to the distribution port of another, or to its port
// mapper, or a whole handshake) have found, and which are under way. Planner and prober ask for them here, so
// that nobody asks twice.
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <optional>
#include <unordered_map>

#include "membership/facts.hpp"
#include "membership/member_table.hpp"
#include "membership/partners.hpp"

namespace rollcall::membership {

class path_book {
 public:
  static constexpr std::size_t max_under_way = 4'000;
  static constexpr std::size_t max_under_way_of_one = 256;  // asked of one node
  // A probe that ends without an answer (the asked node has no port or descriptor left, or does not answer
  // us) is made again after a second, two, four, up to a minute: nothing is learnt sooner by asking more
  // often. An asked node that has said a word since is asked again after a second: about a probe, or about
  // anything, in the time of a probe, where it was only too late with this one.
  static constexpr milliseconds first_mute{1'000}, longest_mute{60'000};

  struct finding {
    path_probe result = path_probe::no_word;
    steady_time asked_at{}, answered_at{};
    steady_time dark_since{};  // not reachable: when the first of those in a row was asked
  };

  // The last one from `on` to `to` that said anything; nullopt when there was none.
  std::optional<finding> last(const member_record& on, const member_record& to,
                              probed_port = probed_port::distribution) const;
  bool under_way(const member_record& on, const member_record& to,
                 probed_port = probed_port::distribution) const;
  std::size_t under_way() const noexcept { return requests_.size(); }
  // The last one ended without an answer.
  bool said_nothing(const member_record& on, const member_record& to, probed_port) const;
  // And that was said at once: it does not carry out such a probe.
  bool declined(const member_record& on, const member_record& to, probed_port) const;
  // Until when it is not asked again, since it said nothing; absent or in the past when it is not paused.
  std::optional<steady_time> mute_until(const member_record& on, const member_record& to) const;
  // Asks, unless one is under way, or it is paused, or too many are: then false, and it is to be tried again.
  bool ask(const member_record& on, const member_record& to, milliseconds limit, steady_time now,
           std::vector<any_action>&, probed_port = probed_port::distribution);
  // False when it is none of ours.
  bool answered(const fact::path_probed&, steady_time now);
  // A new creation, or gone.
  void forget(const member_record&);
  // Drops what is older than `keep`; once a round.
  void sweep(steady_time now, milliseconds keep);

 private:
  // The port in the highest two bits (ids stay below them), on << 32, to.
  using key = std::uint64_t;
  static key key_of(const member_record& on, const member_record& to, probed_port port) {
    return key_of(on.id, to.id, port);
  }
  static key key_of(std::uint32_t on, std::uint32_t to, probed_port port) {
    return static_cast<key>(port) << 62U | key{on} << 32U | to;
  }
  static std::uint32_t on_of(key k) { return static_cast<std::uint32_t>(k >> 32U & 0x3fffffffU); }
  static std::uint32_t to_of(key k) { return static_cast<std::uint32_t>(k & 0xffffffffU); }
  struct entry {
    finding found;
    steady_time asked_at;
    milliseconds limit{0};
    unsigned no_words = 0;  // in a row
    bool known = false, under_way = false;
    std::optional<steady_time> mute_until;
    std::optional<steady_time> too_late;  // given up then, without an answer
  };

  request_id next_ = 1;
  // Tens of thousands, all of them swept each round: in one piece of memory.
  boost::unordered_flat_map<request_id, key> requests_;
  boost::unordered_flat_map<key, entry> entries_;
  partners noted_;
  struct looked_up {
    key of = 0;  // ids begin with 1
    const entry* is = nullptr;
  };
  mutable std::array<looked_up, 2> found_;  // last, in each direction
  const entry* find(key) const;
  std::unordered_map<std::uint32_t, std::size_t> asked_of_;
  std::optional<steady_time> mute_until(const entry&, const member_record& on) const;
  std::unordered_map<std::uint32_t, steady_time>
      last_word_;  // when its last probe that said anything was asked
};

}  // namespace rollcall::membership
