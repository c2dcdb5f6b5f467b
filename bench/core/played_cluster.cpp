#include "bench/core/played_cluster.hpp"

#include <ctime>

#include "bench/core/allocations.hpp"

namespace rollcall::bench {

namespace fact = membership::fact;
namespace action = membership::action;

namespace {

constexpr milliseconds net_setup_time{7'000};
constexpr membership::wall_time epoch{milliseconds(1'700'000'000'000)};

membership::settings like_the_program() {
  membership::settings s;
  s.watch = s.probe = true;
  return s;
}

// What reading one of them took, about, with all that goes before it (a handshake, a question), where half of
// a thousand nodes came back to the program over sockets.
std::chrono::microseconds reading_time(const membership::any_fact& told) {
  using std::chrono::microseconds;
  if (std::holds_alternative<fact::link_up>(told)) return microseconds(1'500);
  if (std::holds_alternative<fact::view>(told)) return microseconds(200);
  if (std::holds_alternative<fact::peer_changed>(told)) return microseconds(3);
  return microseconds(60);
}

double cpu_ms() {
  timespec spent{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) * 1e3 + static_cast<double>(spent.tv_nsec) / 1e6;
}

}  // namespace

played_cluster::played_cluster(std::size_t size, bool linked, milliseconds rest)
    : mesh_(size, linked,
            [this](mesh::index on, mesh::index peer, bool up, std::string_view why) {
              if (linked_[on] && watched_[on]) {
                at(answer_time_, fact::peer_changed{names_[on], names_[peer], up, std::string(why)});
              }
            }),
      linked_(size),
      watched_(size),
      last_views_(size),
      core_(like_the_program()),
      shown_(core_.snapshot()),
      rest_(rest) {
  fact::listed listed;
  for (mesh::index i = 0; i < size; ++i) {
    auto name = *node_name::parse("n@10.20." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1));
    indices_.emplace(name.text(), i);
    names_.push_back(name);
    listed.nodes.push_back(std::move(name));
  }
  at(milliseconds(0), std::move(listed));
}

void played_cluster::at(milliseconds after, membership::any_fact told) {
  coming_.emplace(now_ + after, std::move(told));
}

void played_cluster::stop(mesh::index node) {
  mesh_.stop(node);
  if (!linked_[node]) return;
  linked_[node] = watched_[node] = false;
  last_views_[node].reset();
  at(answer_time_, fact::link_down{names_[node], membership::reason::closed, "closed the connection"});
}

void played_cluster::start(mesh::index node) {
  mesh_.start(node);
}

std::chrono::microseconds played_cluster::next_read() const {
  const auto& [when, told] = *coming_.begin();
  if (!in_turn_) return when;
  return std::max<std::chrono::microseconds>(when, read_until_) + reading_time(told);
}

void played_cluster::step() {
  std::vector<membership::any_fact> facts;
  while (!coming_.empty() && next_read() <= now_) {
    read_until_ = next_read();
    facts.push_back(std::move(coming_.begin()->second));
    coming_.erase(coming_.begin());
  }
  const auto allocated = allocations();
  const auto begun = cpu_ms();
  const membership::moment at{membership::steady_time(now_), epoch + now_};
  core_.take(facts, at);
  const auto taken = cpu_ms();
  auto result = core_.step({}, at);
  if (result.changed) shown_ = core_.snapshot();
  const auto ended = cpu_ms(), took = ended - begun;
  spent_.allocations += allocations() - allocated;
  spent_.cpu_ms += took;
  spent_.worst_step_ms = std::max(spent_.worst_step_ms, took);
  spent_.worst_piece_ms = std::max(spent_.worst_piece_ms, ended - taken);
  ++spent_.steps;
  spent_.facts += facts.size();
  spent_.actions += result.actions.size();
  wake_ = result.wake.steady.time_since_epoch();
  next_step_ = now_ + rest_;
  for (const auto& any : result.actions) {
    std::visit([this](const auto& what) { carry_out(what); }, any);
  }
}

void played_cluster::pass(milliseconds span) {
  const auto end = now_ + span;
  while (true) {
    auto next = wake_;
    if (!coming_.empty()) {
      next = std::min(next, std::max(std::chrono::ceil<milliseconds>(next_read()), next_step_));
    }
    if (mesh_.join_some()) next = std::min(next, now_ + milliseconds(1));
    if (next >= end) break;
    now_ = std::max(next, now_ + milliseconds(1));
    const bool told = !coming_.empty() && next_read() <= now_ && now_ >= next_step_;
    if (told || now_ >= wake_) step();
  }
  now_ = end;
}

milliseconds played_cluster::until(milliseconds limit,
                                   bool (*holds)(const membership::snapshot&, std::size_t size)) {
  const auto begun = now_;
  while (now_ - begun < limit && !holds(*shown_, size())) pass(milliseconds(10));
  return now_ - begun;
}

played_cluster::spent played_cluster::take() {
  return std::exchange(spent_, {});
}

void played_cluster::carry_out(const action::dial& a) {
  const auto i = index(a.node);
  if (!mesh_.runs(i)) {
    at(answer_time_, fact::dial_failed{a.node,
                                       membership::reason::not_registered,
                                       "not registered",
                                       {},
                                       membership::dial_step::port_mapper});
    return;
  }
  linked_[i] = true;
  at(answer_time_, fact::link_up{a.node, mesh_.creation(i), true});
}

name_list played_cluster::visible(mesh::index on) const {
  name_list seen;
  for (mesh::index other = 0; other < size(); ++other) {
    if (mesh_.linked(on, other)) seen.add(names_[other].text());
  }
  return seen;
}

void played_cluster::carry_out(const action::ask_view& a) {
  ++spent_.views_asked;
  const auto i = index(a.node);
  if (!linked_[i]) return;
  auto seen = visible(i);
  last_views_[i] = seen.digest();
  at(answer_time_, fact::view{a.node, std::move(seen), milliseconds(1)});
}

void played_cluster::carry_out(const action::confirm_view& a) {
  const auto i = index(a.node);
  if (!linked_[i]) return;
  ++spent_.confirmations_asked;
  const auto digest = visible(i).digest();
  const auto told = last_views_[i] == digest ? std::optional(digest) : std::nullopt;
  at(answer_time_, fact::view_confirmed{a.node, told, milliseconds(1)});
}

void played_cluster::carry_out(const action::ask_status& a) {
  ++spent_.statuses_asked;
  if (linked_[index(a.node)]) at(answer_time_, fact::heard{a.node, milliseconds(1), true});
}

void played_cluster::carry_out(const action::ask_settings& a) {
  at(answer_time_, fact::settings{a.node, "25", true, true, "once", milliseconds(60'000), net_setup_time});
}

void played_cluster::carry_out(const action::watch& a) {
  const auto i = index(a.node);
  if (!linked_[i]) return;
  watched_[i] = true;
  at(answer_time_, fact::watching{a.node, true});
}

void played_cluster::carry_out(const action::probe_links& a) {
  const auto on = index(a.on);
  fact::links_probed told{a.id, {}};
  bool late = false;
  for (const auto& name : a.to) {
    const auto to = index(name);
    auto result = membership::link_probe::no_word;
    ++spent_.probes_asked;
    if (linked_[on]) {
      result = !mesh_.linked(on, to)               ? membership::link_probe::no_link
               : mesh_.path(on, to) && linked_[to] ? membership::link_probe::answered
                                                   : membership::link_probe::silent;
    }
    late |= result == membership::link_probe::silent || result == membership::link_probe::no_word;
    told.results.push_back(result);
  }
  at(late ? a.limit : answer_time_, std::move(told));
}

void played_cluster::carry_out(const action::probe_path& a) {
  ++spent_.paths_asked;
  const auto on = index(a.on), to = index(a.to);
  const auto result = !mesh_.path(on, to) ? membership::path_probe::timeout
                      : !mesh_.runs(to)   ? membership::path_probe::refused
                                          : membership::path_probe::reachable;
  at(result == membership::path_probe::timeout ? a.limit : answer_time_, fact::path_probed{a.id, result});
}

void played_cluster::carry_out(const action::connect& a) {
  ++spent_.connects_asked;
  const auto on = index(a.on), to = index(a.to);
  const bool connected = mesh_.connect(on, to);
  const auto took = connected || !mesh_.runs(to) ? answer_time_ : net_setup_time;
  at(took, fact::connect_result{
               a.id,
               connected ? membership::connect_outcome::connected : membership::connect_outcome::failed,
               took,
               {}});
}

}  // namespace rollcall::bench
