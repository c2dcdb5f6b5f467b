// Rounds: what discovery answers becomes who is listed, and how each is dialled.
#include "app/engine_implementation.hpp"

namespace rollcall::app {

using namespace std::chrono_literals;

namespace {

constexpr milliseconds memory_kept = 10'000ms;
constexpr milliseconds cookie_pause = 1'000ms;

}  // namespace

// As while it runs, an empty file may be filled: a container that ended instead would be started again
// later each time.
asio::awaitable<void> engine::implementation::until_there_is_a_cookie() {
  if (!cookies_.cookies().empty()) co_return;
  log_.warning(cookies_.problem() + "; no node is dialled until it holds one");
  while (cookies_.cookies().empty() && !stopping_) {
    next_round_.expires_after(cookie_pause);
    boost::system::error_code ignored;
    co_await next_round_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (!stopping_) refresh_cookies();
  }
}

asio::awaitable<void> engine::implementation::rounds() {
  auto self = shared_from_this();
  co_await until_there_is_a_cookie();
  auto due = std::chrono::steady_clock::now();
  while (!stopping_) {
    const auto begun = std::chrono::steady_clock::now();
    refresh_cookies();
    refresh_tls();
    auto round = co_await roster_.refresh();
    co_await others_turn();
    if (stopping_) co_return;
    while (taking_ && !stopping_) co_await others_turn();  // facts of a step before this round's
    if (stopping_) co_return;
    list(std::move(round));
    step();
    while (taking_ && !stopping_) co_await others_turn();
    co_await look_out();
    if (stopping_) co_return;
    // Members that are mute, each from another moment on, would leave no moment without a view to wait for.
    const auto latest = due + configuration_.interval;
    while (views_awaited_ > 0 && !stopping_ && std::chrono::steady_clock::now() < latest) {
      views_answered_.expires_at(latest);
      boost::system::error_code ignored;
      co_await views_answered_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    if (stopping_) co_return;
    const auto ended = std::chrono::steady_clock::now();
    last_round_ = ended;
    exporter_.round(in_seconds(ended - begun), now().wall);
    // What a mesh that forms, or a burst of probes, took for a moment is given back.
    if (ended - trimmed_ >= memory_kept) {
      trimmed_ = ended;
      ::malloc_trim(0);
    }
    due = std::max(due + configuration_.interval, ended);
    // What an answer says until when it holds: then is the moment to ask again.
    if (fresh_for_ && *fresh_for_ >= configuration_.interval / 2) due = std::min(due, begun + *fresh_for_);
    next_round_.expires_at(std::exchange(round_requested_, false) ? ended : due);
    boost::system::error_code woken;
    co_await next_round_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    if (woken) due = std::chrono::steady_clock::now();
    round_requested_ = false;
  }
}

void engine::implementation::start_round() {
  if (stopping_) return;
  round_requested_ = true;
  tell(fact::round_requested{});
  next_round_.cancel();
}

void engine::implementation::refresh_cookies() {
  std::string problem;
  if (cookies_.refresh(problem)) {
    node_->cookies(cookies_.cookies());
    log_.info("the cookie file changed; handshakes from now on use it",
              {{"file", configuration_.cookie_file}});
    introductions_.try_again();
    tell(fact::cookies_changed{});
  }
  if (!problem.empty()) log_.warning(problem);
}

void engine::implementation::refresh_tls() {
  std::string problem;
  if (tls_.refresh(problem)) {
    node_->tls(tls_.current());
    log_.info("the files of TLS with nodes changed; connections from now on use them, links stay");
    introductions_.try_again();
    show_certificate();
  }
  if (!problem.empty()) log_.warning(problem);
}

void engine::implementation::show_certificate() {
  if (!tls_.current() || !tls_.current()->valid()) return;
  const auto& valid = *tls_.current()->valid();
  show(fact::certificate{wall_time_of(valid.begin), wall_time_of(valid.end)});
}

void engine::implementation::show(const fact::certificate& shown) {
  if (!standing_by_) return tell(shown);
  core_.show(shown);
  snapshot_ = core_.snapshot();
}

void engine::show_http_certificate(const tls::context::period& valid) {
  implementation_->show(
      fact::certificate{wall_time_of(valid.begin), wall_time_of(valid.end), fact::certificate::of::http});
}

void engine::implementation::list(discovery::round round) {
  for (const auto i : round.queried)
    exporter_.query(round.sources[i].source, outcome_of(round.sources[i].outcome));
  reporter_.listed(round);
  fresh_for_ = round.fresh_for;
  if (standing_by_) {
    keep_entries(std::move(round.entries));
    return;
  }
  look_at_places(round);
  listed_once_ = true;
  take(std::move(round));
}

// Who is not linked is looked for once the step of the round is made, a few milliseconds at a time.
asio::awaitable<void> engine::implementation::look_out() {
  const auto all = snapshot_;
  for (std::size_t next = 0; next < all->members.size();) {
    co_await others_turn();
    if (stopping_ || standing_by_) co_return;
    next = lookouts_.look(shared_from_this(), *all, next);
  }
  if (!stopping_ && !standing_by_) others_.look(shared_from_this());
}

asio::awaitable<void> engine::implementation::others_turn() {
  co_await asio::post(io_, asio::use_awaitable);
}

// The last answers again, after something was learned of their nodes.
void engine::implementation::review() {
  auto round = roster_.review();
  reporter_.listed(round);
  // What a place is called, or that it is leaving, may have changed with it.
  if (std::exchange(news_, false)) look_at_places(round);
  take(std::move(round));
}

// Names are learned in bursts: once for all of a moment.
void engine::implementation::review_soon() {
  if (stopping_ || standing_by_ || std::exchange(review_posted_, true)) return;
  asio::post(io_, [self = shared_from_this()] {
    self->review_posted_ = false;
    if (!self->stopping_ && !self->standing_by_) self->review();
  });
}

// What is listed from now on.
void engine::implementation::take(discovery::round round) {
  fact::listed listed;
  keep_entries(std::move(round.entries));
  for (const auto& [name, entry] : entries_) {
    listed.nodes.push_back(name);
    if (entry.learned && configuration_.mesh == mesh_mode::base)
      listed.bases.emplace(name, std::string(name.alive()));
    if (entry.placed)
      listed.placed.emplace(
          name, membership::placement{entry.placed->machine, entry.placed->zone, entry.placed->leaving});
  }
  for (auto& source : round.sources) listed.sources.push_back(report_of(std::move(source)));
  for (auto& source : listed.sources) introductions_.tell(source);
  succession_.keep([this](const node_name& n) { return entries_.contains(n) || snapshot_->find(n.text()); });
  tell(std::move(listed));
}

void engine::implementation::keep_entries(std::vector<discovery::entry> listed) {
  std::erase_if(listed, [this](const discovery::entry& each) {
    return !each.pattern.empty() || each.name == *configuration_.name;
  });
  for (auto& each : introductions_.names()) listed.push_back(std::move(each));
  const auto kept = [](const discovery::entry& one, const auto& known) { return one == known.second; };
  if (std::ranges::equal(listed, entries_, kept)) return;
  std::map<node_name, discovery::entry> entries;
  for (auto& entry : listed) {
    if (entry.name == *configuration_.name) continue;
    auto name = entry.name;
    entries.emplace(std::move(name), std::move(entry));
  }
  entries_ = std::move(entries);
}

}  // namespace rollcall::app
