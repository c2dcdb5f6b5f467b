// Control messages as bytes; reading them is control.cpp's.
#include "cnode/byte_reader.hpp"
#include "cnode/control.hpp"
#include "cnode/operation.hpp"
#include "cnode/term_check.hpp"
#include "cnode/term_tag.hpp"

namespace rollcall::cnode {
namespace {

void write_process(term_writer& out, const process_id& process) {
  if (const auto* name = std::get_if<atom>(&process)) {
    out.atom(name->text);
  } else {
    out.write(std::get<pid>(process));
  }
}

// libei's signed encoder would make a negative number of the upper half.
void write_unsigned(term_writer& out, std::uint64_t value) {
  if (value <= INT64_MAX) {
    out.integer(static_cast<std::int64_t>(value));
    return;
  }
  byte_string big{static_cast<char>(term_tag::small_big), 8, 0};
  for (int i = 0; i < 8; ++i) big.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
  out.raw(big);
}

struct control_writer {
  term_writer& out;
  reason_place reason = reason_place::in_control;

  term_writer& head(std::size_t fields, operation number) const {
    return out.tuple_header(fields + 1).integer(number);
  }

  void operator()(const control::link& m) const { head(2, op_link).write(m.from).write(m.to); }
  void operator()(const control::send& m) const { head(2, op_send).atom("").write(m.to); }
  void operator()(const control::exit& m) const {
    head(3, op_exit).write(m.from).write(m.to).write(m.reason);
  }
  void operator()(const control::unlink& m) const { head(2, op_unlink).write(m.from).write(m.to); }
  void operator()(const control::reg_send& m) const {
    head(3, op_reg_send).write(m.from).atom("").atom(m.to.text);
  }
  void operator()(const control::group_leader& m) const {
    head(2, op_group_leader).write(m.from).write(m.to);
  }
  void operator()(const control::exit2& m) const {
    head(3, op_exit2).write(m.from).write(m.to).write(m.reason);
  }
  void operator()(const control::monitor& m) const {
    head(3, op_monitor_p).write(m.from);
    write_process(out, m.to);
    out.write(m.ref);
  }
  void operator()(const control::demonitor& m) const {
    head(3, op_demonitor_p).write(m.from);
    write_process(out, m.to);
    out.write(m.ref);
  }
  void operator()(const control::monitor_exit& m) const {
    const bool behind = reason == reason_place::behind;
    head(behind ? 3 : 4, behind ? op_payload_monitor_p_exit : op_monitor_p_exit);
    write_process(out, m.from);
    out.write(m.to).write(m.ref);
    if (!behind) out.write(m.reason);
  }
  void operator()(const control::spawn_request& m) const {
    head(5, op_spawn_request).write(m.id).write(m.from).write(m.group_leader);
    out.tuple_header(3).atom(m.module.text).atom(m.function.text).integer(m.arity).write(m.options);
  }
  void operator()(const control::spawn_reply& m) const {
    head(4, op_spawn_reply).write(m.id).write(m.to).integer(m.flags);
    write_process(out, m.outcome);
  }
  void operator()(const control::alias_send& m) const { head(2, op_alias_send).write(m.from).write(m.alias); }
  void operator()(const control::unlink_id& m) const {
    write_unsigned(head(3, op_unlink_id), m.id);
    out.write(m.from).write(m.to);
  }
  void operator()(const control::unlink_id_ack& m) const {
    write_unsigned(head(3, op_unlink_id_ack), m.id);
    out.write(m.from).write(m.to);
  }
};

}  // namespace

byte_string encode_control(const control_message& control, reason_place reason) {
  term_writer out;
  std::visit(control_writer{out, reason}, control);
  return out.bytes();
}

byte_string encode_message(const control_message& control, byte_view payload) {
  term_writer out;
  out.version();
  std::visit(control_writer{out}, control);
  if (!payload.empty()) out.version().raw(payload);

  const auto body = out.view();
  byte_string frame;
  frame.reserve(4 + 1 + body.size());
  put_number(frame, 1 + body.size(), 4);
  frame.push_back(pass_through);
  frame.append(body);
  return frame;
}

message_front::message_front(const control_message& control)
    : frame_(encode_message(control)), size_(frame_.size() + 1) {
  frame_.push_back(term_tag::version);
}

byte_view message_front::with(byte_view payload) {
  frame_.resize(size_);
  frame_.append(payload);
  const auto length = frame_.size() - 4;
  for (std::size_t i = 0; i < 4; ++i) frame_[i] = static_cast<char>(length >> (24 - 8 * i) & 0xffU);
  return frame_;
}

// | length:4 | 'p' | 131 | control | [131 | payload] |  becomes  | length:4 | 131 | 68 | 0 | control |
// [payload] |
void append_with_headers(byte_string& to, byte_view frames) {
  // | SMALL_TUPLE_EXT | arity | SMALL_INTEGER_EXT | operation |: how control_writer begins
  constexpr std::size_t prefix = 4, operation_at = 3;
  while (!frames.empty()) {
    byte_reader in(frames);
    const std::size_t length = in.u32();
    const auto frame = in.take(length);
    frames.remove_prefix(in.position());
    if (length == 0) {
      to.append(prefix, '\0');
      continue;
    }
    auto control = frame.substr(2);
    byte_view payload;
    const auto number = static_cast<std::uint8_t>(control[operation_at]);
    if (number == op_send || number == op_reg_send || number == op_spawn_request || number == op_alias_send) {
      const auto size = check_term(control).value();
      payload = control.substr(size + 1);
      control = control.substr(0, size);
    }
    put_number(to, 3 + control.size() + payload.size(), prefix);
    to.append({term_tag::version, 68, 0});
    to.append(control).append(payload);
  }
}

}  // namespace rollcall::cnode
