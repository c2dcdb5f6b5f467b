// A process on a node that tells us at once when the node gains or loses a visible peer, and when it begins
// to stop. Asked, it says that it is alive, and whether nodes() is still what it was. Nothing is installed:
// stdlib's erl_eval runs the forms of watcher_program.hpp.
//
// It registers under a name made from ours, so that there is never a second one for the same Rollcall; it
// watches our process, and ends with our link.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "app/probes.hpp"
#include "cnode/checked_reader.hpp"
#include "cnode/node.hpp"

namespace rollcall::app {

class watchers {
 public:
  struct told {
    // It runs, or does not any more although the link is there; `why` is a sentence for the log then.
    std::function<void(const node_name&, bool on, const std::string& why)> watching;
    std::function<void(const node_name&, node_name&& peer, bool up, std::string&& why)> changed;
    std::function<void(const node_name&)> stopping;  // once, while its applications end
    std::function<void(const node_name&, milliseconds round_trip)> alive;
    std::function<void(const node_name&)> hangs;  // it has owed an answer for too long
    // Nothing has changed since the view of that digest; absent: something has, or no view is known to hold.
    std::function<void(const node_name&, std::optional<std::size_t> digest, milliseconds round_trip)> same;
  };

  // `patience`: for an answer; then the node itself is asked.
  watchers(asio::io_context&, milliseconds patience, node_function node, told tell);

  // Starts one, and stays until it has ended or the link is lost.
  asio::awaitable<void> run(node_name on);
  // {rollcall_watcher, Token, ...}. False: it is no such message.
  bool receive(const node_name& from, cnode::byte_view message);

  // A message and its answer, where a call is a process on the node each time. False: none runs there, or it
  // owes the last answer; the node is to be asked by a call.
  bool ask_alive(const node_name& on);  // alive
  bool ask_same(const node_name& on);   // same; at most one is under way
  // The node answers, by a call. A watcher that still owes its answer after as long again does not watch, for
  // all that can be known, until it gives it.
  void node_answers(const node_name& on);
  // Before the node is asked for all that it sees: what its watcher holds comes first, with its reasons.
  void tell_what_it_holds(const node_name& on);
  // The node was asked at that time for all that it sees.
  void viewed(const node_name& on, std::size_t digest, std::chrono::steady_clock::time_point asked_at);

 private:
  using clock = std::chrono::steady_clock;
  struct question {
    std::int64_t number = 0;  // 0: none is under way
    clock::time_point asked_at{};
  };
  struct watched {
    explicit watched(cnode::reference its) : token(std::move(its)) {}

    cnode::reference token;  // the one that counts
    bool watching = false;
    bool hung = false;
    clock::time_point changed_at{};  // it told last of a change
    question alive, same;
    // The watcher has marked what nodes() was, under this number (0: it has not, or that is over), and said
    // so at that time. The first view asked for since then has that digest.
    std::int64_t marked = 0;
    clock::time_point marked_at{};
    std::optional<std::size_t> digest;
  };

  // `mark`: of a question that has one.
  bool ask(const node_name& on, watched&, question&, std::string_view word, std::optional<std::int64_t> mark);
  void answered(const node_name& from, watched&, std::string_view word, std::int64_t number);
  void heard(const node_name& from, watched&, cnode::byte_view said);
  bool heard_of_change(const node_name& from, watched&, cnode::checked_reader& in);
  void changed(const node_name& from, watched&, std::string_view name, bool up, std::string why);
  const std::string& name_of_watcher(const cnode::node&);  // the same for all
  struct awaited {
    clock::time_point until;
    node_name on;
    std::int64_t number;
    bool node_answered = false;  // meanwhile
  };

  bool owed(const question&) const;  // for as long as patience lasts
  void await(const node_name& on, std::int64_t number, clock::time_point from, bool node_answered);
  void look_later();
  void look_for_those_that_hang();
  bool linked(const node_name&) const;
  cnode::byte_string arguments(const cnode::node&, const cnode::reference& token);

  const milliseconds patience_;
  node_function node_;
  told tell_;
  const cnode::byte_string forms_;
  std::string name_;
  std::int64_t last_number_ = 0;  // of all questions, so that none is taken for that of an earlier watcher
  std::map<node_name, watched> running_;
  std::map<node_name, watched>::iterator last_heard_ = running_.end();
  std::deque<awaited> awaited_;  // the first one first
  asio::steady_timer next_look_;
};

}  // namespace rollcall::app
