// BEAM nodes and the links between them, as far as a mesh is made by them: `global` that passes acquaintances
// on, nodes that prevent overlapping partitions (POP), ticks, net_setuptime, attempts that hang or are
// refused, half-open links, creations. What each rule is measured on stands in README.md beside this file.
#pragma once

#include <array>
#include <string>

#include "test/simulation/network.hpp"
#include "test/simulation/timeline.hpp"

namespace rollcall::simulation {

struct kernel_settings {
  bool prevent_overlapping = true, connect_all = true, auto_connect = true;
  milliseconds ticktime{60'000}, setuptime{7'000};
  int release = 25;
  milliseconds global_takes{150};  // at most, to pass on an acquaintance
  fault_id by = no_fault;          // what made them other than those of its peers
};

// Why something happened, in the end.
struct cause {
  enum class root : std::uint8_t { fault, ours } from = root::fault;
  bool forming = false;  // ours: neither of the two had ever been linked to anybody
  static cause fault() { return {}; }
  static cause ours() { return {root::ours}; }
};

enum class fate { links, fails_at_once, hangs };
struct prospect {
  fate what = fate::links;
  fault_id by = no_fault;
  std::optional<obstacle> because{};
};

class beam_mesh {
 public:
  struct node {
    kernel_settings kernel;
    bool running = false, frozen = false;
    bool stopping = false;     // its applications do; it links like any other until
    bool closing = false;      // its kernel does, at last
    bool lost = false;         // with its machine: nothing answers in its place
    bool ever_linked = false;  // since it booted
    std::uint32_t creation = 0;
    std::uint32_t boots = 0;
    milliseconds slow{0};  // added to whatever it answers
    fault_id slow_by = no_fault, frozen_by = no_fault, gone_by = no_fault;
  };
  struct loss {
    place on, of;
    const char* why;
    cause because;
    milliseconds born;  // of the link
    bool was_mutual;
  };
  // Told of each change of a view, after it happened.
  struct listener {
    virtual ~listener() = default;
    virtual void gained(place on, place peer) = 0;
    virtual void lost(const loss&) = 0;
    virtual void bit(fault_id) = 0;  // a fault stood in somebody's way
  };

  beam_mesh(timeline&, network&, listener&, std::size_t most_nodes);

  place add(kernel_settings);
  std::size_t size() const noexcept { return nodes_.size(); }
  node& operator[](place i) { return nodes_[i]; }
  const node& operator[](place i) const { return nodes_[i]; }
  bool present(place i) const { return nodes_[i].running && !nodes_[i].frozen; }

  void boot(place);
  void die(place, bool with_its_machine, fault_id);
  void freeze(place, fault_id);
  void thaw(place);
  // net_kernel:connect_node(to) on `on`, which is present. `done` is called once.
  void connect(place on, place to, cause, std::function<void(bool)> done);
  void disconnect(place on, place of);  // erlang:disconnect_node/1
  void leave(place);                    // global:disconnect/0
  void mesh_all();                      // as if it had always been whole
  // What stands between the two has changed.
  void path_changed(place a, place b);

  bool sees(place a, place b) const { return (rows_[a][b / 64] >> (b % 64) & 1U) != 0; }
  bool linked(place a, place b) const {
    return sees(a, b) && sees(b, a) && end(a, b).generation == end(b, a).generation;
  }
  // Its end of the link hears what the other one sends.
  bool hears(place a, place b) const;
  std::size_t degree(place) const;
  template <class Visitor>
  void each_peer(place a, Visitor&& visit) const {
    for (std::size_t i = 0; i < words_; ++i) {
      for (auto bits = rows_[a][i]; bits != 0; bits &= bits - 1) {
        visit(static_cast<place>(i * 64 + static_cast<std::size_t>(__builtin_ctzll(bits))));
      }
    }
  }
  prospect look(place on, place to) const;
  // Whether a link between the two could be made, from either side, and would stay.
  bool sound(place a, place b) const;
  // Components of mutual links among running nodes, largest first.
  std::vector<std::vector<place>> groups() const;
  // No end is deaf, stalled, or without its other end.
  bool settled() const;
  std::uint64_t nodedowns() const noexcept { return nodedowns_; }

 private:
  struct link_end {
    std::uint32_t generation = 0;  // of the link, the same at both ends; 0: none
    std::uint32_t deafness = 0;    // counts the silences of this end; odd: it is deaf now
    bool stalled = false;          // a packet that cannot pass is sent again and again
  };
  struct link {
    milliseconds born;
    cause because;
  };

  using bit_rows = std::vector<std::vector<std::uint64_t>>;
  static void mark(bit_rows& rows, place a, place b, bool set) {
    const auto bit = std::uint64_t{1} << (b % 64);
    set ? rows[a][b / 64] |= bit : rows[a][b / 64] &= ~bit;
  }
  static bool marked(const bit_rows& rows, place a, place b) {
    return (rows[a][b / 64] >> (b % 64) & 1U) != 0;
  }
  link_end& end(place a, place b) { return ends_[a * most_ + b]; }
  const link_end& end(place a, place b) const { return ends_[a * most_ + b]; }
  milliseconds latency(place a, place b);
  void join(place a, place b, cause);
  void forsaken(place a, place b);  // it believes in a link that the other end does not know any more
  void listen(place a, place b);    // looks whether an end is deaf, and starts its tick
  void lose(place on, place of, const char* why, cause, bool announce);
  void announce(place by, place lost, cause);
  void tell_loss(place by, place gone, const std::vector<std::uint64_t>& told, cause);
  void told_of_loss(place by, place third, place gone, cause);
  void meet(place a, place b, std::uint32_t generation, cause);
  void exchange(place a, place b, cause);
  void introduce(place on, place to, cause);
  void dial(place on, place to, cause);
  void dialled(place on, place to, bool links, cause);
  bool dials(place on, place to) const { return marked(dialling_, on, to); }
  bool removes(place on, place of) const { return marked(removing_, on, of); }
  bool knows(place on, place of) const { return marked(known_, on, of); }
  // Known, or about to be.
  bool minds(place on, place of) const { return knows(on, of) || marked(meeting_, on, of); }
  void forget(place on, place of) {
    mark(known_, on, of, false);
    mark(meeting_, on, of, false);
  }
  void wear(place a, place b);  // what traffic does to a new or doubtful link
  void stall(place a, place b, std::uint32_t generation);
  cause cause_of_loss(std::uint32_t generation) const;

  timeline& time_;
  network& net_;
  listener& tell_;
  std::size_t most_, words_;
  std::vector<node> nodes_;
  bit_rows rows_, dialling_;
  bit_rows known_, meeting_;  // to `global`: exchanged or named; linked, and not exchanged yet
  bit_rows removing_;         // dropped by `global`, and not closed yet
  std::vector<link_end> ends_;
  std::vector<link> links_;  // by generation
  std::uint64_t nodedowns_ = 0;
};

}  // namespace rollcall::simulation
