// Operation numbers of control messages, DOP_* in erts/emulator/beam/dist.h. The _tt forms carry a sequential
// trace token.
#pragma once

#include <cstdint>

namespace rollcall::cnode {

enum operation : std::int64_t {
  op_link = 1,
  op_send = 2,
  op_exit = 3,
  op_unlink = 4,
  op_reg_send = 6,
  op_group_leader = 7,
  op_exit2 = 8,
  op_send_tt = 12,
  op_exit_tt = 13,
  op_reg_send_tt = 16,
  op_exit2_tt = 18,
  op_monitor_p = 19,
  op_demonitor_p = 20,
  op_monitor_p_exit = 21,
  op_send_sender = 22,
  op_send_sender_tt = 23,
  op_payload_exit = 24,
  op_payload_exit_tt = 25,
  op_payload_exit2 = 26,
  op_payload_exit2_tt = 27,
  op_payload_monitor_p_exit = 28,
  op_spawn_request = 29,
  op_spawn_request_tt = 30,
  op_spawn_reply = 31,
  op_spawn_reply_tt = 32,
  op_alias_send = 33,
  op_alias_send_tt = 34,
  op_unlink_id = 35,
  op_unlink_id_ack = 36,
};

}  // namespace rollcall::cnode
