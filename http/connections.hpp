// Every open connection, what each client holds of what there is for all, and which ones make room for
// others.
//
//   admit(socket) -> session: reads a request -> joins the line -> is let go, one at a time -> answers ->
//   reads ...
//
// Two things are shared: connections and bytes of answers that clients have not taken yet. When one of them
// is used up, the client (address) that holds most of it loses one, and is named in one line.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "http/password_check.hpp"
#include "http/routes.hpp"
#include "http/server.hpp"
#include "http/waiting_line.hpp"

namespace rollcall::http {

class session;

// Says whether a line may be logged now: the first one at once, then one in ten minutes, with how many there
// were.
class pace {
 public:
  bool may_speak(std::chrono::steady_clock::time_point now);
  std::string since_last();  // "" or " (17 times since this was said last)", once may_speak() said so

 private:
  std::chrono::steady_clock::time_point next_{};
  std::size_t silent_ = 0, told_ = 0;
};

class connections : public std::enable_shared_from_this<connections> {
 public:
  connections(asio::io_context&, options, content);

  // Serves it, or tells it that there is no room.
  void admit(asio::ip::tcp::socket);
  // Closes the one whose client has most. False when there is none.
  bool close_one();
  // Called before each request is let go: whatever arrived meanwhile is to be in the line by then.
  void before_each_turn(std::function<void()> look) { look_ = std::move(look); }
  void close_all();
  std::size_t size() const noexcept { return sessions_.size(); }
  void notice(pace&, const std::string& what) const;

 private:
  friend class session;
  using sessions = std::list<session*>;
  struct holding {
    std::size_t connections = 0;  // without those of event streams, which have a limit of their own
    std::size_t streams = 0;
    std::size_t unsent = 0;
  };

  std::uint64_t join_line(const client_address&, urgency, waiting_line::request go);
  void schedule_turn();
  void turn();
  session* first_to_go(const client_address& newcomer);
  bool make_room(const client_address& newcomer);
  void make_room_for_stream(const client_address& of);
  void unsent_changed(const client_address&, std::size_t before, std::size_t after);
  void hold_to_budget();
  bool close_largest_answer_of(const client_address&);
  std::string metrics();
  void note_refused(const client_address&);
  void note_unchecked();

  asio::io_context& io_;
  options options_;
  content content_;
  std::function<void()> look_;
  waiting_line line_;
  sessions sessions_;
  sessions streams_;  // those of them that follow events, the oldest first
  std::map<client_address, holding> holdings_;
  std::size_t unsent_ = 0;
  std::uint64_t order_ = 0;  // of what sessions did last
  bool turn_scheduled_ = false;
  bool stopped_ = false;
  std::shared_ptr<password_check> passwords_;
  pace crowded_, unread_, refused_, unchecked_;
  std::string kept_metrics_;
  std::chrono::steady_clock::time_point metrics_made_{};
};

}  // namespace rollcall::http
