#include "cnode/control.hpp"

#include "cnode/checked_reader.hpp"
#include "cnode/operation.hpp"
#include "cnode/term_check.hpp"
#include "cnode/term_tag.hpp"

namespace rollcall::cnode {
namespace {

process_id read_process(checked_reader& in) {
  if (in.at_atom()) return in.atom();
  return in.pid();
}

std::variant<pid, atom> read_outcome(checked_reader& in) {
  if (in.at_atom()) return in.atom();
  return in.pid();
}

class control_parser {
 public:
  explicit control_parser(byte_view checked, reasons kept) : in_(checked), reasons_(kept) {}

  // Into `out`; what is wrong, if anything is.
  boost::system::error_code parse(control_message& out) {
    arity_ = in_.tuple_header();
    const auto number = in_.integer();
    if (in_.failed()) return error::bad_control;
    const bool known =
        message_and_fields(number, out) || end_and_fields(number, out) || others_and_fields(number, out);
    if (misshapen_ || !known) return misshapen_ ? error::bad_control : error::unknown_control;
    // A value of another kind than the operation has at that place.
    if (in_.failed()) return in_.error() == error::bad_term ? error::bad_control : in_.error();
    return in_.at_end() ? boost::system::error_code() : boost::system::error_code(error::bad_control);
  }

  bool carries_payload() const noexcept { return payload_; }
  bool reason_is_payload() const noexcept { return reason_is_payload_; }

 private:
  // Fields stand in braces, which are read from left to right. False: nobody defined that operation.
  bool others_and_fields(std::int64_t number, control_message& out) {
    switch (number) {
      case op_link:
        fields(2);
        out = control::link{in_.pid(), in_.pid()};
        return true;
      case op_unlink:
        fields(2);
        out = control::unlink{in_.pid(), in_.pid()};
        return true;
      case op_group_leader:
        fields(2);
        out = control::group_leader{in_.pid(), in_.pid()};
        return true;
      case op_monitor_p:
        fields(3);
        out = control::monitor{in_.pid(), read_process(in_), in_.reference()};
        return true;
      case op_demonitor_p:
        fields(3);
        out = control::demonitor{in_.pid(), read_process(in_), in_.reference()};
        return true;
      case op_spawn_request:
        fields(5), with_payload();
        out = spawn_request();
        return true;
      case op_spawn_request_tt:
        fields(6), with_payload();
        out = before_token(spawn_request());
        return true;
      case op_spawn_reply:
        fields(4);
        out = spawn_reply();
        return true;
      case op_spawn_reply_tt:
        fields(5);
        out = before_token(spawn_reply());
        return true;
      case op_unlink_id:
        fields(3);
        out = control::unlink_id{link_id(), in_.pid(), in_.pid()};
        return true;
      case op_unlink_id_ack:
        fields(3);
        out = control::unlink_id_ack{link_id(), in_.pid(), in_.pid()};
        return true;
      default:
        return false;
    }
  }

  // What carries a message.
  bool message_and_fields(std::int64_t number, control_message& out) {
    switch (number) {
      case op_send:
        fields(2), with_payload(), in_.skip();
        out = control::send{in_.pid()};
        return true;
      case op_send_tt:
        fields(3), with_payload(), in_.skip();
        out = before_token(control::send{in_.pid()});
        return true;
      case op_reg_send: {
        fields(3), with_payload();
        auto from = in_.pid();
        in_.skip();
        out = control::reg_send{std::move(from), in_.atom()};
        return true;
      }
      case op_reg_send_tt: {
        fields(4), with_payload();
        auto from = in_.pid();
        in_.skip();
        out = control::reg_send{std::move(from), in_.atom()};
        in_.skip();
        return true;
      }
      case op_send_sender:
        fields(2), with_payload(), in_.pid();
        out = control::send{in_.pid()};
        return true;
      case op_send_sender_tt:
        fields(3), with_payload(), in_.pid();
        out = before_token(control::send{in_.pid()});
        return true;
      case op_alias_send:
        fields(2), with_payload();
        out = control::alias_send{in_.pid(), in_.reference()};
        return true;
      case op_alias_send_tt:
        fields(3), with_payload();
        out = before_token(control::alias_send{in_.pid(), in_.reference()});
        return true;
      default:
        return false;
    }
  }

  // What tells of an end.
  bool end_and_fields(std::int64_t number, control_message& out) {
    switch (number) {
      case op_exit:
        fields(3);
        out = control::exit{in_.pid(), in_.pid(), in_.term()};
        return true;
      case op_exit_tt:
        fields(4);
        out = control::exit{in_.pid(), in_.pid(), after_token()};
        return true;
      case op_exit2:
        fields(3);
        out = control::exit2{in_.pid(), in_.pid(), in_.term()};
        return true;
      case op_exit2_tt:
        fields(4);
        out = control::exit2{in_.pid(), in_.pid(), after_token()};
        return true;
      case op_monitor_p_exit:
        fields(4);
        out = control::monitor_exit{read_process(in_), in_.pid(), in_.reference(), exit_reason()};
        return true;
      case op_payload_exit:
        fields(2), with_reason();
        out = control::exit{in_.pid(), in_.pid(), {}};
        return true;
      case op_payload_exit_tt:
        fields(3), with_reason();
        out = before_token(control::exit{in_.pid(), in_.pid(), {}});
        return true;
      case op_payload_exit2:
        fields(2), with_reason();
        out = control::exit2{in_.pid(), in_.pid(), {}};
        return true;
      case op_payload_exit2_tt:
        fields(3), with_reason();
        out = before_token(control::exit2{in_.pid(), in_.pid(), {}});
        return true;
      case op_payload_monitor_p_exit:
        fields(3), with_reason();
        out = control::monitor_exit{read_process(in_), in_.pid(), in_.reference(), {}};
        return true;
      default:
        return false;
    }
  }

  // The trace token stands last.
  template <class Message>
  Message before_token(Message out) {
    in_.skip();
    return out;
  }

  // How many elements follow the operation's number.
  void fields(std::size_t count) { misshapen_ = misshapen_ || arity_ != count + 1; }

  void with_payload() noexcept { payload_ = true; }
  void with_reason() noexcept { payload_ = reason_is_payload_ = true; }

  term exit_reason() {
    if (reasons_ == reasons::kept) return opaque{byte_string(in_.rest())};  // it stands last
    return in_.term();
  }

  term after_token() {
    in_.skip();
    return in_.term();
  }

  std::uint64_t link_id() {
    const auto id = in_.unsigned_integer();
    misshapen_ = misshapen_ || id == 0;
    return id;
  }

  control::spawn_request spawn_request() {
    control::spawn_request out;
    out.id = in_.reference();
    out.from = in_.pid();
    out.group_leader = in_.pid();
    misshapen_ = in_.tuple_header() != 3 || misshapen_;
    out.module = in_.atom();
    out.function = in_.atom();
    out.arity = in_.integer();
    out.options = in_.term();
    return out;
  }

  control::spawn_reply spawn_reply() {
    return {in_.reference(), in_.pid(), in_.integer(), read_outcome(in_)};
  }

  checked_reader in_;
  reasons reasons_;
  std::size_t arity_ = 0;
  bool payload_ = false, reason_is_payload_ = false, misshapen_ = false;
};

// A term with its version byte at the start of `bytes`; what comes back is the term without it.
result<byte_view> versioned_term(byte_view bytes) {
  if (bytes.empty()) return error::truncated;
  if (bytes[0] != term_tag::version) return error::bad_version;
  bytes.remove_prefix(1);
  const auto length = check_term(bytes);
  if (!length) return length.error();
  return bytes.substr(0, *length);
}

}  // namespace

result<std::size_t> frame_length(std::array<std::uint8_t, 4> prefix) {
  std::size_t length = 0;
  for (const auto byte : prefix) length = length << 8 | byte;
  if (length > max_skipped_frame_size) return error::frame_too_large;
  return length;
}

namespace {

// A control message and what follows it.
struct front {
  bool carries_payload = false, reason_is_payload = false;
  byte_view rest{};
};

boost::system::error_code parse_front(byte_view frame, reasons kept, control_message& into, front& out) {
  if (frame.empty()) return error::truncated;
  if (frame[0] != pass_through) return error::bad_control;
  frame.remove_prefix(1);
  const auto control = versioned_term(frame);
  if (!control) return control.error();
  frame.remove_prefix(1 + control->size());
  control_parser parser(*control, kept);
  if (const auto code = parser.parse(into)) return code;
  out = {parser.carries_payload(), parser.reason_is_payload(), frame};
  return {};
}

boost::system::error_code put_reason(control_message& control, byte_view payload, reasons kept) {
  term reason = opaque{byte_string(payload)};
  if (kept == reasons::decoded) {
    auto decoded = decode_term(payload);
    if (!decoded) return decoded.error();
    reason = *std::move(decoded);
  }
  std::visit(
      [&](auto& it) {
        if constexpr (requires { it.reason; }) it.reason = std::move(reason);
      },
      control);
  return {};
}

boost::system::error_code put_payload(message& out, const front& parsed, reasons kept) {
  if (parsed.carries_payload == out.payload.empty()) return error::bad_control;
  if (!parsed.reason_is_payload) return {};
  return put_reason(out.control, std::exchange(out.payload, {}), kept);
}

boost::system::error_code parse_into(message& out, byte_view frame, reasons kept) {
  front parsed;
  if (const auto code = parse_front(frame, kept, out.control, parsed)) return code;
  if (!parsed.rest.empty()) {
    const auto term = versioned_term(parsed.rest);
    if (!term && parsed.carries_payload && !parsed.reason_is_payload &&
        (term.error() == error::too_many_terms || term.error() == error::too_deep ||
         term.error() == error::atom_too_long)) {
      out.payload = parsed.rest.substr(1);
      out.payload_skipped = true;
      return {};
    }
    if (!term) return term.error();
    if (parsed.rest.size() != 1 + term->size()) return error::trailing_bytes;
    out.payload = *term;
  }
  return put_payload(out, parsed, kept);
}

}  // namespace

result<message> parse_message(byte_view frame) {
  return parse_message(frame, reasons::decoded);
}

// Made where it is wanted: a message is some hundred bytes, which would be moved four times.
result<message> parse_message(byte_view frame, reasons kept) {
  result<message> made(boost::system::in_place_value);
  if (const auto code = parse_into(*made, frame, kept)) made = code;
  return made;
}

result<message> parse_checked(byte_view control, byte_view payload, reasons kept) {
  result<message> made(boost::system::in_place_value);
  control_parser parser(control, kept);
  auto code = parser.parse(made->control);
  made->payload = payload;
  if (!code) code = put_payload(*made, {parser.carries_payload(), parser.reason_is_payload(), {}}, kept);
  if (code) made = code;
  return made;
}

result<message> parse_head(byte_view head) {
  result<message> made(boost::system::in_place_value);
  front parsed;
  if (const auto code = parse_front(head, reasons::kept, made->control, parsed)) {
    // | 'p' | 131 | SMALL_TUPLE_EXT | arity | SMALL_INTEGER_EXT | operation |
    constexpr std::size_t operation_at = 5;
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(head[at]); };
    const bool answers_us = head.size() > operation_at && byte(2) == term_tag::small_tuple &&
                            byte(4) == term_tag::small_integer &&
                            (byte(operation_at) == op_monitor_p_exit || byte(operation_at) == op_spawn_reply);
    if (answers_us) return error::frame_too_large;
    return code;
  }
  if (!parsed.carries_payload) return error::trailing_bytes;
  if (parsed.reason_is_payload) {
    return std::holds_alternative<control::monitor_exit>(made->control) ? error::frame_too_large
                                                                        : error::unknown_control;
  }
  parsed.rest.remove_prefix(parsed.rest.empty() ? 0 : 1);
  made->payload = parsed.rest;
  made->payload_skipped = true;
  return made;
}

std::optional<call_front> read_call_front(byte_view payload) {
  const auto tuple_of = [&](std::uint8_t least) {
    if (payload.size() < 2 || static_cast<std::uint8_t>(payload[0]) != term_tag::small_tuple) return false;
    const auto arity = static_cast<std::uint8_t>(payload[1]);
    payload.remove_prefix(2);
    return arity >= least;
  };
  const auto part = [&]() -> std::optional<term> {
    const auto size = check_term(payload);
    if (!size) return {};
    auto decoded = decode_term(payload.substr(0, *size));
    payload.remove_prefix(*size);
    if (!decoded) return {};
    return *std::move(decoded);
  };
  if (!tuple_of(3) || !part() || !tuple_of(2)) return {};
  const auto caller = part();
  auto tag = part();
  const auto* who = caller ? caller->as<pid>() : nullptr;
  if (who == nullptr || !tag) return {};
  return call_front{*who, *std::move(tag)};
}

}  // namespace rollcall::cnode
