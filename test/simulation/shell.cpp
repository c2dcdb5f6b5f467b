#include "test/simulation/shell.hpp"

#include <utility>

namespace rollcall::simulation {

using namespace membership;

shell::shell(timeline& time, network& net, beam_mesh& mesh, name_service& names, settings how,
             beam_mesh::listener& tell)
    : time_(time), net_(net), mesh_(mesh), names_service_(names), settings_(how), tell_(tell) {}

void shell::add(place i, const std::string& text) {
  if (i != names_.size()) throw std::logic_error("nodes are added in order");
  names_.push_back(node_name::parse(text).value());
  by_name_[text] = i;
  ours_.emplace_back();
}

// ---- its life

void shell::start() {
  ++life_;
  started_ = time_.now();
  cluster_ = std::make_unique<cluster>(settings_);
  later(milliseconds(1), [this] { discover(); });
  wake_ = time_.now();
}

void shell::stop() {
  if (!running()) return;
  remembered_ = *cluster_->snapshot()->incidents;
  totals_ = cluster_->snapshot()->totals;
  ++life_;
  facts_.clear();
  dialling_.clear();
  viewing_.clear();
  last_views_.clear();
  asking_.clear();
  new_names_.clear();
  for (auto& l : ours_) l = {.up = false, .number = l.number + 1, .deafness = l.deafness};
  cluster_.reset();
  wake_ = milliseconds::max();
  rests_until_ = milliseconds(0);
  stalled_by_ = no_fault;
  listing_is_late_ = false;
}

void shell::restart(bool with_its_state) {
  stop();
  start();
  if (with_its_state) cluster_->restore(remembered_, totals_, {});
}

void shell::stall(fault_id by) {
  if (!running() || stalled()) return;
  stalled_by_ = by;
  ++stalls_;
  tell_.bit(by);
  for (place i = 0; i < ours_.size(); ++i) {
    if (!ours_[i].up) continue;
    const auto tick = mesh_[i].kernel.ticktime.count();
    later(time_.weather.between(tick * 3 / 4, tick * 5 / 4),
          [this, i, number = ours_[i].number, this_one = stalls_] {
            const bool still = stalled() && stalls_ == this_one && ours_[i].number == number;
            if (still && reaches(i)) lose(i, reason::closed);
          });
  }
}

void shell::resume() {
  if (!stalled()) return;
  tell_.bit(stalled_by_);
  stalled_by_ = no_fault;
  if (std::exchange(listing_is_late_, false)) read_listing();
}

// As app/pace.hpp has it: a step of hundreds of members leaves others four times what it took, 50 ms at most.
milliseconds shell::rest() const {
  const auto members = static_cast<std::int64_t>(mesh_.size());
  return milliseconds(members < 100 ? 0 : std::min<std::int64_t>(members / 10, 50));
}

milliseconds shell::wake() const noexcept {
  if (stalled()) return milliseconds::max();
  return facts_.empty() ? wake_ : std::min(wake_, rests_until_);
}

const step_result* shell::step_if_due() {
  if (!running() || stalled() || time_.now() < wake()) return nullptr;
  const auto facts = std::exchange(facts_, {});
  result_ = cluster_->step(facts, {membership::steady_time(time_.now()), epoch + time_.now()});
  wake_ = result_.wake.steady.time_since_epoch();
  rests_until_ = time_.now() + rest();
  for (const auto& any : result_.actions) carry_out(any);
  return &result_;
}

// ---- answers take their time

void shell::later(milliseconds span, std::function<void()> what) {
  time_.in(span, [this, life = life_, what = std::move(what)] {
    if (life == life_) what();
  });
}

milliseconds shell::wait(place i, std::int64_t low, std::int64_t high) {
  auto span = time_.weather.between(low, high) + mesh_[i].slow + ours.slow;
  if (mesh_[i].slow > milliseconds(0)) tell_.bit(mesh_[i].slow_by);
  if (ours.slow > milliseconds(0)) tell_.bit(ours.slow_by);
  if (ours.late > 0 && time_.weather.draw(100) < ours.late) {
    tell_.bit(ours.late_by);
    span += time_.weather.between(500, 9'000);
    unwell_until_ = std::max(unwell_until_, time_.now() + span);
  }
  return span;
}

bool shell::without_word() {
  if (ours.without_word == 0 || time_.weather.draw(100) >= ours.without_word) return false;
  tell_.bit(ours.without_word_by);
  unwell_until_ = std::max(unwell_until_, time_.now() + call_limit);
  return true;
}

void shell::bite(place i) {
  if (const auto by = net_.find_either(observer, i, obstacle::drop)) tell_.bit(*by);
  if (mesh_[i].frozen) tell_.bit(mesh_[i].frozen_by);
}

// Said by a node over its link to us; lost with that link.
void shell::answer(place i, milliseconds span, std::function<void()> what) {
  later(span, [this, i, number = ours_[i].number, what = std::move(what)]() mutable {
    if (ours_[i].number != number || !ours_[i].up) return;
    if (reaches(i)) return what();
    // What was written into a socket arrives when packets pass again, or the link ends.
    constexpr milliseconds resent{200};
    answer(i, resent, std::move(what));
  });
}

// ---- our links

bool shell::reaches(place i) const {
  return ours_[i].up && ours_[i].boots == mesh_[i].boots && mesh_.present(i) && !net_.dark(observer, i);
}

void shell::lose(place i, reason why) {
  auto& l = ours_[i];
  if (!l.up) return;
  l = {.up = false, .number = l.number + 1, .deafness = l.deafness};
  // A call over it ends with it.
  for (const auto& end : std::exchange(asking_[i], {})) end();
  later(time_.weather.between(0, 5), [this, i, why] {
    viewing_.erase(i);
    tell(fact::link_down{names_[i], why, "simulated"});
  });
}

void shell::listen(place i) {
  auto& l = ours_[i];
  const bool deaf = l.deafness % 2 != 0;
  if (!l.up || reaches(i)) {
    if (deaf) ++l.deafness;
    return;
  }
  if (deaf) return;
  ++l.deafness;
  const auto tick = mesh_[i].kernel.ticktime.count();
  later(time_.weather.between(tick * 3 / 4, tick * 5 / 4),
        [this, i, number = l.number, deafness = l.deafness] {
          if (ours_[i].number != number || ours_[i].deafness != deafness) return;
          if (const auto by = net_.find_either(observer, i, obstacle::drop)) tell_.bit(*by);
          lose(i, reason::tick_timeout);
        });
}

void shell::path_changed(place i) {
  if (running()) listen(i);
}

void shell::frozen_or_thawed(place i) {
  if (running()) listen(i);
}

void shell::ended(place i) {
  if (!running()) return;
  if (mesh_[i].lost || net_.dark(observer, i)) return listen(i);
  lose(i, reason::closed);
}

// What we send next over the link to the run before is answered with a reset.
void shell::booted(place i) {
  if (!running() || !ours_[i].up) return;
  later(time_.weather.between(1, settings_.interval.count()), [this, i, number = ours_[i].number] {
    if (ours_[i].number == number && !net_.dark(observer, i) && mesh_.present(i)) lose(i, reason::closed);
  });
}

// ---- discovery

void shell::discover() {
  later(settings_.interval, [this] { discover(); });
  if (stalled()) {
    listing_is_late_ = true;
  } else {
    read_listing();
  }
}

void shell::read_listing() {
  auto& dns = names_service_;
  dns.history[time_.now()] = dns.listed;
  source_report source{.source = "srv:n@pods.example",
                       .outcome = dns.away ? query_outcome::timeout : query_outcome::ok,
                       .detail = "",
                       .asked = true,
                       .records = 0,
                       .last_success = epoch + last_good_,
                       .nodes = {}};
  if (dns.away) {
    tell_.bit(dns.away_by);
    if (last_good_ == milliseconds(0)) return;
  } else {
    const auto* answer = &dns.listed;
    if (dns.cached_for > milliseconds(0)) {
      // What was asked at the last multiple of the cache's time.
      const auto asked = time_.now() - time_.now() % dns.cached_for;
      auto entry = dns.history.upper_bound(asked);
      if (entry != dns.history.begin()) answer = &std::prev(entry)->second;
      if (*answer != dns.listed) tell_.bit(dns.cached_by);
    }
    last_good_ = time_.now();
    source.last_success = epoch + last_good_;
    told_ = *answer;
  }
  while (dns.history.size() > 1 &&
         std::next(dns.history.begin())->first < time_.now() - milliseconds(60'000)) {
    dns.history.erase(dns.history.begin());
  }
  std::vector<node_name> listed;
  for (const auto i : told_) listed.push_back(names_[i]);
  source.records = listed.size();
  source.nodes = listed;
  tell(fact::listed{std::move(listed), {std::move(source)}});
}

// ---- actions

void shell::dial(const action::dial& asked) {
  const auto i = at(asked.node);
  if (!dialling_.insert(i).second) asked_twice_ = asked.node.text() + " is dialled while it is being dialled";
  const auto fail = [&](milliseconds after, reason why, dial_step step) {
    later(after, [this, i, why, step] {
      dialling_.erase(i);
      tell(fact::dial_failed{names_[i], why, "simulated", {}, step});
    });
  };
  const auto will = mesh_.look(observer, i);
  if (will.what != fate::links) tell_.bit(will.by);
  if (will.because == obstacle::unresolved) return fail(wait(i, 1, 20), reason::dns, dial_step::dns);
  if (will.what == fate::hangs) {
    const bool mapper = will.because == obstacle::mapper;
    return fail(dial_limit, reason::timeout, mapper ? dial_step::port_mapper : dial_step::tcp);
  }
  if (will.because == obstacle::refused_handshake)
    return fail(wait(i, 1, 30), reason::cookie, dial_step::handshake);
  if (will.because == obstacle::closing_door)
    return fail(wait(i, 1, 30), reason::handshake, dial_step::handshake);
  if (will.what == fate::fails_at_once) return fail(wait(i, 1, 20), reason::refused, dial_step::tcp);
  later(wait(i, 1, 30), [this, i] {
    dialling_.erase(i);
    if (mesh_.look(observer, i).what != fate::links) {
      tell(fact::dial_failed{
          names_[i], mesh_[i].running ? reason::timeout : reason::refused, "simulated", {}});
      return;
    }
    auto& l = ours_[i];
    if (!l.up)
      l = {.up = true,
           .number = l.number + 1,
           .deafness = (l.deafness + 2U) & ~1U,
           .boots = mesh_[i].boots,
           .since = time_.now()};
    auto& its = new_names_[i];
    if (its.boots != mesh_[i].boots || its.since == milliseconds(0))
      its = {.boots = mesh_[i].boots, .since = time_.now()};
    tell(fact::link_up{names_[i], mesh_[i].creation, true, mesh_[i].kernel.release <= 23});
  });
}

void shell::ask_view(const action::ask_view& asked) {
  const auto i = at(asked.node);
  const auto number = ours_[i].number;
  if (!viewing_.insert(i).second)
    asked_twice_ = asked.node.text() + " is asked for its view while it is being asked";
  if (!reaches(i)) bite(i);
  const bool mute = !reaches(i) || without_word();
  const auto takes = mute ? call_limit : wait(i, 1, 20);
  const auto at_most = std::min(takes, call_limit);
  const bool in_time = !mute && takes <= call_limit;
  // The node looks at once; its answer is on its way.
  std::vector<node_name> seen;
  if (in_time) mesh_.each_peer(i, [&](place peer) { seen.push_back(names_[peer]); });
  later(at_most, [this, i, number, in_time, takes, said = ours_[i].said, seen = std::move(seen)] {
    if (ours_[i].number != number || !ours_[i].up) return;
    viewing_.erase(i);
    if (!in_time || !reaches(i)) {
      tell(fact::view_failed{names_[i], reason::timeout, "simulated"});
    } else {
      tell_what_was_said(i, said);
      last_views_[i] = {.link = number, .digest = name_list(seen).digest()};
      tell(fact::view{names_[i], seen, takes});
    }
  });
}

void shell::ask_settings(place i) {
  // A question that nobody answers ends all the same, and tells nothing (app/questions.cpp).
  if (without_word()) {
    return later(settings_limit, [this, i] {
      tell(fact::settings{.node = names_[i],
                          .otp_release = {},
                          .prevent_overlapping_partitions = {},
                          .connect_all = {},
                          .dist_auto_connect = {},
                          .net_ticktime = {},
                          .net_setuptime = {}});
    });
  }
  answer(i, wait(i, 1, 20), [this, i] {
    const auto& k = mesh_[i].kernel;
    fact::settings told{.node = names_[i],
                        .otp_release = std::to_string(k.release),
                        .prevent_overlapping_partitions = {},
                        .connect_all = k.connect_all,
                        .dist_auto_connect = {},
                        .net_ticktime = k.ticktime,
                        .net_setuptime = k.setuptime};
    if (k.release >= 25) told.prevent_overlapping_partitions = k.prevent_overlapping;
    if (!k.auto_connect) told.dist_auto_connect = "never";
    tell(std::move(told));
  });
}

link_probe shell::probe(place on, place to, bool confirm) const {
  if (const auto by = net_.find_either(on, to, obstacle::drop)) tell_.bit(*by);
  if (mesh_[to].frozen) tell_.bit(mesh_[to].frozen_by);
  if (!mesh_.sees(on, to)) return link_probe::no_link;
  if (!ours_[to].up || (confirm && !reaches(to))) return link_probe::no_word;
  return mesh_.hears(on, to) && mesh_.hears(to, on) && reaches(to) ? link_probe::answered
                                                                   : link_probe::silent;
}

void shell::probe_links(const action::probe_links& asked) {
  const auto on = at(asked.on);
  if (!reaches(on)) bite(on);
  const bool mute = !reaches(on) || without_word();
  auto takes = mute ? asked.limit : wait(on, 2, 20);
  // What was not heard of by then says nothing (app/probes.cpp).
  const bool late = takes > asked.limit;
  std::vector<link_probe> results;
  for (const auto& name : asked.to) {
    const auto to = at(name);
    auto result = mute || late ? link_probe::no_word : probe(on, to, asked.confirm);
    if (result == link_probe::answered && takes + mesh_[to].slow > asked.limit) {
      // Too slow for us; directly it does not answer in time either.
      result = asked.confirm ? link_probe::no_word : link_probe::silent;
    }
    if (result != link_probe::answered && result != link_probe::no_link) takes = std::max(takes, asked.limit);
    results.push_back(result);
  }
  later(std::min(takes, asked.limit), [this, id = asked.id, results] {
    tell(fact::links_probed{id, results});
  });
}

// A hidden link, closed again: what `global` does not see changes nothing in the mesh.
void shell::try_handshake(const action::probe_path& asked) {
  const auto on = at(asked.on), to = at(asked.to);
  const auto& there = mesh_[on];
  auto result = path_probe::no_word;
  auto takes = asked.limit;
  if (reaches(on) && !there.closing && !without_word()) {
    const auto will = mesh_.look(on, to);
    if (will.what != fate::links) tell_.bit(will.by);
    const bool hangs = will.what == fate::hangs;
    takes = wait(on, 2, 40) + mesh_[to].slow + (hangs ? there.kernel.setuptime : milliseconds(0));
    if (takes > asked.limit) {
      takes = asked.limit;
    } else if (!mesh_.sees(on, to)) {
      result = will.what == fate::links ? path_probe::reachable : path_probe::refused;
    }
  }
  later(takes, [this, id = asked.id, result] { tell(fact::path_probed{id, result}); });
}

// What is asked for in one moment is looked up by all who ask, and one answer that differs counts for all.
bool shell::name_known(place on, place whose, milliseconds patience) {
  constexpr milliseconds pause{2'000};
  const auto at = new_names_.find(whose);
  const auto now = time_.now();
  if (at == new_names_.end() || now - at->second.since >= patience) return true;
  auto& its = at->second;
  if (its.known_since >= milliseconds(0) && its.known_since < now) return true;
  if (its.failed_at >= milliseconds(0) && its.failed_at < now && now - its.failed_at < pause) return false;
  if (const auto by = net_.find(on, whose, obstacle::unresolved)) {
    tell_.bit(*by);
    its.failed_at = now;
    its.known_since = milliseconds(-1);
    return false;
  }
  if (its.failed_at != now && its.known_since < milliseconds(0)) its.known_since = now;
  return true;
}

void shell::probe_path(const action::probe_path& asked) {
  if (asked.port == probed_port::handshake) return try_handshake(asked);
  const auto on = at(asked.on), to = at(asked.to);
  auto result = path_probe::reachable;
  auto takes = wait(on, 2, 20);
  const auto dark = net_.find_either(on, to, obstacle::drop);
  const auto& there = mesh_[to];
  if (!reaches(on) || without_word()) {
    result = path_probe::no_word;
    takes = asked.limit + milliseconds(1'000);
  } else if (const auto mute = net_.find(observer, on, obstacle::no_ports)) {
    tell_.bit(*mute);
    result = path_probe::no_word;
    takes = time_.weather.between(1, 4);
  } else if (const auto by = net_.find(on, to, obstacle::unresolved)) {
    tell_.bit(*by);
    result = path_probe::unresolved;
  } else if (const auto waits = settings_.introduce_timeout;
             asked.port == probed_port::distribution &&
             (!name_known(on, to, 2 * waits) || (ours_[to].up && !name_known(to, on, waits / 2)))) {
    result = path_probe::unresolved;
  } else if (dark || (!there.running && there.lost)) {
    tell_.bit(dark ? *dark : there.gone_by);
    result = path_probe::timeout;
    takes = asked.limit;
  } else if (const auto blocked = net_.find(on, to, obstacle::mapper);
             blocked && asked.port == probed_port::mapper) {
    tell_.bit(*blocked);
    result = path_probe::timeout;
    takes = asked.limit;
  } else if (!there.running || net_.find(on, to, obstacle::refuse)) {
    result = path_probe::refused;
  }
  if (const auto given_up = asked.limit + milliseconds(1'000);
      takes > given_up) {  // app/probes.cpp: call_margin
    takes = given_up;
    result = path_probe::no_word;
  }
  later(takes, [this, id = asked.id, result] { tell(fact::path_probed{id, result}); });
}

void shell::connect(const action::connect& asked) {
  const auto on = at(asked.on), to = at(asked.to);
  const auto index = connects_.size();
  connects_.push_back({.at = time_.now(), .on = on, .to = to, .life = life_});
  const auto told = std::make_shared<bool>(false);
  // A node that answers after a restart answers the life before, and numbers begin at one in each.
  const auto result = [this, life = life_, id = asked.id, index, told](milliseconds after,
                                                                       connect_outcome outcome) {
    if (life != life_) return;
    later(after, [this, id, index, told, outcome] {
      if (std::exchange(*told, true)) return;
      connects_[index].answered = true;
      connects_[index].outcome = outcome;
      connects_[index].answered_at = time_.now();
      tell(fact::connect_result{id, outcome, milliseconds(1), "simulated"});
    });
  };
  if (!ours_[on].up) return result(milliseconds(0), connect_outcome::error);
  asking_[on].push_back([result] { result(milliseconds(0), connect_outcome::error); });
  result(asked.limit, connect_outcome::timeout);
  if (!reaches(on)) return;
  const bool mute = without_word();
  time_.in(time_.weather.between(0, 3) + mesh_[on].slow / 2, [this, on, to, result, mute] {
    if (!mesh_.present(on)) return;
    if (mesh_[on].closing) return result(wait(on, 0, 3), connect_outcome::ignored);
    mesh_.connect(on, to, cause::ours(), [this, on, result, mute](bool connected) {
      if (mute || !reaches(on)) return;
      result(wait(on, 0, 3), connected ? connect_outcome::connected : connect_outcome::failed);
    });
  });
}

void shell::carry_out(const any_action& any) {
  if (const auto* d = std::get_if<action::dial>(&any)) return dial(*d);
  if (const auto* v = std::get_if<action::ask_view>(&any)) return ask_view(*v);
  if (const auto* c = std::get_if<action::confirm_view>(&any)) return confirm_view(at(c->node));
  if (const auto* l = std::get_if<action::probe_links>(&any)) return probe_links(*l);
  if (const auto* p = std::get_if<action::probe_path>(&any)) return probe_path(*p);
  if (const auto* c = std::get_if<action::connect>(&any)) return connect(*c);
  if (const auto* a = std::get_if<action::ask_settings>(&any)) return ask_settings(at(a->node));
  if (const auto* w = std::get_if<action::watch>(&any)) return watch(at(w->node));
  if (const auto* s = std::get_if<action::ask_status>(&any)) return ask_status(at(s->node));
  if (const auto* l = std::get_if<action::leave_mesh>(&any)) {
    const auto i = at(l->node);
    return later(time_.weather.between(1, 5), [this, i] {
      if (reaches(i)) mesh_.leave(i);
    });
  }
  if (const auto* h = std::get_if<action::hang_up>(&any)) return lose(at(h->node), reason::closed);
}

}  // namespace rollcall::simulation
