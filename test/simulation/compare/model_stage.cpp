// The script on the model, in virtual time.
#include "test/simulation/compare/stage.hpp"

namespace rollcall::simulation {

namespace {

class model_stage : public stage, private beam_mesh::listener {
 public:
  model_stage(const script& what, std::uint64_t seed)
      : time_(seed), mesh_(time_, net_, *this, what.nodes + what.more) {
    for (std::size_t i = 0; i < what.nodes + what.more; ++i)
      mesh_.add({.ticktime = ticktime, .setuptime = setuptime});
    for (place i = 0; i < what.nodes; ++i) mesh_.boot(i);
    mesh_.mesh_all();
    for (const auto& one : what.steps) {
      time_.at(one.at, [this, &one] { one.what(*this); });
    }
    const auto end = what.looks.back() + milliseconds(1);
    while (time_.now() < end) time_.advance(end);
  }

  recording record() && { return std::move(record_); }

 private:
  void cut(const places& some, const places& others) override { each(some, others, true); }
  void join(const places& some, const places& others) override { each(some, others, false); }
  void mute(place from, place to) override { put(from, to, obstacle::drop); }
  void lose_large(place a, place b) override { both(a, b, obstacle::large_lost, true); }
  void carry_large(place a, place b) override { both(a, b, obstacle::large_lost, false); }
  void refuse(place a, place b) override { both(a, b, obstacle::refused_handshake, true); }
  void agree(place a, place b) override { both(a, b, obstacle::refused_handshake, false); }
  void block_mapper(place from, place to) override { put(from, to, obstacle::mapper); }
  void open_mapper(place from, place to) override { take(from, to, obstacle::mapper); }
  void close_door(place from, place to, door how) override { put(from, to, obstacle_of(how)); }
  void open_door(place from, place to) override {
    take(from, to, obstacle::silent_door);
    take(from, to, obstacle::closing_door);
  }
  void freeze(place i) override { mesh_.freeze(i, no_fault); }
  void thaw(place i) override { mesh_.thaw(i); }
  void kill(place i) override {
    record_.gone.emplace_back(time_.now(), i);
    mesh_.die(i, false, no_fault);
  }
  void boot(place i) override {
    record_.came.emplace_back(time_.now(), i);
    mesh_.boot(i);
  }
  void lose_machine(place i) override {
    record_.gone.emplace_back(time_.now(), i);
    mesh_.die(i, true, no_fault);
  }
  void disconnect(place on, place of) override { mesh_.disconnect(on, of); }
  void leave(place i) override { mesh_.leave(i); }
  void connect(place on, place to) override {
    mesh_.connect(on, to, cause::fault(), [this, on, to, begun = time_.now()](bool connected) {
      record_.requests.push_back({on, to, time_.now() - begun, connected});
    });
  }

  static obstacle obstacle_of(door how) {
    return how == door::silent ? obstacle::silent_door : obstacle::closing_door;
  }
  void put(place from, place to, obstacle what) {
    net_.put(from, to, what, no_fault);
    mesh_.path_changed(from, to);
  }
  void take(place from, place to, obstacle what) {
    net_.take(from, to, what, no_fault);
    mesh_.path_changed(from, to);
  }
  void both(place a, place b, obstacle what, bool begins) {
    for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
      begins ? net_.put(from, to, what, no_fault) : net_.take(from, to, what, no_fault);
    }
    mesh_.path_changed(a, b);
  }
  void each(const places& some, const places& others, bool begins) {
    for (const auto a : some) {
      for (const auto b : others) both(a, b, obstacle::drop, begins);
    }
  }

  void gained(place on, place peer) override { record_.changes.push_back({time_.now(), on, peer, true}); }
  void lost(const beam_mesh::loss& l) override {
    record_.changes.push_back({time_.now(), l.on, l.of, false});
  }
  void bit(fault_id) override {}

  timeline time_;
  network net_;
  recording record_;
  beam_mesh mesh_;
};

}  // namespace

recording play_on_model(const script& what, std::uint64_t seed) {
  return model_stage(what, seed).record();
}

}  // namespace rollcall::simulation
