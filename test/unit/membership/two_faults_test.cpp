// Two faults at once: a pair whose packets are lost, and a member that stops answering while the probes of
// that pair are still being sorted out.
#include "test/unit/membership/driver.hpp"

namespace rollcall::membership::test {
namespace {

// A whole mesh in which every node answers after its own time, until it is frozen.
struct two_faults {
  explicit two_faults(std::size_t count, milliseconds interval) : d(options(interval)) {
    d.usual.otp_release = "25";
    d.usual.prevent_overlapping_partitions = true;
    d.usual.connect_all = true;
    for (std::size_t i = 0; i < count; ++i) nodes.push_back("n" + std::to_string(100 + i));
    d.mesh(nodes);
  }
  static settings options(milliseconds interval) {
    settings s;
    s.interval = interval;
    s.probe = true;
    return s;
  }
  void dark(std::size_t a, std::size_t b) {
    lost.insert({nodes[a], nodes[b]});
    lost.insert({nodes[b], nodes[a]});
  }
  void freeze(std::size_t i) {
    frozen.insert(nodes[i]);
    d.silent(nodes[i]);
  }
  void thaw(std::size_t i) {
    frozen.erase(nodes[i]);
    d.sees(nodes[i], d.without(nodes, nodes[i]));
    d.view(nodes[i], d.without(nodes, nodes[i]));
  }
  bool passes(std::string_view a, std::string_view b) const {
    return !frozen.contains(std::string(a)) && !frozen.contains(std::string(b)) &&
           !lost.contains({std::string(a), std::string(b)});
  }
  void take_probes() {
    for (const auto& p : d.take<action::probe_path>()) {
      const bool works = passes(p.on.alive(), p.to.alive());
      pending.emplace(d.now + (works ? 2ms : p.limit),
                      fact::path_probed{p.id, works ? path_probe::reachable : path_probe::timeout});
    }
    for (const auto& l : d.take<action::probe_links>()) {
      std::vector<link_probe> results;
      for (const auto& to : l.to) {
        const bool asleep = frozen.contains(std::string(to.alive()));
        const bool mute = frozen.contains(std::string(l.on.alive())) || (asleep && l.confirm);
        results.push_back(passes(l.on.alive(), to.alive()) ? link_probe::answered
                          : mute                           ? link_probe::no_word
                                                           : link_probe::silent);
      }
      const bool all = std::ranges::count(results, link_probe::answered) == std::ssize(results);
      pending.emplace(d.now + (all ? 2ms : l.limit), fact::links_probed{l.id, std::move(results)});
    }
  }
  void live(milliseconds span) {
    for (const auto until = d.now + span; d.now < until;) {
      d.pass(std::min(100ms, until - d.now));
      take_probes();
      while (!pending.empty() && pending.begin()->first <= d.now) {
        const auto told = pending.begin()->second;
        pending.erase(pending.begin());
        d.step({told});
        take_probes();
      }
    }
  }
  member_state state(std::size_t i) { return d.of(nodes[i]).state; }

  driver d;
  names nodes;
  std::set<std::pair<std::string, std::string>> lost;
  std::set<std::string> frozen;
  std::multimap<milliseconds, any_fact> pending;
};

// The pair that is dark and the member that freezes have nothing to do with each other.
TEST(TwoFaults, ADarkPairAndAFrozenMemberAtEverySize) {
  for (std::size_t count = 11; count <= 24; ++count) {
    for (const auto after : {2'500ms, 3'500ms, 5'500ms}) {
      SCOPED_TRACE(std::to_string(count) + " members, after " + std::to_string(after.count()) + " ms");
      two_faults t(count, 2'000ms);
      t.dark(0, 1);
      t.live(after);
      t.freeze(count - 1);
      t.live(8s);
      EXPECT_EQ(t.state(count - 1), member_state::suspect);
      t.thaw(count - 1);
      t.live(4s);
      EXPECT_EQ(t.state(count - 1), member_state::up);
    }
  }
}

// The member that the others cannot reach is then lost to us as well.
TEST(TwoFaults, AMemberCutFromTheOthersGoesSilent) {
  for (std::size_t count = 9; count <= 24; count += 5) {
    for (const auto after : {3'000ms, 5'000ms, 6'000ms, 10'000ms}) {
      SCOPED_TRACE(std::to_string(count) + " members, after " + std::to_string(after.count()) + " ms");
      two_faults t(count, 2'000ms);
      t.live(4s);
      for (std::size_t i = 1; i < count; ++i) t.dark(0, i);
      t.live(after);
      t.freeze(0);
      t.live(10s);
      EXPECT_EQ(t.state(0), member_state::suspect);
    }
  }
}

}  // namespace
}  // namespace rollcall::membership::test
