// The script on real nodes, each in a network namespace of its own; they are asked through their standard
// input, so that asking opens no link.
#include <algorithm>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "test/simulation/compare/stage.hpp"
#include "test/support/pods.hpp"
#include "test/support/scripted_peer.hpp"
#include "test/support/wait.hpp"

namespace rollcall::simulation {

namespace {

using std::chrono::system_clock;

constexpr std::uint16_t mapper_port = 4369;

class node_stage : public stage {
 public:
  explicit node_stage(const script& what)
      : what_(what), nodes_({.count = what.nodes, .arguments = kernel()}) {
    for (place i = 1; i < what.nodes; ++i)
      nodes_.node(0).eval("net_kernel:connect_node('" + nodes_.name(i) + "')");
    const auto whole = [&] {
      for (place i = 0; i < what.nodes; ++i) {
        if (nodes_.node(i).nodes().size() + 1 != what.nodes) return false;
      }
      return true;
    };
    if (!test::eventually(whole, milliseconds(60'000), "a mesh")) throw std::runtime_error("no mesh");
    // `global` may still be at it.
    std::this_thread::sleep_for(milliseconds(2'000));
    for (place i = 0; i < what.nodes; ++i) nodes_.node(i).watch();
  }

  recording play() {
    began_ = system_clock::now();
    for (const auto& one : what_.steps) {
      std::this_thread::sleep_until(began_ + one.at);
      one.what(*this);
    }
    std::this_thread::sleep_until(began_ + what_.looks.back());
    // So that it can be asked; what it notices then is later than the last look.
    for (const auto i : places(frozen_.begin(), frozen_.end())) thaw(i);
    for (place i = 0; i < nodes_.size(); ++i) {
      if (!away_.contains(i)) keep_changes(i);
    }
    std::ranges::stable_sort(record_.changes, {}, &change::at);
    for (const auto& one : asked_) keep_answer(one);
    return std::move(record_);
  }

 private:
  static std::vector<std::string> kernel() {
    return {"-kernel", "net_ticktime", std::to_string(ticktime.count() / 1'000)};
  }
  milliseconds now() const { return since(system_clock::now()); }
  milliseconds since(system_clock::time_point at) const {
    return std::chrono::duration_cast<milliseconds>(at - began_);
  }
  std::string host(place i) const { return nodes_.hostname(i); }
  std::vector<std::string> hosts(const places& list) const {
    std::vector<std::string> names;
    for (const auto i : list) names.push_back(host(i));
    return names;
  }
  void cookie(place on, place with, const std::string& value) {
    nodes_.node(on).eval("erlang:set_cookie('" + nodes_.name(with) + "', '" + value + "')");
  }

  void cut(const places& some, const places& others) override {
    nodes_.net().cut(hosts(some), hosts(others));
  }
  void join(const places& some, const places& others) override {
    // The one for a pair ends what is one way, too.
    if (some.size() == 1 && others.size() == 1) return nodes_.net().heal(host(some[0]), host(others[0]));
    nodes_.net().heal(hosts(some), hosts(others));
  }
  void mute(place from, place to) override { nodes_.net().mute(host(from), host(to)); }
  void lose_large(place a, place b) override {
    // So that something large is under way.
    nodes_.node(a).eval(
        "spawn(fun() -> (fun Send() -> erlang:send({nobody, '" + nodes_.name(b) +
        "'}, binary:copy(<<7>>, 4000), [noconnect, nosuspend]), timer:sleep(200), Send() end)() "
        "end), ok");
    nodes_.net().lose_large(host(a), host(b));
  }
  void carry_large(place a, place b) override { nodes_.net().heal(host(a), host(b)); }
  void refuse(place a, place b) override {
    cookie(a, b, "x");
    cookie(b, a, "y");
  }
  void agree(place a, place b) override {
    cookie(a, b, "chocolate");
    cookie(b, a, "chocolate");
  }
  void block_mapper(place from, place to) override { nodes_.net().block(host(from), host(to), mapper_port); }
  void open_mapper(place from, place to) override { nodes_.net().open(host(from), host(to), mapper_port); }
  void close_door(place from, place to, door how) override {
    const auto& where = nodes_.host_of(to);
    const auto what = how == door::silent ? test::misbehaviour::silent : test::misbehaviour::closes_at_once;
    auto& there = doors_[{from, to}];
    there = std::make_unique<test::fake_node>("nobody@" + where.address, "chocolate", what, where.address,
                                              where.network_namespace);
    nodes_.net().divert(host(from), host(to), there->port());
  }
  void open_door(place from, place to) override {
    nodes_.net().heal(host(from), host(to));
    doors_.erase({from, to});
  }
  void freeze(place i) override {
    frozen_.insert(i);
    nodes_.node(i).freeze();
  }
  void thaw(place i) override {
    frozen_.erase(i);
    nodes_.node(i).thaw();
  }
  void kill(place i) override {
    keep_changes(i);
    away_.insert(i);
    record_.gone.emplace_back(now(), i);
    nodes_.node(i).kill();
  }
  void boot(place i) override {
    while (nodes_.size() <= i) {
      nodes_.add();
      nodes_.publish();
      nodes_.node(nodes_.size() - 1).ready();
    }
    if (away_.erase(i) != 0) nodes_.node(i).restart();
    nodes_.node(i).watch();
    record_.came.emplace_back(now(), i);
  }
  void lose_machine(place i) override {
    record_.gone.emplace_back(now(), i);
    away_.insert(i);
    nodes_.net().darken(host(i));
  }
  void disconnect(place on, place of) override {
    nodes_.node(on).eval("erlang:disconnect_node('" + nodes_.name(of) + "')");
  }
  void leave(place i) override { nodes_.node(i).eval("global:disconnect(), ok"); }
  void connect(place on, place to) override {
    const auto name = "asked_" + std::to_string(asked_.size());
    nodes_.node(on).eval("spawn(fun() -> register(" + name +
                         ", self()), Begun = erlang:system_time(millisecond), Said = "
                         "net_kernel:connect_node('" +
                         nodes_.name(to) +
                         "'), Took = erlang:system_time(millisecond) - Begun, receive {take, P} -> P ! {" +
                         name + ", Took, Said} end end), ok");
    asked_.push_back({on, to, name});
  }

  struct asked {
    place on, to;
    std::string name;
  };
  void keep_answer(const asked& one) {
    if (away_.contains(one.on)) return;
    std::istringstream words(
        nodes_.node(one.on).eval(one.name + " ! {take, self()}, receive {" + one.name +
                                 ", Took, Said} -> {'$text', io_lib:format(\"~b ~p\", [Took, Said])} end"));
    std::int64_t took = 0;
    std::string said;
    words >> took >> said;
    record_.requests.push_back({one.on, one.to, milliseconds(took), said == "true"});
  }
  void keep_changes(place i) {
    for (const auto& c : nodes_.node(i).changes()) {
      for (place peer = 0; peer < nodes_.size(); ++peer) {
        if (nodes_.name(peer) == c.peer) record_.changes.push_back({since(c.at), i, peer, c.up});
      }
    }
  }

  const script& what_;
  test::pods nodes_;
  system_clock::time_point began_;
  recording record_;
  std::vector<asked> asked_;
  std::set<place> away_, frozen_;
  std::map<std::pair<place, place>, std::unique_ptr<test::fake_node>> doors_;
};

}  // namespace

recording play_on_nodes(const script& what) {
  return node_stage(what).play();
}

}  // namespace rollcall::simulation
