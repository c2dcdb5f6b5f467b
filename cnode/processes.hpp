// Our processes, as other nodes see them: a message in, frames out, no I/O.
//   `rollcall`    the registered process behind self(): calls, monitors, links
//   `net_kernel`  answers is_auth, which is what net_adm:ping asks
//   `rex`         answers the calls of OTP before 23, erl_call and libei's ei_rpc
//   and one short-lived process for each erpc:execute_call/4 and execute_cast/3 (SPAWN_REQUEST)
// https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html ("Protocol between Connected Nodes"); the
// answers are those of kernel erpc.erl, gen.erl and net_kernel.erl.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "cnode/control.hpp"
#include "cnode/long_message.hpp"
#include "cnode/node.hpp"
#include "cnode/referring_term.hpp"

namespace rollcall::cnode {

inline constexpr std::size_t max_monitors = 16'384;  // of our processes, per link

// What is to be sent back, in one write, and what is worth a line in the log.
struct reaction {
  byte_string frames;
  std::string unexpected;
  std::optional<term> told{};                    // a plain message to `rollcall`, for which nobody waits here
  std::optional<referring_message> referring{};  // after the frames
  std::vector<long_message> long_ones{};         // the same
};

class processes {
 public:
  // What one link's node holds on our processes; gone with the link.
  struct session {
    struct monitor {
      pid from;
      process_id to;
    };
    std::map<reference, monitor> monitors;
    // Its link takes referring messages (message_writer.hpp).
    bool refers = false;
    // It takes the reason of an end behind the control message, where fragments have what they carry on.
    bool reasons_behind = false;
  };

  // What of a spawn request's options concerns us.
  struct spawn_options {
    bool monitor = false, link = false;
  };

  processes(const node_name& own, std::uint32_t creation, call_handler);

  const pid& self() const noexcept { return self_; }
  reference next_reference();

  // Every message but the answers to our own calls (spawn_reply and monitor_exit are for the caller to look
  // at first).
  reaction receive(session&, const message&);

 private:
  reaction spawn(session&, const control::spawn_request&, byte_view payload);
  reaction run_and_end(session&, const control::spawn_request&, const spawn_options&, const term* call,
                       const answer&, const term_writer& failure);
  static reaction refuse_size(session&, const message&);
  reaction deliver(session&, std::string_view name, byte_view payload);
  struct gen_client;  // who made a gen call, and what its answer carries
  reaction gen_call(session&, std::string_view name, const term& from_and_tag, const term& request);
  reaction ask_rollcall(session&, const gen_client&, const term& request);
  control_message reply_to(const gen_client&) const;
  reaction reply(const gen_client&, byte_view encoded) const;
  reaction reply(const gen_client&, std::shared_ptr<const long_value>) const;
  static reaction fail(session&, std::string_view name, const gen_client&, const term_writer& reason);
  reaction monitor(session&, const control::monitor&);
  // As if the process had ended for `reason`; nothing when there is no such monitor.
  static reaction end_monitor(session&, const reference*, const term& reason);
  std::optional<answer> rex_call(const pid& caller, const term& request);
  bool is_alive(const process_id&) const;
  pid next_process();

  std::string node_;
  std::uint32_t creation_;
  referring_terms referring_;
  call_handler handler_;
  pid self_;
  std::uint32_t next_id_, next_serial_ = 0;
  std::uint64_t next_reference_ = 0;
  std::uint32_t reference_salt_;
};

}  // namespace rollcall::cnode
