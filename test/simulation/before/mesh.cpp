#include "test/simulation/before/mesh.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rollcall::simulation {

using namespace membership;

namespace {

constexpr milliseconds epoch{1'700'000'000'000};
constexpr milliseconds setuptime{7'000};
constexpr std::size_t most_nodes = 12;
// Bounded: a round asks each member for its view, its status, one batch of probes; the rest is healing.
constexpr std::size_t most_actions_in_ten_seconds = 2'000;

std::pair<std::size_t, std::size_t> ordered(std::size_t a, std::size_t b) {
  return {std::min(a, b), std::max(a, b)};
}

}  // namespace

const char* to_string(script s) {
  static constexpr const char* names[] = {"Pair",      "Halves", "Alone",  "ThreeWay", "Flapping",
                                          "LateNames", "Barred", "Benign", "Observer", "Everything"};
  return names[static_cast<int>(s)];
}

mesh::mesh(std::uint64_t seed, script chosen, flaw how) : random_(seed), script_(chosen), flaw_(how) {
  settings_.seed = seed;
  settings_.max_events = 16;
  settings_.probe = true;
  settings_.watch = random(3) != 0;
  if (flaw_ == flaw::connects_whatever_is_missing) settings_.heal = heal_mode::all;
  ticktime_ = random(3) == 0 ? milliseconds(8'000) : milliseconds(60'000);
  cluster_ = std::make_unique<cluster>(settings_);
}

mesh::mesh(bare, std::size_t count, std::uint64_t seed)
    : random_(seed), script_(script::everything), flaw_(flaw::none), bare_(true) {
  ticktime_ = milliseconds(8'000);
  for (std::size_t i = 0; i < count; ++i) {
    const auto a = add_node();
    nodes_[a].running = true;
    for (std::size_t b = 0; b < a; ++b) join(a, b, root::fault);
  }
}

void mesh::note(const std::string& text) {
  diary_.push_back(fmt::format("{:>8} ms  {}", now_.count(), text));
}

void mesh::broken(const std::string& rule) {
  if (!broken_.empty()) return;
  broken_ = rule;
  note("BROKEN: " + rule);
}

std::string mesh::diary() const {
  std::string text;
  const auto from = diary_.size() > 120 ? diary_.size() - 120 : 0;
  for (auto i = from; i < diary_.size(); ++i) text += diary_[i] + "\n";
  return text;
}

void mesh::reply(milliseconds span, std::function<void()> what) {
  in(span, [this, life = life_, what = std::move(what)] {
    if (life == life_) what();
  });
}

void mesh::tell(any_fact f) {
  if (!bare_) facts_.push_back(std::move(f));
}

std::size_t mesh::index_of(const node_name& name) const {
  return by_name_.at(name.text());
}

std::size_t mesh::add_node() {
  auto name = node_name::parse(fmt::format("n{}@pods.example", 10 + nodes_.size())).value();
  by_name_[name.text()] = nodes_.size();
  auto& n = nodes_.emplace_back(
      node{.name = std::move(name), .sees = {}, .generation = {}, .born = {}, .unresolvable = {}});
  n.listed = true;
  return nodes_.size() - 1;
}

// ---- nodes

void mesh::boot(std::size_t i) {
  auto& n = nodes_[i];
  if (n.running) return;
  n.running = true;
  n.frozen = n.stopping = n.ever_linked = false;
  n.creation += 1 + static_cast<std::uint32_t>(random(3));
  note(n.name.text() + " boots");
}

void mesh::lose_us(std::size_t i, reason why) {
  auto& n = nodes_[i];
  if (!n.linked_to_us) return;
  n.linked_to_us = n.watched = false;
  ++n.our_link;
  reply(between(0, 5), [this, i, why] { tell(fact::link_down{nodes_[i].name, why, "simulated"}); });
}

void mesh::die(std::size_t i, bool silently) {
  auto& n = nodes_[i];
  if (!n.running) return;
  note(n.name.text() + (silently ? " is lost with its machine" : " ends"));
  if (!n.frozen) n.silent_since = now_;
  n.running = n.frozen = n.stopping = false;
  const auto peers = n.sees;
  n.sees.clear();
  for (const auto peer : peers) {
    if (silently) {
      start_tick(peer, i);
      continue;
    }
    in(between(0, 4), [this, peer, i, generation = nodes_[peer].generation[i]] {
      // A frozen one finds out when it thaws.
      if (present(peer) && nodes_[peer].generation[i] == generation) {
        nodedown(peer, i, "connection_closed", root::fault, true);
      }
    });
  }
  if (silently) {
    in(between(static_cast<int>(ticktime_.count() * 3 / 4), static_cast<int>(ticktime_.count() * 5 / 4)),
       [this, i, link = n.our_link] {
         if (nodes_[i].our_link == link) lose_us(i, reason::tick_timeout);
       });
  } else {
    lose_us(i, reason::closed);
  }
}

void mesh::stop(std::size_t i, bool comes_back) {
  auto& n = nodes_[i];
  if (!present(i) || n.stopping) return;
  note(n.name.text() + " is told to stop");
  n.stopping = true;
  n.for_good = !comes_back;
  in(between(0, 2'000), [this, i] { nodes_[i].listed = false; });
  in(between(500, 9'000), [this, i, comes_back] {
    die(i, false);
    if (!comes_back) return;
    in(between(500, 8'000), [this, i] {
      nodes_[i].listed = true;
      boot(i);
    });
  });
}

void mesh::freeze(std::size_t i, milliseconds span) {
  auto& n = nodes_[i];
  if (!present(i)) return;
  note(fmt::format("{} freezes for {} ms", n.name.text(), span.count()));
  n.frozen = true;
  n.silent_since = now_;
  for (const auto peer : n.sees) start_tick(peer, i);
  const auto creation = n.creation;
  in(between(static_cast<int>(ticktime_.count() * 3 / 4), static_cast<int>(ticktime_.count() * 5 / 4)),
     [this, i, link = n.our_link] {
       if (nodes_[i].our_link == link && nodes_[i].frozen) lose_us(i, reason::tick_timeout);
     });
  in(span, [this, i, creation] {
    auto& woken = nodes_[i];
    if (!woken.frozen || woken.creation != creation) return;
    note(woken.name.text() + " thaws");
    woken.frozen = false;
    // Sockets that were closed meanwhile: it finds them at once, with nobody left to tell.
    const auto peers = woken.sees;
    for (const auto peer : peers) {
      if (!nodes_[peer].sees.contains(i)) nodedown(i, peer, "connection_closed", root::fault, false);
    }
  });
}

// ---- links

void mesh::start_tick(std::size_t a, std::size_t b) {
  const auto generation = nodes_[a].generation[b];
  const auto begun = now_;
  in(between(static_cast<int>(ticktime_.count() * 3 / 4), static_cast<int>(ticktime_.count() * 5 / 4)),
     [this, a, b, generation, begun] {
       if (!present(a) || nodes_[a].generation[b] != generation) return;
       const bool silent = (!present(b) && nodes_[b].silent_since <= begun) || !nodes_[b].sees.contains(a) ||
                           (!path(a, b) && dark_since_[ordered(a, b)] <= begun);
       if (silent) nodedown(a, b, "net_tick_timeout", root::fault, true);
     });
}

void mesh::dark(std::size_t a, std::size_t b, bool both) {
  if (path(a, b)) dark_since_[ordered(a, b)] = now_;
  dark_.insert({a, b});
  if (both) dark_.insert({b, a});
  ever_dark_.insert(ordered(a, b));
  if (nodes_[a].sees.contains(b)) start_tick(a, b);
  if (nodes_[b].sees.contains(a)) start_tick(b, a);
}

void mesh::light(std::size_t a, std::size_t b) {
  dark_.erase({a, b});
  dark_.erase({b, a});
  // What one end closed meanwhile is known to the other at its next word.
  for (const auto& [x, y] : {std::pair(a, b), std::pair(b, a)}) {
    if (!nodes_[x].sees.contains(y) || nodes_[y].sees.contains(x)) continue;
    in(between(1, 2'000), [this, from = x, of = y] {
      if (path(from, of) && nodes_[from].sees.contains(of) && !nodes_[of].sees.contains(from)) {
        nodedown(from, of, "connection_closed", root::fault, true);
      }
    });
  }
}

void mesh::cut_hard(std::size_t a, std::size_t b) {
  dark(a, b);
  nodedown(a, b, "connection_closed", root::fault, true);
  nodedown(b, a, "connection_closed", root::fault, true);
}

void mesh::nodedown(std::size_t on, std::size_t of, const std::string& why, root because, bool announce) {
  auto& n = nodes_[on];
  if (n.sees.erase(of) == 0) return;
  ++nodedowns_;
  const auto generation = n.generation[of];
  note(fmt::format("  {} loses {} ({})", n.name.text(), nodes_[of].name.text(), why));
  const bool healthy = present(on) && present(of) && path(on, of);
  if (!bare_ && healthy && because != root::fault && nodes_[of].sees.contains(on)) {
    const auto age = now_ - n.born[of];
    if (because == root::ours || age >= setuptime + milliseconds(3'000)) {
      broken(fmt::format("the healthy link {} - {} was lost because of what we asked for", n.name.text(),
                         nodes_[of].name.text()));
    }
  }
  if (n.watched && reaches_us(on)) {
    reply(between(1, 5), [this, on, of, why, link = n.our_link] {
      if (nodes_[on].our_link != link || !nodes_[on].linked_to_us) return;
      tell(fact::peer_changed{nodes_[on].name, nodes_[of].name, false, why});
    });
  }
  // The socket is closed: the other end hears of it, unless nothing gets through.
  if (path(on, of) && nodes_[of].sees.contains(on) && nodes_[of].generation[on] == generation) {
    in(between(0, 4), [this, on, of, generation, because] {
      if (present(of) && path(on, of) && nodes_[of].generation[on] == generation &&
          !nodes_[on].sees.contains(of)) {
        nodedown(of, on, "connection_closed", because, because != root::fault || !nodes_[on].running);
      }
    });
  }
  if (!announce || !pop_ || !present(on) || n.stopping) return;
  // prevent_overlapping_partitions: whoever hears of it drops the one that was lost.
  for (const auto third : n.sees) {
    if (!path(on, third)) continue;
    in(between(5, 1'500), [this, third, of, because, generation = nodes_[third].generation[of]] {
      if (!present(third) || !nodes_[third].sees.contains(of) || nodes_[third].generation[of] != generation)
        return;
      nodedown(third, of, "disconnect", because, false);
    });
  }
}

void mesh::join(std::size_t a, std::size_t b, root) {
  const auto generation = ++generations_;
  for (const auto& [x, y] : {std::pair(a, b), std::pair(b, a)}) {
    nodes_[x].sees.insert(y);
    nodes_[x].generation[y] = generation;
    nodes_[x].born[y] = now_;
    nodes_[x].ever_linked = true;
    if (!nodes_[x].watched || !reaches_us(x)) continue;
    reply(between(1, 5), [this, x = x, y = y, link = nodes_[x].our_link] {
      if (nodes_[x].our_link != link || !nodes_[x].linked_to_us) return;
      tell(fact::peer_changed{nodes_[x].name, nodes_[y].name, true, ""});
    });
  }
}

void mesh::attempt(std::size_t on, std::size_t to, root because, std::function<void(bool)> done,
                   milliseconds give_up) {
  const auto end = [this, done](milliseconds after, bool connected) {
    in(after, [done, connected] { done(connected); });
  };
  if (!present(on) || nodes_[on].stopping) return end(milliseconds(0), false);
  if (nodes_[on].sees.contains(to)) return end(milliseconds(1), true);
  if (nodes_[on].unresolvable.contains(to)) return end(between(1, 20), false);
  if (!nodes_[to].running || nodes_[to].stopping) return end(between(1, 20), false);
  if (!path(on, to) || nodes_[to].frozen) {
    return end(give_up, nodes_[on].sees.contains(to));
  }
  in(between(1, 60), [this, on, to, because, end, give_up] {
    if (!present(on) || !present(to) || !path(on, to)) return end(give_up, false);
    if (nodes_[on].sees.contains(to)) return end(milliseconds(1), true);
    // It still believes in an old link of ours: that one goes first.
    if (nodes_[to].sees.contains(on)) nodedown(to, on, "connection_closed", root::fault, true);
    join(on, to, because);
    end(between(1, 20), true);
    // global: each of them is introduced to whom the other knows.
    in(between(5, 300), [this, on, to, because] {
      if (!nodes_[on].sees.contains(to) || !nodes_[to].sees.contains(on)) return;
      auto ours = nodes_[on].sees, theirs = nodes_[to].sees;
      ours.insert(on);
      theirs.insert(to);
      for (const auto a : ours) {
        for (const auto b : theirs) {
          if (a == b || nodes_[a].sees.contains(b)) continue;
          if (path(a, b) && present(a) && present(b) && !nodes_[a].stopping && !nodes_[b].stopping &&
              !(nodes_[a].unresolvable.contains(b) && nodes_[b].unresolvable.contains(a))) {
            if (!nodes_[b].sees.contains(a)) join(a, b, because);
            continue;
          }
          if (!pop_ || !present(a) || !present(b) || nodes_[a].stopping || nodes_[b].stopping) continue;
          // It hangs, and then it is a lost connection like any other. Nobody could know what went dark just
          // now.
          // Who is not listed is no member: it is not asked for, and not waited for.
          const bool sudden = !nodes_[a].listed || !nodes_[b].listed ||
                              now_ - dark_since_[ordered(a, b)] < milliseconds(4'000);
          in(setuptime, [this, a, b, because = sudden ? root::fault : because] {
            if (!present(a) || nodes_[a].sees.contains(b) || path(a, b)) return;
            for (const auto third : nodes_[a].sees) {
              if (!nodes_[third].sees.contains(b)) continue;
              in(between(5, 1'500), [this, third, b, because] {
                if (present(third) && nodes_[third].sees.contains(b)) {
                  nodedown(third, b, "disconnect", because, false);
                }
              });
            }
          });
        }
      }
    });
  });
}

// ---- what membership asks for

void mesh::dial(const action::dial& asked) {
  const auto i = index_of(asked.node);
  const auto& n = nodes_[i];
  const auto fail = [&](milliseconds after, reason why) {
    reply(after, [this, i, why] { tell(fact::dial_failed{nodes_[i].name, why, "simulated", {}}); });
  };
  if (n.running && (n.dark_to_us || n.frozen)) return fail(milliseconds(5'000), reason::timeout);
  if (!n.running)
    return fail(n.for_good && random(2) == 0 ? milliseconds(5'000) : between(1, 20),
                n.for_good ? reason::timeout : reason::refused);
  reply(between(1, 30), [this, i] {
    auto& there = nodes_[i];
    if (!present(i) || there.dark_to_us) {
      tell(fact::dial_failed{there.name, there.running ? reason::timeout : reason::refused, "simulated", {}});
      return;
    }
    if (!there.linked_to_us) ++there.our_link;
    there.linked_to_us = true;
    tell(fact::link_up{there.name, there.creation, true});
  });
}

void mesh::ask_view(const action::ask_view& asked) {
  const auto i = index_of(asked.node);
  const auto link = nodes_[i].our_link;
  reply(reaches_us(i) ? between(1, 20) : milliseconds(5'000), [this, i, link] {
    auto& n = nodes_[i];
    if (n.our_link != link || !n.linked_to_us) return;
    if (!reaches_us(i)) {
      tell(fact::view_failed{n.name, reason::timeout, "simulated"});
      return;
    }
    std::vector<node_name> seen;
    for (const auto peer : n.sees) seen.push_back(nodes_[peer].name);
    tell(fact::view{n.name, std::move(seen), milliseconds(1)});
  });
}

void mesh::probe_links(const action::probe_links& asked) {
  const auto on = index_of(asked.on);
  std::vector<link_probe> results;
  bool all = true;
  for (const auto& name : asked.to) {
    const auto to = index_of(name);
    auto result = link_probe::answered;
    if (!reaches_us(on)) {
      result = link_probe::no_word;
    } else if (!nodes_[on].sees.contains(to)) {
      result = link_probe::no_link;
    } else if (!path(on, to) || !nodes_[to].sees.contains(on) || !reaches_us(to)) {
      result = !nodes_[to].linked_to_us || (asked.confirm && !reaches_us(to)) ? link_probe::no_word
                                                                              : link_probe::silent;
    }
    all &= result == link_probe::answered || result == link_probe::no_link;
    results.push_back(result);
  }
  reply(all ? between(2, 20) : asked.limit, [this, id = asked.id, results] {
    tell(fact::links_probed{id, results});
  });
}

void mesh::probe_path(const action::probe_path& asked) {
  const auto on = index_of(asked.on), to = index_of(asked.to);
  auto result = path_probe::reachable;
  auto after = between(2, 20);
  if (!reaches_us(on)) {
    result = path_probe::no_word;
    after = asked.limit + milliseconds(1'000);
  } else if (nodes_[on].unresolvable.contains(to)) {
    result = path_probe::unresolved;
  } else if (!path(on, to)) {
    result = path_probe::timeout;
    after = asked.limit;
  } else if (!nodes_[to].running) {
    result = path_probe::refused;
  }
  reply(after, [this, id = asked.id, on, to, result] {
    if (result == path_probe::reachable) proven_[ordered(on, to)] = now_;
    tell(fact::path_probed{id, result});
  });
}

void mesh::connect(const action::connect& asked) {
  const auto on = index_of(asked.on), to = index_of(asked.to);
  const auto pair = ordered(on, to);
  note(fmt::format("  we ask {} to connect to {}", asked.on.text(), asked.to.text()));
  const auto answer = [this, id = asked.id, pair, life = life_](connect_outcome outcome) {
    if (life != life_) return;
    asked_.erase(pair);
    tell(fact::connect_result{id, outcome, milliseconds(1), "simulated"});
  };
  if (!reaches_us(on)) {
    in(asked.limit, [answer] { answer(connect_outcome::timeout); });
    return;
  }
  const bool first = !nodes_[on].ever_linked && !nodes_[to].ever_linked;
  attempt(
      on, to, first ? root::first_burst : root::ours,
      [answer](bool connected) { answer(connected ? connect_outcome::connected : connect_outcome::failed); },
      setuptime);
}

void mesh::carry_out(const any_action& any) {
  if (const auto* d = std::get_if<action::dial>(&any)) return dial(*d);
  if (const auto* v = std::get_if<action::ask_view>(&any)) return ask_view(*v);
  if (const auto* l = std::get_if<action::probe_links>(&any)) return probe_links(*l);
  if (const auto* p = std::get_if<action::probe_path>(&any)) return probe_path(*p);
  if (const auto* c = std::get_if<action::connect>(&any)) return connect(*c);
  if (const auto* h = std::get_if<action::hang_up>(&any)) return broken("hang_up of " + h->node.text());
  if (const auto* l = std::get_if<action::leave_mesh>(&any))
    return broken("nobody told " + l->node.text() + " to leave");
  const auto talk = [&](const node_name& name, auto&& say) {
    const auto i = index_of(name);
    reply(between(1, 20), [this, i, link = nodes_[i].our_link, say] {
      if (nodes_[i].our_link == link && reaches_us(i)) say(nodes_[i]);
    });
  };
  if (const auto* s = std::get_if<action::ask_status>(&any)) {
    talk(s->node, [this](node& n) {
      if (n.stopping) {
        tell(fact::stopping{n.name});
      } else {
        tell(fact::heard{n.name, milliseconds(1)});
      }
    });
  } else if (const auto* w = std::get_if<action::watch>(&any)) {
    talk(w->node, [this](node& n) {
      n.watched = true;
      tell(fact::watching{n.name, true});
    });
  } else if (const auto* a = std::get_if<action::ask_settings>(&any)) {
    talk(a->node, [this](node& n) {
      tell(fact::settings{n.name, "25", pop_, true, {}, ticktime_, setuptime});
    });
  }
}

// ---- scripts

void mesh::discover() {
  std::vector<node_name> listed;
  source_report source{.source = "srv:n@pods.example",
                       .outcome = dns_away_ ? query_outcome::timeout : query_outcome::ok,
                       .detail = "",
                       .asked = true,
                       .records = 0,
                       .last_success = epoch + now_,
                       .nodes = {}};
  if (dns_away_) {
    for (const auto& m : cluster_->snapshot()->members) {
      if (m.listed) listed.push_back(m.name);
    }
    if (listed.empty()) return;
  } else {
    for (const auto& n : nodes_) {
      if (n.listed) listed.push_back(n.name);
    }
  }
  tell(fact::listed{std::move(listed), {std::move(source)}});
}

void mesh::restart_observer() {
  note("we are started anew");
  auto remembered = *cluster_->snapshot()->incidents;
  auto totals = cluster_->snapshot()->totals;
  ++life_;
  facts_.clear();
  asked_.clear();
  quarantined_.clear();
  for (auto& n : nodes_) {
    n.linked_to_us = n.watched = false;
    ++n.our_link;
  }
  cluster_ = std::make_unique<cluster>(settings_);
  if (random(2) == 0) cluster_->restore(std::move(remembered), std::move(totals), {});
  in(milliseconds(1), [this] { discover(); });
}

std::set<std::size_t> mesh::some_nodes(std::size_t count) {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].running) all.push_back(i);
  }
  std::ranges::shuffle(all, random_);
  all.resize(std::min(count, all.size()));
  return {all.begin(), all.end()};
}

// Everything between `some` and the rest is dark for `span`.
void mesh::cut(const std::set<std::size_t>& some, milliseconds span) {
  ++cuts_;
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (const auto a : some) {
    for (std::size_t b = 0; b < nodes_.size(); ++b) {
      if (!some.contains(b) && path(a, b)) pairs.emplace_back(a, b);
    }
  }
  note(fmt::format("{} pairs go dark for {} ms", pairs.size(), span.count()));
  for (const auto& [a, b] : pairs) dark(a, b);
  in(span, [this, pairs] {
    note("and light again");
    for (const auto& [a, b] : pairs) light(a, b);
  });
}

void mesh::benign_fault() {
  const auto i = random(nodes_.size());
  auto& n = nodes_[i];
  switch (random(9)) {
    case 0:  // a crash, and back
      if (!present(i) || n.stopping) break;
      die(i, false);
      in(between(500, 8'000), [this, i] { boot(i); });
      break;
    case 1:  // a rolling deploy, one after the other
      for (std::size_t k = 0; k < nodes_.size(); ++k) {
        in(milliseconds(static_cast<int>(k) * 22'000), [this, k] { stop(k, true); });
      }
      break;
    case 2:
      if (std::ranges::count_if(nodes_, [](const node& o) { return o.running && !o.stopping; }) > 3)
        stop(i, false);
      break;
    case 3:  // a machine is lost with what runs on it: one of many, and is delisted at last
      if (!present(i) || n.stopping || nodes_.size() < 5) break;
      n.for_good = true;
      die(i, true);
      in(between(20'000, 100'000), [this, i] { nodes_[i].listed = false; });
      break;
    case 4:
      // Longer than its peers' tick time it is as good as lost to them.
      freeze(i, ticktime_ > milliseconds(30'000) ? between(500, 29'000) : between(300, 5'000));
      break;
    case 5:
      if (dns_away_) break;
      note("DNS is away");
      dns_away_ = true;
      in(between(5'000, 90'000), [this] { dns_away_ = false; });
      break;
    case 6:
      restart_observer();
      break;
    case 7:  // a new pod
      if (nodes_.size() < most_nodes) {
        const auto fresh = add_node();
        in(between(0, 9'000), [this, fresh] { boot(fresh); });
      }
      break;
    default:  // not ready for a while
      if (!n.running || n.stopping || n.for_good) break;
      n.listed = false;
      in(between(5'000, 60'000), [this, i] {
        if (!nodes_[i].for_good) nodes_[i].listed = true;
      });
  }
}

void mesh::any_fault() {
  switch (random(5)) {
    case 0:
      cut(some_nodes(1 + random(nodes_.size())), between(3'000, 150'000));
      break;
    case 1: {
      const auto two = some_nodes(2);
      if (two.size() < 2) break;
      const auto a = *two.begin(), b = *two.rbegin();
      if (!path(a, b)) break;
      note(nodes_[a].name.text() + " - " + nodes_[b].name.text() + " goes dark");
      dark(a, b, random(3) != 0);
      in(between(2'000, 120'000), [this, a, b] { light(a, b); });
      break;
    }
    case 2: {  // one end closes, the other is not told
      const auto two = some_nodes(2);
      if (two.size() < 2) break;
      const auto a = *two.begin(), b = *two.rbegin();
      if (!path(a, b) || !nodes_[a].sees.contains(b)) break;
      dark(a, b);
      nodedown(a, b, "connection_closed", root::fault, true);
      in(between(100, 4'000), [this, a, b] { light(a, b); });
      break;
    }
    default:
      benign_fault();
  }
}

void mesh::plan_script() {
  const auto long_enough = [&] { return between(25'000, 150'000); };
  const milliseconds begin = between(20'000, 30'000);
  switch (script_) {
    case script::pair:
    case script::flapping: {
      const int times = script_ == script::pair ? 1 : 4;
      const auto a = random(nodes_.size()), b = (a + 1 + random(nodes_.size() - 1)) % nodes_.size();
      milliseconds at = begin;
      for (int i = 0; i < times; ++i) {
        const auto span = script_ == script::pair ? long_enough() : between(4'000, 60'000);
        in(at, [this, a, b] {
          ++cuts_;
          note(nodes_[a].name.text() + " - " + nodes_[b].name.text() + " goes dark");
          dark(a, b);
        });
        in(at + span, [this, a, b] {
          note("and light again");
          light(a, b);
        });
        at += span + between(3'000, 40'000);
      }
      quiet_from_ = at;
      break;
    }
    case script::halves:
    case script::alone: {
      const auto span = long_enough();
      in(begin, [this, span] {
        cut(some_nodes(script_ == script::alone ? 1 : 1 + nodes_.size() / 2 - random(2)), span);
      });
      quiet_from_ = begin + span;
      break;
    }
    case script::three_way: {
      const auto span = long_enough();
      in(begin, [this, span] {
        const auto some = some_nodes(2 * (nodes_.size() / 3));
        std::set<std::size_t> one;
        for (const auto i : some) {
          if (one.size() < some.size() / 2) one.insert(i);
        }
        cut(some, span);
        cut(one, span);
        cuts_ = 1;
      });
      quiet_from_ = begin + span;
      break;
    }
    case script::late_names:
    case script::barred: {
      const auto span = script_ == script::barred ? between(60'000, 120'000) : between(1'000, 20'000);
      in(begin, [this, span] {
        const auto fresh = add_node();
        boot(fresh);
        note(nodes_[fresh].name.text() + " is new");
        if (script_ == script::barred) {
          const auto other = random(fresh);
          dark(fresh, other);
          in(span, [this, fresh, other] { light(fresh, other); });
          return;
        }
        for (std::size_t i = 0; i < fresh; ++i) {
          if (random(2) != 0) nodes_[i].unresolvable.insert(fresh);
          in(between(1, static_cast<int>(span.count())),
             [this, i, fresh] { nodes_[i].unresolvable.erase(fresh); });
        }
        if (random(2) == 0) {
          for (std::size_t i = 0; i < fresh; ++i) nodes_[fresh].unresolvable.insert(i);
          in(span, [this, fresh] { nodes_[fresh].unresolvable.clear(); });
        }
      });
      quiet_from_ = begin + span;
      break;
    }
    case script::observer: {
      const auto span = between(5'000, 150'000);
      in(begin, [this, span] {
        const auto some = some_nodes(random(3) == 0 ? nodes_.size() : nodes_.size() / 2);
        note(fmt::format("we are cut from {} of them", some.size()));
        for (const auto i : some) {
          nodes_[i].dark_to_us = true;
          in(between(static_cast<int>(ticktime_.count() * 3 / 4),
                     static_cast<int>(ticktime_.count() * 5 / 4)),
             [this, i, link = nodes_[i].our_link] {
               if (nodes_[i].dark_to_us && nodes_[i].our_link == link) lose_us(i, reason::tick_timeout);
             });
        }
        in(span, [this, some] {
          note("and not any more");
          for (const auto i : some) nodes_[i].dark_to_us = false;
        });
      });
      quiet_from_ = begin + span;
      break;
    }
    case script::benign:
    case script::everything: {
      milliseconds at = begin;
      const int count = 2 + static_cast<int>(random(5));
      for (int i = 0; i < count; ++i) {
        in(at, [this] { script_ == script::benign ? benign_fault() : any_fault(); });
        at += between(2'000, 40'000);
      }
      // A rolling deploy of all, or a long cut, may have begun with the last one.
      quiet_from_ = at + milliseconds(12 * 22'000 + 30'000);
      break;
    }
  }
}

// ---- rules

void mesh::check(const std::vector<any_action>& actions) {
  for (const auto& any : actions) {
    acted_.push_back(now_);
    const auto* c = std::get_if<action::connect>(&any);
    if (c == nullptr) continue;
    const auto pair = ordered(index_of(c->on), index_of(c->to));
    const auto text = fmt::format("connect {} - {}", c->on.text(), c->to.text());
    if (!asked_.insert(pair).second) broken(text + " while that pair is unanswered");
    if (!quarantined_.contains(pair)) continue;
    const auto proof = proven_.find(pair);
    if (proof == proven_.end() || now_ - proof->second > milliseconds(16'000)) {
      broken(text + ", which is in quarantine, and nothing has proven it");
    }
  }
  std::erase_if(acted_, [&](milliseconds at) { return now_ - at > milliseconds(10'000); });
  if (acted_.size() > most_actions_in_ten_seconds) broken("too many actions in ten seconds");

  const auto s = cluster_->snapshot();
  quarantined_.clear();
  for (const auto& [a, b] : s->quarantined_pairs) {
    quarantined_.insert(ordered(index_of(s->members[a].name), index_of(s->members[b].name)));
  }
  const bool none_allowed =
      script_ == script::benign || script_ == script::observer || script_ == script::late_names;
  for (const auto& i : *s->incidents) {
    if (none_allowed) {
      broken(fmt::format("an incident ({}) opened and nothing was cut", membership::to_string(i.type)));
    }
    // The first pair was cut in truth.
    if (i.confirmed && i.cause && script_ != script::everything) {
      const auto pair = ordered(index_of(i.cause->from), index_of(i.cause->to));
      if (!ever_dark_.contains(pair)) {
        broken(fmt::format("the cause is said to be {} - {} ({}), which was never cut", i.cause->from.text(),
                           i.cause->to.text(), i.cause->reason));
      }
    }
  }
  if (script_ != script::everything && s->incidents->size() > std::max<std::size_t>(cuts_, 1)) {
    broken(fmt::format("{} incidents for {} cuts", s->incidents->size(), cuts_));
  }
}

void mesh::check_end() {
  const auto s = cluster_->snapshot();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i].running || !nodes_[i].listed) continue;
    for (std::size_t j = 0; j < i; ++j) {
      if (!nodes_[j].running || !nodes_[j].listed) continue;
      if (!nodes_[i].sees.contains(j) || !nodes_[j].sees.contains(i)) {
        broken(fmt::format("{} and {} are not connected long after the last fault", nodes_[i].name.text(),
                           nodes_[j].name.text()));
      }
    }
  }
  if (s->links_missing != 0 || s->partitions.size() > 1) broken("a whole mesh is not shown as whole");
  if (!s->quarantine.empty()) broken("somebody is left out of a whole mesh");
  if (std::ranges::any_of(s->suspected_bits, [](auto w) { return w != 0; }))
    broken("a pair of a whole mesh is suspected");
  for (const auto& i : *s->incidents) {
    if (!i.closed_at) broken("an incident is open in a whole mesh");
  }
  const bool expected = script_ == script::pair || script_ == script::halves || script_ == script::alone ||
                        script_ == script::three_way;
  if (expected && s->incidents->size() != 1) {
    broken(fmt::format("{} incidents for one cut that lasted", s->incidents->size()));
  }
}

void mesh::step() {
  if (flaw_ == flaw::skips_quarantine) {
    for (auto& any : facts_) {
      if (auto* p = std::get_if<fact::path_probed>(&any)) p->result = path_probe::reachable;
    }
  }
  const auto facts = std::exchange(facts_, {});
  auto result = cluster_->step(facts, {now_, epoch + now_});
  wake_ = result.wake.steady;
  if (wake_ <= now_) broken("asks to be called again in the past");
  for (const auto& e : result.events) note("  - " + e.text);
  check(result.actions);
  for (const auto& any : result.actions) carry_out(any);
}

void mesh::advance_to(milliseconds end) {
  while (now_ < end && broken_.empty()) {
    auto next = queue_.empty() ? end : std::min(end, queue_.top().when);
    if (!bare_) next = std::min(next, wake_);
    now_ = std::max(now_, next);
    bool due = false;
    while (!queue_.empty() && queue_.top().when <= now_) {
      auto what = std::move(const_cast<event&>(queue_.top()).what);
      queue_.pop();
      what();
      due = true;
    }
    if (!bare_ && (due || now_ >= wake_)) {
      if (!facts_.empty() || now_ >= wake_) step();
    }
  }
}

std::string mesh::run() {
  const auto count = 4 + random(6);
  for (std::size_t i = 0; i < count; ++i) boot(add_node());
  if (random(2) == 0) {
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < i; ++j) join(i, j, root::fault);
    }
  }
  std::function<void()> discovering = [&] {
    discover();
    in(settings_.interval, discovering);
  };
  in(milliseconds(1), discovering);
  plan_script();
  advance_to(quiet_from_);
  if (script_ == script::everything || script_ == script::benign) {
    const auto all = dark_;
    for (const auto& [a, b] : all) light(a, b);
  }
  // Ends that still believe in a link find out by their own tick.
  advance_to(quiet_from_ + ticktime_ * 5 / 4 + settle_intervals * settings_.interval);
  if (broken_.empty()) check_end();
  return broken_;
}

// ---- the model by itself

void mesh::connect_now(std::size_t on, std::size_t to) {
  attempt(
      on, to, root::ours, [](bool) {}, setuptime);
}

std::size_t mesh::boot_another() {
  const auto i = add_node();
  nodes_[i].running = true;
  return i;
}

void mesh::pass(milliseconds span) {
  advance_to(now_ + span);
}

std::vector<std::vector<std::size_t>> mesh::groups() const {
  std::vector<std::vector<std::size_t>> found;
  std::set<std::size_t> placed;
  for (std::size_t first = 0; first < nodes_.size(); ++first) {
    if (!placed.insert(first).second) continue;
    std::vector<std::size_t> group{first};
    for (std::size_t at = 0; at < group.size(); ++at) {
      for (const auto peer : nodes_[group[at]].sees) {
        if (nodes_[peer].sees.contains(group[at]) && placed.insert(peer).second) group.push_back(peer);
      }
    }
    found.push_back(std::move(group));
  }
  std::ranges::stable_sort(found, std::ranges::greater{}, &std::vector<std::size_t>::size);
  return found;
}

}  // namespace rollcall::simulation
