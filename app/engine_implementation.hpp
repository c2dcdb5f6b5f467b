// What an engine is made of, and the parts of its work by file: engine_steps.cpp (facts in, actions out),
// engine.cpp (what others ask), engine_listing.cpp (rounds, and who is listed), engine_dials.cpp (dials),
// engine_succession.cpp (two under one name), engine_links.cpp (what links say).
#pragma once

#include "app/engine.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <functional>
#include <iterator>
#include <map>
#include <random>
#include <set>

#include "app/answers.hpp"
#include "app/call_turns.hpp"
#include "app/descriptors.hpp"
#include "app/inquiry.hpp"
#include "app/introductions.hpp"
#include "app/lookouts.hpp"
#include "app/network.hpp"
#include "app/other_rollcalls.hpp"
#include "app/pace.hpp"
#include "app/pod_events.hpp"
#include "app/questions.hpp"
#include "app/reason.hpp"
#include "app/record.hpp"
#include "app/reporter.hpp"
#include "app/subscriptions.hpp"
#include "app/succession.hpp"
#include "app/tasks.hpp"
#include "app/tls_files.hpp"
#include "app/turns.hpp"
#include "cnode/flags.hpp"
#include "cnode/port_mapper.hpp"
#include "cnode/reading_turns.hpp"
#include "discovery/api_resolve.hpp"
#include "discovery/roster.hpp"
#include "membership/cluster.hpp"

namespace rollcall::app {

namespace fact = membership::fact;
namespace action = membership::action;

inline constexpr std::string_view stands_by =
    "standing by: another rollcall of our name is at work; one is enough, stop either";
inline metrics::seconds in_seconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration_cast<metrics::seconds>(d);
}

struct engine::implementation final : cnode::node_observer, std::enable_shared_from_this<implementation> {
  implementation(asio::io_context& io, const configuration& c, const environment& env, cookie_jar jar, log& l,
                 metrics::exporter& e);
  answers::actions around_answers();
  questions::surroundings around_questions();
  introductions::surroundings around_introductions();
  lookouts::surroundings around_lookouts();
  metrics::kubernetes_figures kubernetes_figures() const;
  cnode::node_options own_node_options() const;
  discovery::roster::options listing(const configuration& c);

  // Both outlive what they are made from, in tasks that wait: see abandon().
  node_function own_node() {
    return [this] { return node_ ? &*node_ : nullptr; };
  }
  call_function counted_call();

  // ---- time

  membership::moment now() const {
    using namespace std::chrono;
    return {membership::steady_time(duration_cast<milliseconds>(steady_clock::now() - started_)),
            wall_time_of(system_clock::now())};
  }

  // ---- facts in, actions out

  void tell(membership::any_fact&& f);
  void tell_at_once(membership::any_fact f);
  void due(milliseconds patience);
  void rest_until(pace::clock::time_point due);
  void take_facts();
  void step();
  void step_some();
  void step_later();
  bool turn_has_time() const;
  void use_turn(pace::clock::duration);
  bool take_some();
  void make_step();
  void note_history();
  // `before`: what was shown until now, when that has changed.
  void report(const std::vector<membership::event>&, const membership::snapshot_ptr& before);
  void tell_gathered();
  void carry_out_some();
  void wait_until(membership::steady_time);
  void wake_at(pace::clock::time_point);

  template <class Task>
  void spawn(std::string_view what, Task task) {
    asio::co_spawn(io_, std::move(task),
                   [self = shared_from_this(), what](const std::exception_ptr& failure) {
                     task_ended(self->log_, what, failure);
                   });
  }

  void carry_out(action::dial& a) { in_turn(std::move(a)); }
  void carry_out(const action::hang_up& a) { node_->hang_up(a.node); }
  void carry_out(action::ask_settings& a) { in_turn(std::move(a)); }
  void carry_out(action::ask_view& a);
  // Whose watcher owes the last answer gives none: the core asks for the view in the next round.
  void carry_out(const action::confirm_view& a) { questions_.ask_same(a.node); }
  void carry_out(action::ask_status& a) { in_turn(std::move(a)); }
  void carry_out(const action::watch& a) { ask("watch", questions_.watch(a.node)); }
  void carry_out(action::probe_links& a);
  void carry_out(const action::tick_links& a) { questions_.tick(a.node); }
  void carry_out(const action::probe_path& a) { ask("probe path", questions_.path(a)); }
  void carry_out(const action::leave_mesh& a) { ask("leave the mesh", questions_.leave(a)); }
  void carry_out(const action::connect& a) { ask("connect", questions_.connect(a)); }

  void ask(std::string_view what, asio::awaitable<void> question) { spawn(what, kept(std::move(question))); }
  asio::awaitable<void> kept(asio::awaitable<void> task);
  asio::awaitable<void> ask_view(node_name on);

  // ---- what begins in turn: engine_dials.cpp

  using awaited_turn = std::variant<action::dial, action::ask_settings, action::ask_view, action::ask_status,
                                    action::probe_links>;
  void in_turn(awaited_turn wanted);
  void take_turns();
  bool asks_the_watcher(const awaited_turn&);
  void drop_turns();
  asio::awaitable<void> task_of(const action::dial& a) { return dial(a.node); }
  asio::awaitable<void> task_of(const action::ask_settings& a) { return questions_.settings(a.node); }
  asio::awaitable<void> task_of(const action::ask_view& a) { return ask_view(a.node); }
  asio::awaitable<void> task_of(const action::ask_status& a) { return questions_.status(a.node); }
  asio::awaitable<void> task_of(const action::probe_links& a) { return questions_.links(a); }

  // ---- dialling

  cnode::target target_for(const node_name& name) const;
  asio::awaitable<void> dial(node_name name);
  bool spelled_otherwise(const node_name& listed, const node_name& own);
  bool nothing_to_dial_with(const cnode::failure& failed);

  // ---- two under one name: engine_succession.cpp

  asio::awaitable<void> find_out_who_holds_our_name(node_name at);
  succession::witnesses others_than(const node_name& one) const;
  void stand_by(const node_name& taken, const std::string& by);
  void begin_again();
  asio::awaitable<void> look_for_our_turn();

  // ---- questions to nodes

  template <class Value>
  void count(const cnode::call_result<Value>& answer, std::chrono::steady_clock::time_point begun) {
    if (answer) {
      exporter_.call(in_seconds(std::chrono::steady_clock::now() - begun));
    } else {
      exporter_.call_failed(rpc_error_of(answer.error()));
    }
  }
  struct wanted_call {
    node_name on;
    std::string module, function;
    cnode::byte_string arguments;
    milliseconds limit;
  };
  template <class Value, class Handler>
  class call_in_turn;
  template <class Value>
  asio::awaitable<cnode::call_result<Value>> call_of(wanted_call);
  asio::awaitable<cnode::call_result<cnode::term>> call(node_name on, std::string module,
                                                        std::string function, cnode::byte_string arguments,
                                                        milliseconds limit);
  asio::awaitable<cnode::call_result<cnode::byte_string>> call_encoded(node_name on, std::string module,
                                                                       std::string function,
                                                                       cnode::byte_string arguments,
                                                                       milliseconds limit);

  // ---- rounds

  asio::awaitable<void> until_there_is_a_cookie();
  asio::awaitable<void> rounds();

  // ---- what is kept in Kubernetes, and told there

  discovery::api_server api_server() const;
  std::shared_ptr<config_map> record_map();
  std::shared_ptr<pod_events> make_pod_events();
  void tell_pods(const std::vector<membership::event>& events);

  // ---- what outlives us

  asio::awaitable<void> recall();
  void told_to_leave(const node_name& node);
  void told_to_rejoin(const node_name& node);
  std::optional<node_name> linked_member(std::size_t turn) const;
  void start_round();
  void pause(milliseconds span);
  void resume();

  // ---- who is listed

  void refresh_cookies();
  void refresh_tls();
  void show_certificate();
  void show(const fact::certificate&);
  void list(discovery::round round);
  asio::awaitable<void> look_out();
  asio::awaitable<void> others_turn();
  void review();
  void look_at_places(const discovery::round& round);
  void review_soon();
  void take(discovery::round round);
  void keep_entries(std::vector<discovery::entry> listed);

  // ---- what links say

  void link_up(const cnode::peer& peer) override;
  void link_down(const cnode::peer& peer, boost::system::error_code code, const std::string& detail) override;
  void warn_of_memory(const node_name& node, const std::string& detail);
  void process_gone(const cnode::reference& monitor) override { subscriptions_.process_gone(monitor); }
  void handshake_ended(cnode::direction direction, const std::optional<node_name>& peer,
                       const asio::ip::tcp::endpoint& remote, boost::system::error_code code,
                       const std::string& detail) override;
  void port_mapper_changed(boost::system::error_code code, const std::string& detail) override;
  void unexpected(const node_name& from, const std::string& what) override;

  // ---- for others

  http::readiness ready() const;
  asio::awaitable<void> start();
  asio::awaitable<void> stop();
  void abandon();

  asio::io_context& io_;
  const configuration& configuration_;
  log& log_;
  metrics::exporter& exporter_;
  cookie_jar cookies_;
  tls_files tls_;
  std::uint16_t port_mapper_port_;
  discovery::resolver resolver_;
  discovery::roster roster_;
  answers answers_;
  std::shared_ptr<cnode::challenges> challenges_ = std::make_shared<cnode::challenges>();
  std::optional<cnode::node> node_;
  questions questions_;
  reporter reporter_;
  introductions introductions_;
  lookouts lookouts_;
  subscriptions subscriptions_;
  other_rollcalls others_;
  std::shared_ptr<record> record_;
  std::shared_ptr<pod_events> pod_events_;  // of --kubernetes-events
  succession succession_;
  std::optional<inquiry> inquiry_;  // while one is under way
  membership::cluster core_;
  membership::snapshot_ptr snapshot_;
  membership::history history_;

  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::optional<std::chrono::steady_clock::time_point> last_round_;
  std::chrono::steady_clock::time_point trimmed_ = started_;
  // For which nodes a round was begun within the last interval, since they hold an old connection of ours.
  std::map<node_name, std::chrono::steady_clock::time_point> replaced_;
  std::optional<std::chrono::steady_clock::time_point> memory_told_;
  std::uint64_t memory_closed_ = 0;
  asio::steady_timer wake_, rest_, next_round_, views_answered_, turn_, moment_, noted_;
  pace pace_;
  turns turns_;
  call_turns call_turns_;
  std::deque<awaited_turn> waiting_;
  std::deque<membership::any_fact> facts_;
  // Of these: how many the step that is under way has, and how many of those the core has taken.
  std::size_t facts_of_step_ = 0, facts_taken_ = 0;
  pace::clock::duration spent_on_step_{};  // in turns before this one
  pace::clock::time_point due_at_;         // the step that is due, while step_due_
  std::uint64_t rests_ = 0;                // how often rest_ was set
  // Of this moment, not yet in the log.
  std::vector<membership::event> gathered_;
  membership::snapshot_ptr before_moment_;
  std::deque<membership::any_action> actions_;     // of steps, not carried out yet
  std::map<node_name, discovery::entry> entries_;  // of the last round: how each listed node is dialled
  std::string port_mapper_problem_;
  std::optional<std::chrono::seconds> fresh_for_;  // what discovery's answers say of themselves
  std::size_t views_awaited_ = 0, views_gathered_ = 0;
  bool name_taken_ = false, standing_by_ = false;
  std::optional<node_name> probed_;  // while standing by: who is being dialled
  bool carrying_out_ = false, taking_turns_ = false, turn_due_ = false, gathering_ = false;
  bool taking_ = false, all_taken_ = false, noting_ = false;
  bool step_due_ = false, review_posted_ = false, out_of_descriptors_told_ = false;
  bool round_requested_ = false;
  bool listed_once_ = false;
  bool news_ = false;  // of a source that is told of changes by itself
  bool stopping_ = false;
};

}  // namespace rollcall::app
