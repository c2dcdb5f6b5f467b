// A mesh that prevents overlapping partitions, with pairs that answer TCP and cannot link, or link and break:
// what nodes do with each other when they are asked.
#pragma once

#include <limits>

#include "test/unit/membership/driver.hpp"

namespace rollcall::membership::test {

using pair_of_names = std::pair<std::string, std::string>;

struct Evidence : testing::Test {
  Evidence() : d(careful()) {
    d.usual.otp_release = "25";
    d.usual.prevent_overlapping_partitions = true;
    d.usual.connect_all = true;
  }
  static settings careful() {
    settings s;
    s.probe = true;
    return s;
  }
  static pair_of_names both(const std::string& a, const std::string& b) { return std::minmax(a, b); }

  void whole(const names& all) {
    nodes = all;
    for (const auto& a : all) {
      for (const auto& b : all) {
        if (a != b) links[a].insert(b);
      }
    }
    d.mesh(all);
    live(5s);
    asked.clear();
  }
  // The link goes, and what prevent_overlapping_partitions makes of it: `left` is dropped by everybody, and
  // `other` too where both ends say so before they hear of it.
  void tear(const std::string& left, const std::string& other, const char* how = "connection_closed") {
    std::vector<any_fact> facts;
    const auto lose = [&](const std::string& from, const std::string& to, const char* why) {
      if (links[from].erase(to) == 0) return;
      facts.emplace_back(fact::peer_changed{full(from), full(to), false, why});
    };
    lose(left, other, how);
    lose(other, left, "connection_closed");
    const auto of_the_pair = facts.size();
    for (const auto& third : nodes) {
      lose(third, left, "disconnect");
      lose(left, third, "connection_closed");
      if (!both_fall_out) continue;
      lose(third, other, "disconnect");
      lose(other, third, "connection_closed");
    }
    ++tears;
    if (facts.size() > of_the_pair) ++sound_tears;
    publish();
    d.step(facts);
  }
  // erlang:disconnect_node(other) on `node`, and how long after it they are linked again.
  milliseconds disconnect(const std::string& node, const std::string& other, milliseconds at_most) {
    tear(node, other, "disconnect");
    const auto since = d.now;
    while (!linked(node, other) && d.now - since < at_most) live(100ms);
    return d.now - since;
  }
  // Five, of which a and b lose their link and make it again by themselves; it breaks whenever it carries
  // much.
  void one_link_breaks_and_comes_back() {
    both_fall_out = comes_back = true;
    whole({"a", "b", "c", "d", "e"});
    fragile.insert(both("a", "b"));
    tear("a", "b");
    link("a", "b");
  }
  // Its port mapper answers none of those there are, nor of those that are to come; none can dial it.
  void nobody_finds(const std::string& node, const names& to_come = {}) {
    auto others = nodes;
    others.insert(others.end(), to_come.begin(), to_come.end());
    std::erase(others, node);
    for (const auto& other : others) {
      one_way_refused.insert({other, node});
      no_mapper.insert({other, node});
    }
  }
  // Five: the others found that they cannot dial a, which dials them. Its port mapper answers again.
  void nobody_could_dial_a(const names& to_come = {}) {
    whole({"a", "b", "c", "d", "e"});
    dials_hang = true;
    nobody_finds("a", to_come);
    leave("a");
    live(10min);
    no_mapper.clear();
  }
  // All of these links are gone, as their nodes' ticks say.
  void lose_all(const std::set<pair_of_names>& pairs) {
    std::vector<any_fact> facts;
    for (const auto& [some, other] : pairs) {
      links[some].erase(other);
      links[other].erase(some);
      facts.emplace_back(fact::peer_changed{full(some), full(other), false, "net_tick_timeout"});
      facts.emplace_back(fact::peer_changed{full(other), full(some), false, "net_tick_timeout"});
    }
    publish();
    d.step(facts);
  }
  void publish() {
    for (const auto& a : nodes) {
      const auto& seen = links[a];
      d.sees(a, names(seen.begin(), seen.end()));
    }
  }
  // `global` joins what hangs together, unless a pair of it cannot link: then one of the two is torn out.
  void connect(const action::connect& c) {
    const std::string on(c.on.alive()), to(c.to.alive());
    asked.emplace_back(d.now, on + ">" + to);
    if (requests_hang || asked.size() >= asked_at_most) return;
    if (links[on].contains(to)) {
      d.step({fact::connect_result{c.id, connect_outcome::connected, 5ms, ""}});
      return;
    }
    const bool works = !refused.contains(both(on, to)) && !one_way_refused.contains({on, to});
    if (!works) {
      d.step({fact::connect_result{c.id, connect_outcome::failed, 5ms, ""}});
      if (failures_tear && !links[on].empty() && !links[to].empty()) tear(on, to);
      return;
    }
    auto here = links[on], there = links[to];
    here.insert(on);
    there.insert(to);
    std::vector<any_fact> facts{fact::connect_result{c.id, connect_outcome::connected, 5ms, ""}};
    std::optional<pair_of_names> bad;
    for (const auto& a : here) {
      for (const auto& b : there) {
        if (a == b || links[a].contains(b)) continue;
        if (refused.contains(both(a, b))) {
          bad = {a, b};
          continue;
        }
        const bool in_vain = one_way_refused.contains({a, b}) || one_way_refused.contains({b, a});
        if (dials_hang && in_vain && both(a, b) != both(on, to)) {
          vain.try_emplace(both(a, b), d.now + dials_take);
          continue;
        }
        links[a].insert(b);
        links[b].insert(a);
        facts.emplace_back(fact::peer_changed{full(a), full(b), true, ""});
        facts.emplace_back(fact::peer_changed{full(b), full(a), true, ""});
      }
    }
    publish();
    d.step(facts);
    if (bad) tear(bad->first, bad->second);
    for (const auto& [a, b] : fragile) {
      if (links[a].contains(b)) breaks_at = d.now + 3s;
    }
  }
  link_probe probe(const std::string& on, const std::string& to) const {
    if (mute.contains(on)) return link_probe::no_word;
    if (stalled.contains(both(on, to))) return link_probe::silent;
    return mute.contains(to) && dark.contains(both(on, to)) ? link_probe::silent : link_probe::answered;
  }
  void answer() {
    for (bool again = true; again;) {
      again = false;
      for (const auto& p : d.take<action::probe_path>()) {
        ++path_probes;
        const std::string on(p.on.alive()), to(p.to.alive());
        probed.emplace_back(d.now, both(on, to));
        auto result = p.port == probed_port::mapper && no_mapper.contains({on, to}) ? path_probe::timeout
                                                                                    : path_probe::reachable;
        if (p.port == probed_port::handshake) {
          if (handshakes.size() >= handshakes_at_most) continue;
          handshakes.emplace_back(d.now, on + ">" + to);
          const bool passes = !refused.contains(both(on, to)) && !one_way_refused.contains({on, to});
          result = no_trials ? path_probe::no_word : passes ? path_probe::reachable : path_probe::refused;
        }
        if (dark.contains(both(on, to))) result = path_probe::timeout;
        if (mute.contains(on)) result = path_probe::no_word;
        d.step({fact::path_probed{p.id, result}});
        again = true;
      }
      for (const auto& l : d.take<action::leave_mesh>()) {
        leave(std::string(l.node.alive()));
        again = true;
      }
      for (const auto& l : d.take<action::probe_links>()) {
        std::vector<link_probe> said;
        for (const auto& to : l.to) said.push_back(probe(std::string(l.on.alive()), std::string(to.alive())));
        d.step({fact::links_probed{l.id, said}});
        again = true;
      }
      for (const auto& c : d.take<action::connect>()) {
        connect(c);
        again = true;
      }
      d.answer_views();
    }
  }
  void live(milliseconds span) {
    for (const auto until = d.now + span; d.now < until;) {
      d.pass(50ms);
      answer();
      if (breaks_at && d.now >= *breaks_at) {
        breaks_at.reset();
        for (const auto& [a, b] : fragile) {
          if (!links[a].contains(b)) continue;
          tear(a, b);
          if (comes_back) link(a, b);
        }
      }
      for (const auto& [pair, at] : std::exchange(vain, {})) {
        if (links[pair.first].contains(pair.second)) continue;
        if (d.now < at) {
          vain.emplace(pair, at);
        } else {
          tear(pair.first, pair.second);
        }
      }
    }
  }
  // global:disconnect/0: nobody else loses anything for it.
  void leave(const std::string& who) {
    std::vector<any_fact> facts;
    for (const auto& other : std::exchange(links[who], {})) {
      links[other].erase(who);
      facts.emplace_back(fact::peer_changed{full(other), full(who), false, "connection_closed"});
      facts.emplace_back(fact::peer_changed{full(who), full(other), false, "disconnect"});
    }
    publish();
    d.step(facts);
  }
  // It is started again, and comes back at once.
  void restart(const std::string& who) {
    d.down(who);
    leave(who);
    d.up(who, ++creation);
  }
  // Listed, and not linked to us yet.
  void comes(const std::string& node) {
    nodes.push_back(node);
    d.list(nodes);
    publish();
  }
  // And nothing was torn for it.
  void has_entered(const std::string& node, const names& others) {
    for (const auto& other : others) EXPECT_TRUE(linked(node, other)) << other;
    EXPECT_EQ(tears, 0U);
  }
  // It answers nobody any more: not us, and `to` none of those.
  void fall_silent(const std::string& who, const names& to) {
    mute.insert(who);
    d.silent(who);
    for (const auto& other : to) dark.insert(both(who, other));
  }
  // By themselves, as `global` and others dial.
  void link(const std::string& a, const std::string& b) {
    links[a].insert(b);
    links[b].insert(a);
    publish();
    d.step({fact::peer_changed{full(a), full(b), true, ""}, fact::peer_changed{full(b), full(a), true, ""}});
    breaks_at = d.now + 3s;
  }
  bool linked(const std::string& a, const std::string& b) { return links[a].contains(b); }
  std::string sentence() { return d.shown().quarantine.empty() ? "" : d.shown().quarantine.front().text; }
  std::size_t asked_in(milliseconds span) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(asked, [&](const auto& a) { return d.now - a.first <= span; }));
  }

  driver d;
  names nodes;
  std::map<std::string, std::set<std::string>> links;
  std::set<pair_of_names> refused, dark, fragile;
  std::set<pair_of_names> stalled;  // links that carry nothing, while new connections get through
  std::size_t asked_at_most = std::numeric_limits<std::size_t>::max();
  std::size_t handshakes_at_most = std::numeric_limits<std::size_t>::max();
  std::set<pair_of_names> one_way_refused, no_mapper;  // from, to
  std::set<std::string> mute;
  std::vector<std::pair<milliseconds, std::string>> asked, handshakes;
  std::vector<std::pair<milliseconds, pair_of_names>> probed;
  std::uint32_t creation = 1;
  bool requests_hang = false, failures_tear = true;
  bool no_trials = false;  // nodes do not carry them out
  std::optional<milliseconds> breaks_at;
  std::size_t tears = 0, path_probes = 0, sound_tears = 0;
  bool both_fall_out = false;
  bool comes_back = false;  // what is fragile links again as soon as it is torn
  bool dials_hang = false;  // `global` tears a pair that it cannot link, after a while
  milliseconds dials_take{7s};
  std::map<pair_of_names, milliseconds> vain;
};

}  // namespace rollcall::membership::test
