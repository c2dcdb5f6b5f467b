#include "cnode/exit_reasons.hpp"

namespace rollcall::cnode {
namespace {

void write_list(term_writer& out, std::span<const term> items) {
  out.list_header(items.size());
  for (const auto& item : items) out.write(item);
  out.nil();
}

// [{M, F, A, []}] with A the arguments, as a function that does not exist or does not match has it; or their
// number.
void write_stack(term_writer& out, std::string_view module, std::string_view function,
                 std::span<const term> arguments, bool only_arity) {
  out.list_header(1).tuple_header(4).atom(module).atom(function);
  if (only_arity) {
    out.integer(static_cast<std::int64_t>(arguments.size()));
  } else {
    write_list(out, arguments);
  }
  out.nil().nil();
}

}  // namespace

void write_error(term_writer& out, const answer& failed, std::string_view module, std::string_view function,
                 std::span<const term> arguments) {
  switch (failed.kind) {
    case answer_kind::undefined:
      out.atom("undef");
      break;
    case answer_kind::function_clause:
      out.atom("function_clause");
      break;
    case answer_kind::bad_argument:
      out.atom("badarg");
      break;
    case answer_kind::value:
    case answer_kind::error:
      if (failed.encoded) {
        out.raw(*failed.encoded);
      } else {
        out.atom("error");
      }
      break;
  }
  write_stack(out, module, function, arguments, failed.kind == answer_kind::error);
}

term_writer exit_reason(const answer& answered, const term* of_call, const term_writer& failure) {
  term_writer reason;
  if (of_call == nullptr && answered.kind == answer_kind::value) {
    reason.atom("normal");
  } else if (of_call == nullptr) {
    reason.tuple_header(2).tuple_header(2).atom("exception").tuple_header(2).raw(failure.view()).nil();
  } else if (answered.kind != answer_kind::value) {
    reason.tuple_header(4).write(*of_call).atom("error").raw(failure.view());
  } else {
    reason.tuple_header(3).write(*of_call).atom("return");
    if (answered.encoded) {
      reason.raw(*answered.encoded);
    } else {
      reason.atom("ok");
    }
  }
  return reason;
}

byte_string returned(const term& of_call) {
  return term_writer().tuple_header(3).write(of_call).atom("return").bytes();
}

long_message end_with(const control::monitor_exit& down, const byte_string& front,
                      std::shared_ptr<const long_value> value, bool behind) {
  if (behind) return {encode_control(down, reason_place::behind), front, std::move(value)};
  auto whole = down;
  whole.reason = opaque{front};
  return {encode_control(whole, reason_place::in_control), {}, std::move(value)};
}

term written(const term_writer& out) {
  return opaque{out.bytes()};
}

}  // namespace rollcall::cnode
