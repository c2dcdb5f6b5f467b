// A model of BEAM nodes that prevent overlapping partitions, and of the network between them, in virtual
// time; and membership run against it. One seed and one script are one history.
//
// What is modelled, with where it was measured (docs/membership.md, "How it is tested"): a view per node;
// links that go dark and are noticed by each end after its own tick time; half-open links; `global` that
// joins whole groups once one pair connects; a node that loses another tells everybody, and they drop the one
// it lost; attempts over dark paths that hang, and end in such a loss; frozen nodes; crashes, stops in order,
// restarts; names that resolve late; DNS away; the observer cut off, or restarted.
#pragma once

#include <functional>
#include <map>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "membership/cluster.hpp"

namespace rollcall::simulation {

using membership::milliseconds;

enum class script {
  pair,        // one pair goes dark
  halves,      // two groups
  alone,       // one node
  three_way,   // three groups
  flapping,    // one pair, again and again
  late_names,  // a new node that some cannot resolve for a while
  barred,      // a new node that one member can never reach
  benign,      // deploys, drains, restarts, short freezes, DNS away, lost machines, our own restarts
  observer,    // we are cut from half of them, or from all
  everything,  // all of it at random
};
inline constexpr int script_count = 10;
const char* to_string(script);

enum class flaw {
  none,
  connects_whatever_is_missing,  // every interval, whatever prevents overlapping partitions makes of it
  skips_quarantine,              // pairs in quarantine are asked for without a probe
  opens_for_every_loss,          // tells its own losses of restarting nodes late: see mesh_test.cpp
};

class mesh {
 public:
  static constexpr int settle_intervals = 30;

  mesh(std::uint64_t seed, script, flaw);
  // The first broken rule, or empty.
  std::string run();
  std::string diary() const;

  // For scripted checks of the model itself: no membership, n nodes, all linked.
  struct bare {};
  mesh(bare, std::size_t nodes, std::uint64_t seed);
  void cut_hard(std::size_t a, std::size_t b);  // both ends are told at once, and the path stays dark
  void dark(std::size_t a, std::size_t b, bool both = true);
  void light(std::size_t a, std::size_t b);
  void connect_now(std::size_t on, std::size_t to);
  std::size_t boot_another();
  void pass(milliseconds span);
  std::vector<std::vector<std::size_t>> groups() const;  // by mutual views, largest first
  std::uint64_t nodedowns() const { return nodedowns_; }
  const std::set<std::size_t>& view(std::size_t i) const { return nodes_[i].sees; }

 private:
  // Why something happened in the end.
  enum class root { fault, ours, first_burst };
  struct node {
    node_name name;
    bool running = false, frozen = false, stopping = false, listed = false, for_good = false;
    bool dark_to_us = false, linked_to_us = false, watched = false, ever_linked = false;
    std::uint32_t creation = 0, our_link = 0;
    std::set<std::size_t> sees;
    std::map<std::size_t, std::uint64_t> generation;  // of the link, the same at both ends
    std::map<std::size_t, milliseconds> born;
    milliseconds silent_since{0};        // frozen, or lost with its machine
    std::set<std::size_t> unresolvable;  // names it cannot resolve
  };
  struct event {
    milliseconds when;
    std::uint64_t order;
    std::function<void()> what;
    bool operator>(const event& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };

  std::uint64_t random(std::uint64_t below) { return random_() % below; }
  milliseconds between(int low, int high) {
    return milliseconds(low + static_cast<int>(random(static_cast<std::uint64_t>(high - low + 1))));
  }
  void in(milliseconds span, std::function<void()> what) {
    queue_.push({now_ + span, order_++, std::move(what)});
  }
  // Only while we are who asked: answers to an earlier life of ours are nobody's.
  void reply(milliseconds span, std::function<void()> what);
  void note(const std::string& text);
  void broken(const std::string& rule);
  void tell(membership::any_fact f);

  bool present(std::size_t i) const { return nodes_[i].running && !nodes_[i].frozen; }
  bool path(std::size_t a, std::size_t b) const { return !dark_.contains({a, b}) && !dark_.contains({b, a}); }
  bool reaches_us(std::size_t i) const {
    return present(i) && !nodes_[i].dark_to_us && nodes_[i].linked_to_us;
  }
  std::size_t index_of(const node_name&) const;
  std::size_t add_node();
  void boot(std::size_t);
  void die(std::size_t, bool silently);
  void stop(std::size_t, bool comes_back);
  void freeze(std::size_t, milliseconds);
  void lose_us(std::size_t, membership::reason);
  void start_tick(std::size_t a, std::size_t b);
  void nodedown(std::size_t on, std::size_t of, const std::string& why, root, bool announce);
  void attempt(std::size_t on, std::size_t to, root, std::function<void(bool)> done, milliseconds give_up);
  void join(std::size_t a, std::size_t b, root);
  void discover();
  void restart_observer();
  void plan_script();
  void benign_fault();
  void any_fault();
  void cut(const std::set<std::size_t>& some, milliseconds span);
  std::set<std::size_t> some_nodes(std::size_t count);

  void carry_out(const membership::any_action&);
  void ask_view(const membership::action::ask_view&);
  void probe_links(const membership::action::probe_links&);
  void probe_path(const membership::action::probe_path&);
  void connect(const membership::action::connect&);
  void dial(const membership::action::dial&);
  void step();
  void advance_to(milliseconds);
  void check(const std::vector<membership::any_action>&);
  void check_end();

  std::mt19937_64 random_;
  script script_;
  flaw flaw_;
  bool bare_ = false;
  membership::settings settings_;
  std::unique_ptr<membership::cluster> cluster_;
  unsigned life_ = 0;
  milliseconds now_{0}, wake_{0}, ticktime_{60'000}, quiet_from_{0};
  std::uint64_t order_ = 0, nodedowns_ = 0, generations_ = 0;
  std::priority_queue<event, std::vector<event>, std::greater<>> queue_;
  std::vector<node> nodes_;
  std::map<std::string, std::size_t> by_name_;
  std::set<std::pair<std::size_t, std::size_t>> dark_;
  std::map<std::pair<std::size_t, std::size_t>, milliseconds> dark_since_;
  std::set<std::pair<std::size_t, std::size_t>> ever_dark_;
  std::vector<membership::any_fact> facts_;
  bool dns_away_ = false, pop_ = true;
  std::size_t cuts_ = 0;  // that last long enough to be seen
  std::string broken_;
  std::vector<std::string> diary_;

  std::map<std::pair<std::size_t, std::size_t>, milliseconds> proven_;  // a path probe we were told of
  std::set<std::pair<std::size_t, std::size_t>> quarantined_;
  std::set<std::pair<std::size_t, std::size_t>> asked_;
  std::vector<milliseconds> acted_;
};

}  // namespace rollcall::simulation
