// One distribution link after its handshake: run() = read loop || write loop || clock, until one of them
// ends. https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html ("Protocol between Connected Nodes").
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <list>
#include <map>

#include "cnode/calls.hpp"
#include "cnode/connection.hpp"
#include "cnode/control.hpp"
#include "cnode/frame_reader.hpp"
#include "cnode/memory_budget.hpp"
#include "cnode/message_reader.hpp"
#include "cnode/message_writer.hpp"
#include "cnode/node.hpp"
#include "cnode/processes.hpp"
#include "cnode/reading_turns.hpp"
#include "cnode/send_queue.hpp"
#include "cnode/ticks.hpp"

namespace rollcall::cnode {

class link {
 public:
  struct closing {
    boost::system::error_code code;
    std::string detail;
  };
  // Gets every message. The message looks into the link's buffer: valid during the call only.
  using receive_function = std::function<void(link&, const message&)>;
  // A message this node cannot know: told once a link.
  using unknown_function = std::function<void(link&)>;

  // Most of what comes is sent to our own process, and is known by its bytes.
  struct sent_to_us {
    std::shared_ptr<const byte_string> front;  // of such a frame: what follows its length, up to the payload
    // Gets the payload, checked. False: it is to be received as any other message.
    std::function<bool(link&, byte_view payload)> take;
  };

  link(stream, cnode::peer, milliseconds net_ticktime, std::size_t max_queued_bytes,
       std::shared_ptr<memory_budget>);

  // Once. Gives why the link ended; the socket is closed then.
  asio::awaitable<closing> run(receive_function, unknown_function, sent_to_us = {});
  // Whole frames. Queued; what does not fit into the bound closes the link with queue_full.
  void send(byte_view frames);
  // What the peer asked for: does not count for the bound, since nothing more is read of a peer that does not
  // take it.
  void answer(byte_view frames);
  void answer(const referring_message&);
  // The same, in turns. Nothing more is read of the peer until it is sent.
  void answer(long_message);
  // The first reason given is the one that counts. May be called from inside receive_function.
  void close(boost::system::error_code, std::string detail);
  bool is_open() const noexcept { return !closing_; }

  const cnode::peer& peer() const noexcept { return peer_; }
  void peer_tick_time(milliseconds);
  // Bytes that the peer has not taken yet.
  std::size_t waiting() const noexcept { return queue_.size() + later_.size(); }

  processes::session session;
  cnode::calls calls;
  std::map<reference, pid> watched;  // processes of the peer's that we monitor

 private:
  // Below that, copying an answer costs less than a part of its own in the queue.
  static constexpr std::size_t smallest_shared = 16U << 10;
  static constexpr std::size_t largest_at_once = 4096;
  // While more than this waits for the peer, nothing more of what it asks is read: it gets its answers as
  // fast as it takes them, and no faster.
  static constexpr std::size_t most_unread_answers = 1U << 20;

  asio::awaitable<void> read_loop();
  asio::awaitable<void> own_turn(asio::steady_timer&);
  asio::awaitable<void> turn_to_write();
  asio::awaitable<void> write_loop();
  asio::awaitable<void> clock_loop();
  // One of them: what it throws closes the link, since the others would go on beside a loop that is gone.
  asio::awaitable<void> guarded(asio::awaitable<void> loop);
  // What was kept, and now what has come, is taken, frame by frame, as long as the peer takes the answers;
  // the rest is kept. False when the link is closed.
  bool take(byte_view come);
  void take_frames();
  void take_frame(const frame_reader::piece&);
  bool taken_by_us(byte_view frame);
  void refuse(boost::system::error_code, std::size_t size);  // a frame of that size
  bool may_go_at_once(byte_view frames);
  void write_at_once(byte_view frames);
  byte_string& next_to_go() { return inside_long() ? later_ : queue_.back(); }
  void enqueue(byte_view frames, void (message_writer::*with_headers)(byte_string&, byte_view));
  void enqueuing();  // before something is added, and after it
  void enqueued();
  void write_long();  // its next turn
  void close_broken(boost::system::error_code);
  bool unsent() const noexcept { return !queue_.empty() || !later_.empty() || stream_.holds_unsent(); }
  bool inside_long() const noexcept { return !long_ones_.empty() && long_ones_.front().inside_frame(); }
  std::size_t footprint() const noexcept;
  // Tells the budget of all links; that may close this one.
  void account();
  // Not while keys change, which reading alone brings to an end.
  bool choked() const noexcept {
    return (waiting() > most_unread_answers || !long_ones_.empty()) && !stream_.changing_keys();
  }

  stream stream_;
  cnode::peer peer_;
  std::size_t max_queued_bytes_;
  ticks ticks_;
  asio::steady_timer written_to_, taken_, clock_, turn_;
  reading_turns& turns_;
  std::optional<std::uint64_t> at_once_in_;  // the turn in which something was last written at once
  receive_function receive_;
  unknown_function unknown_;
  sent_to_us to_us_;
  bool unknown_told_ = false, turn_over_ = false;
  frame_reader frames_{skipped_frame_head};
  // Null: frames have no headers.
  std::unique_ptr<message_reader> headers_;
  std::unique_ptr<message_writer> writer_;
  send_queue queue_;
  std::list<long_writing> long_ones_;
  byte_string later_;            // what has to wait for the end of the frame that is being made
  std::uint64_t sequences_ = 0;  // of what went out as fragments
  // At most so much of waiting() are answers. While they drain it covers bytes of our own, too: up to twice
  // max_queued_bytes_ of those may wait.
  std::size_t answers_ = 0;
  std::optional<closing> closing_;
  std::size_t accounted_ = 0;
  memory_budget::share held_;
};

}  // namespace rollcall::cnode
