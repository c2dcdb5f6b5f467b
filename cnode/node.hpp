// A hidden Erlang node on one io_context: the front door of the module.
//
//   node n(io, options, observer);  co_await n.start();  co_await n.dial(...);  co_await n.call(...);
//   co_await n.stop();
//
// Everything runs on the io_context's one thread; nothing here may be called from another.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>

#include "cnode/call.hpp"
#include "cnode/challenges.hpp"
#include "cnode/peer.hpp"
#include "tls/context.hpp"

namespace rollcall::cnode {

// Our registered processes (processes.hpp). The first is the one behind self(), which answers calls.
inline constexpr std::array<std::string_view, 3> registered_names{"rollcall", "net_kernel", "rex"};

enum class port_mapper_mode { automatic, register_only, serve, none };

struct node_options {
  node_name name;
  std::vector<std::string> cookies;  // tried in order; never logged. Replaced by node::cookies()
  std::uint16_t listen_port = 0;     // 0: any
  port_mapper_mode port_mapper = port_mapper_mode::automatic;
  std::uint16_t port_mapper_port = 4369;     // ERL_EPMD_PORT
  milliseconds tick_time{60'000};            // our own net_ticktime, until a peer's is known
  std::size_t max_queued_bytes = 16U << 20;  // per link; above it the link is closed with queue_full
  milliseconds handshake_limit{7'000};       // for connections that come in (net_setuptime)
  std::size_t max_incoming_handshakes = 256;
  std::size_t max_incoming_links = 1'024;  // of peers that dialled us; those we dialled are not counted
  // For what all links together hold: frames that are half read, what their peers have not taken, monitors.
  std::size_t max_held_bytes = 48U << 20;
  // What is spoken with nodes, by who dials and who is dialled; null: no TLS. Replaced by node::tls().
  std::shared_ptr<const rollcall::tls::context> tls{};
  // Shared with every other node of this program that shows the same cookies.
  std::shared_ptr<cnode::challenges> challenges = std::make_shared<cnode::challenges>();
};

// Told of what happens. Called from the io_context, never from inside a call into `node`. Must not throw.
class node_observer {
 public:
  virtual ~node_observer() = default;
  virtual void link_up(const peer&) = 0;
  // `code`: closed, tick_timed_out, queue_full, memory_exhausted, stopping, superseded (a new link under that
  // name took over; its link_up follows), or what was wrong with a frame.
  virtual void link_down(const peer&, boost::system::error_code code, const std::string& detail) = 0;
  // Every handshake that ended, both directions. A default-constructed code is success.
  virtual void handshake_ended(direction, const std::optional<node_name>& peer,
                               const asio::ip::tcp::endpoint& remote, boost::system::error_code code,
                               const std::string& detail) = 0;
  // The port mapper: registered (empty code), lost, refused (name_taken), served by ourselves.
  virtual void port_mapper_changed(boost::system::error_code, const std::string& detail) = 0;
  // A process of ours got something nobody waits for; for the log at debug level.
  virtual void unexpected(const node_name& from, const std::string& what) = 0;
  // A process that monitor() watches is gone, or the link to its node is; told once.
  virtual void process_gone(const reference& /*monitor*/) {}
};

class node {
 public:
  node(asio::io_context&, node_options, node_observer&, resolve_function, call_handler, message_handler = {});
  ~node();
  node(const node&) = delete;
  node& operator=(const node&) = delete;

  // Opens the listener (IPv6 dual-stack where the machine has it, else IPv4) and registers as the mode says.
  // Fails only when it cannot listen; a port mapper that is away is told to the observer and retried.
  asio::awaitable<result<void>> start();
  // Links are closed, the registration is given back. Done within a second.
  asio::awaitable<void> stop();

  // One attempt, all steps within `limit`, every address of the host tried (staggered, IPv6 and IPv4). A link
  // that is already there is success at once; a second dial to the same name while one is under way joins it.
  // With several cookies a refused one is followed by the next, in the same call. Cancellable.
  asio::awaitable<outcome<peer>> dial(target, milliseconds limit);
  void hang_up(const node_name&);
  // True: the links there are are closed, who dials us is not allowed in, and our name is given back to the
  // port mapper, until it is false again. A dial of our own may still link.
  void stand_by(bool);

  // erpc:execute_call/4 on that node: SPAWN_REQUEST with a monitor. `arguments` is an encoded list without
  // version byte (term_writer). The answer was bounds-checked and decoded. Ends at `limit` at the latest,
  // with timed_out.
  asio::awaitable<call_result<term>> call(node_name on, std::string module, std::string function,
                                          byte_string arguments, milliseconds limit);

  // The same, by who has no coroutine.
  void call(const node_name& on, std::string module, std::string function, byte_view arguments,
            milliseconds limit, std::unique_ptr<call_waiter>);

  // The same; the answer was bounds-checked, and is as it came, without a version byte.
  asio::awaitable<call_result<byte_string>> call_encoded(node_name on, std::string module,
                                                         std::string function, byte_string arguments,
                                                         milliseconds limit);

  // Module:Function/Arity as a process of its own on that node, monitored; `arguments` has `arity` elements.
  // Ends with the process, with the reason it ended for, or with the link; a node that will not start it, or
  // did not announce that it could: refused.
  asio::awaitable<call_result<term>> run(node_name on, std::string module, std::string function,
                                         std::uint8_t arity, byte_string arguments);

  // `message` (one encoded term) to the process registered as `process` there. False: no link to it.
  bool send(const node_name& on, std::string_view process, byte_view message);
  // The same to a process by its pid.
  bool send(const pid& to, byte_view message);
  // Absent: there is no link to its node. Ends with process_gone or demonitor(). The end of a process on a
  // node that did not announce monitors (C and Java nodes) is not told, that of its link is.
  std::optional<reference> monitor(const pid&);
  void demonitor(const reference&);
  // Bytes that were sent to that node and that it has not taken yet; 0 without a link.
  std::size_t waiting(const node_name&) const;
  // What all links hold in memory for their peers, of node_options::max_held_bytes.
  std::size_t held() const noexcept;
  // One that nobody else has; what comes back with it comes to the message_handler.
  reference new_reference();

  const node_name& name() const noexcept;
  std::uint32_t creation() const noexcept;
  std::uint16_t port() const noexcept;  // of the listener, once started
  std::vector<peer> peers() const;
  std::size_t links() const noexcept;
  std::optional<peer> linked(const node_name&) const;
  // A process of ours to be used as sender, group leader and subscriber's name; registered as `rollcall`.
  const pid& self() const noexcept;

  void cookies(std::vector<std::string>);                       // for handshakes from now on; links stay
  void tls(std::shared_ptr<const rollcall::tls::context>);      // for connections from now on; links stay
  void tick_time(const node_name&, milliseconds net_ticktime);  // once a peer's is known

 private:
  class implementation;
  std::shared_ptr<implementation> implementation_;
};

}  // namespace rollcall::cnode
