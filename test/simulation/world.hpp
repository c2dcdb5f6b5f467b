// One history: nodes, the network between them, discovery and an observer, in virtual time; what breaks when
// is up to the script that drives it. Keeps the diary, and the books on what was torn and by what.
#pragma once

#include "test/simulation/shell.hpp"

namespace rollcall::simulation {

struct world_options {
  std::uint64_t seed = 1;
  std::size_t nodes = 5, newcomers = 8;
  membership::settings observer{};
  kernel_settings kernel{};
  std::vector<kernel_settings> kernels{};  // of the first nodes, where they differ
  bool meshed = true;                      // before the observer came
  bool keeps_diary = true;
};

// Told of everything that happens, after each step.
struct witness {
  virtual ~witness() = default;
  virtual void stepped(const membership::step_result&) = 0;
  virtual void lost(const beam_mesh::loss&, bool torn) = 0;
  virtual void bit(fault_id) = 0;
};

class world : private beam_mesh::listener {
 public:
  explicit world(const world_options&);

  place add(bool listed, kernel_settings);  // not running yet
  place add(bool listed) { return add(listed, options_.kernel); }
  void boot(place);
  void die(place, bool with_its_machine, fault_id by = no_fault);
  void stop(place, milliseconds takes, fault_id by = no_fault);  // in order: says that it is stopping
  void freeze(place, fault_id by = no_fault);
  void thaw(place);
  // Both ways; `a` or `b` may be the observer.
  void put(place a, place b, obstacle, fault_id by = no_fault);
  void take(place a, place b, obstacle, fault_id by = no_fault);
  void put_one_way(place from, place to, obstacle, fault_id by = no_fault);
  void take_one_way(place from, place to, obstacle, fault_id by = no_fault);
  void put_between(const std::vector<place>&, const std::vector<place>&, obstacle, fault_id by = no_fault);
  void take_between(const std::vector<place>&, const std::vector<place>&, obstacle, fault_id by = no_fault);
  void restart_observer(bool with_its_state);

  void run_until(milliseconds);
  void run_for(milliseconds span) { run_until(time.now() + span); }
  // False when it did not come true in time.
  bool run_until_true(const std::function<bool()>&, milliseconds at_most);

  std::vector<place> all() const;
  std::vector<place> others(const std::vector<place>&) const;
  // Every two that run and are listed are linked.
  bool whole() const;
  bool linked_to_all(place, const std::vector<place>&) const;
  // One moment of 2 s in which links between ends that can reach each other are lost after an action of ours.
  const std::vector<milliseconds>& tears() const noexcept { return tears_; }
  std::size_t tears_since(milliseconds) const;
  const membership::member& member(place i) const { return *us.snapshot()->find(us.name(i).text()); }
  void bite(fault_id by) { bit(by); }
  std::size_t nodes_at_first() const noexcept { return options_.nodes; }
  const kernel_settings& usual_kernel() const noexcept { return options_.kernel; }
  void note(std::string);
  std::string diary() const;

  timeline time;
  network net;
  beam_mesh mesh;
  name_service names;
  shell us;
  witness* seen_by = nullptr;
  std::vector<membership::event> events;  // all of them

 private:
  void gained(place on, place peer) override;
  void lost(const beam_mesh::loss&) override;
  void bit(fault_id) override;
  void changed(place a, place b);
  void note_left_out();

  world_options options_;
  std::vector<milliseconds> tears_;
  std::vector<std::string> diary_;
  std::set<std::string> left_out_;  // as it was noted last
};

}  // namespace rollcall::simulation
