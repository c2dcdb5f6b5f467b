// Membership before a played mesh, in played time: every action is answered as the mesh stands then. No I/O
// and no clock, so that the same history gives the same counts each time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/fleet/mesh.hpp"
#include "membership/cluster.hpp"

namespace rollcall::bench {

using std::chrono::milliseconds;

class played_cluster {
 public:
  struct spent {
    std::uint64_t steps = 0, facts = 0, actions = 0, views_asked = 0, confirmations_asked = 0,
                  statuses_asked = 0, probes_asked = 0, paths_asked = 0, connects_asked = 0, ticks_asked = 0,
                  allocations = 0;
    // Of the steps alone. A piece is a step without the taking of its facts, which others may interrupt.
    double cpu_ms = 0, worst_step_ms = 0, worst_piece_ms = 0;
  };

  // `rest`: facts that come within so long after a step wait for the next.
  played_cluster(std::size_t size, bool linked, milliseconds rest);

  mesh& nodes() noexcept { return mesh_; }
  void stop(mesh::index node);
  void start(mesh::index node);
  // How long nodes take to answer, which is longer where they share a busy machine.
  void answer_within(milliseconds time) { answer_time_ = time; }
  // What is told is read by one thread, one after the other, as over sockets: a thousand nodes that come and
  // link keep it busy for seconds, and what one tells waits for what the others told before.
  void read_in_turn(bool on) { in_turn_ = on; }
  void pass(milliseconds span);
  // Played time until `holds`, or until `limit` has passed.
  milliseconds until(milliseconds limit, bool (*holds)(const membership::snapshot&, std::size_t size));
  spent take();  // since the last call
  const membership::snapshot& shown() const { return *shown_; }
  std::size_t size() const noexcept { return mesh_.size(); }

 private:
  void step();
  // When the first of what is told is read.
  std::chrono::microseconds next_read() const;
  void at(milliseconds after, membership::any_fact);
  void carry_out(const membership::action::dial&);
  void carry_out(const membership::action::hang_up&) {}
  void carry_out(const membership::action::ask_view&);
  void carry_out(const membership::action::confirm_view&);
  void carry_out(const membership::action::ask_status&);
  void carry_out(const membership::action::ask_settings&);
  void carry_out(const membership::action::watch&);
  void carry_out(const membership::action::probe_links&);
  void carry_out(const membership::action::probe_path&);
  void carry_out(const membership::action::tick_links&) { ++spent_.ticks_asked; }
  void carry_out(const membership::action::leave_mesh&) {}
  void carry_out(const membership::action::connect&);
  name_list visible(mesh::index on) const;
  mesh::index index(const node_name& name) const { return indices_.at(name.text()); }

  mesh mesh_;
  std::vector<node_name> names_;
  std::map<std::string, mesh::index> indices_;
  std::vector<bool> linked_, watched_;                  // by us
  std::vector<std::optional<std::size_t>> last_views_;  // digests of what was told
  membership::cluster core_;
  membership::snapshot_ptr shown_;
  milliseconds now_{0}, wake_{0}, rest_, next_step_{0}, answer_time_{1};
  std::multimap<milliseconds, membership::any_fact> coming_;
  bool in_turn_ = false;
  std::chrono::microseconds read_until_{0};
  spent spent_;
};

}  // namespace rollcall::bench
