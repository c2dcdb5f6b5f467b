#include "cnode/processes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cnode/connection.hpp"
#include "cnode/exit_reasons.hpp"
#include "cnode/message_writer.hpp"

namespace rollcall::cnode {
namespace {

// OTP 23 keeps 15 bits of a pid's number and 13 of its serial, and 18 of a reference's first word.
constexpr std::uint32_t self_id = 1, first_spawned_id = 16, pid_ids = 1U << 15U, pid_serials = 1U << 13U;
constexpr std::uint64_t reference_words = 1U << 18U;

const std::vector<term>* items_of(const term& t, std::size_t arity) {
  const auto* found = t.as<tuple>();
  return found != nullptr && found->items.size() == arity ? &found->items : nullptr;
}

const std::vector<term>* proper_list(const term& t) {
  const auto* found = t.as<list>();
  return found != nullptr && !found->tail ? &found->items : nullptr;
}

// `monitor`, `{monitor, Opts}` and `link`; what else there may be is a hint, or concerns the caller's side
// only.
processes::spawn_options read_options(const term& options) {
  processes::spawn_options read;
  const auto* items = proper_list(options);
  if (items == nullptr) return read;
  for (const auto& item : *items) {
    const auto* pair = items_of(item, 2);
    if (item.is_atom("monitor") || (pair != nullptr && pair->front().is_atom("monitor"))) read.monitor = true;
    if (item.is_atom("link")) read.link = true;
  }
  return read;
}

// The reference in a gen call's tag: Ref, [alias | Ref], [[alias | Ref] | _], or OTP 23's {'$gen_request_id',
// Ref}.
struct call_tag {
  const reference* ref = nullptr;
  bool alias = false;
};

call_tag read_tag(const term& tag) {
  if (const auto* ref = tag.as<reference>()) return {ref, false};
  if (const auto* request = items_of(tag, 2);
      request != nullptr && request->front().is_atom("$gen_request_id")) {
    return {request->back().as<reference>(), false};
  }
  const auto* cell = tag.as<list>();
  if (cell == nullptr || cell->items.empty()) return {};
  if (cell->items.front().as<list>() != nullptr) return read_tag(cell->items.front());
  if (cell->items.size() == 1 && cell->items.front().is_atom("alias") && cell->tail) {
    return {cell->tail->as<reference>(), true};
  }
  return {};
}

byte_string refuse(const control::spawn_request& request, std::string_view why) {
  return encode_message(control::spawn_reply{request.id, request.from, 0, atom{std::string(why)}});
}

}  // namespace

processes::processes(const node_name& own, std::uint32_t creation, call_handler handler)
    : node_(own.text()),
      creation_(creation),
      handler_(std::move(handler)),
      self_{own.text(), self_id, 0, creation},
      next_id_(first_spawned_id),
      reference_salt_(random_word()) {}

reference processes::next_reference() {
  const auto number = next_reference_++;
  reference made;
  made.node = node_;
  made.creation = creation_;
  made.length = 3;
  made.ids[0] = static_cast<std::uint32_t>(number % reference_words);
  made.ids[1] = static_cast<std::uint32_t>(number / reference_words);
  made.ids[2] = reference_salt_;
  return made;
}

pid processes::next_process() {
  pid made{node_, next_id_, next_serial_, creation_};
  if (++next_id_ == pid_ids) {
    next_id_ = first_spawned_id;
    next_serial_ = (next_serial_ + 1) % pid_serials;
  }
  return made;
}

bool processes::is_alive(const process_id& process) const {
  if (const auto* name = std::get_if<atom>(&process)) {
    return std::ranges::find(registered_names, std::string_view(name->text)) != registered_names.end();
  }
  return std::get<pid>(process) == self_;
}

reaction processes::receive(session& of, const message& received) {
  if (received.payload_skipped) return refuse_size(of, received);
  return std::visit(
      [&](const auto& control) -> reaction {
        using kind = std::remove_cvref_t<decltype(control)>;
        if constexpr (std::is_same_v<kind, control::spawn_request>) {
          return spawn(of, control, received.payload);
        } else if constexpr (std::is_same_v<kind, control::reg_send>) {
          return deliver(of, control.to.text, received.payload);
        } else if constexpr (std::is_same_v<kind, control::send>) {
          if (control.to == self_) return deliver(of, "rollcall", received.payload);
          return {};  // to a process that has ended
        } else if constexpr (std::is_same_v<kind, control::monitor>) {
          return monitor(of, control);
        } else if constexpr (std::is_same_v<kind, control::demonitor>) {
          of.monitors.erase(control.ref);
          return {};
        } else if constexpr (std::is_same_v<kind, control::link>) {
          if (is_alive(control.to)) return {};
          return {encode_message(control::exit{control.to, control.from, atom{"noproc"}}), {}};
        } else if constexpr (std::is_same_v<kind, control::unlink_id>) {
          return {encode_message(control::unlink_id_ack{control.id, control.to, control.from}), {}};
        } else if constexpr (std::is_same_v<kind, control::alias_send>) {
          return {{}, "a message to an alias nobody made"};
        } else {
          return {};  // exit, exit2, unlink, its acknowledgement, group_leader, late answers: nothing here
                      // minds
        }
      },
      received.control);
}

// Who asked with more than this node reads is told at once: a call to a process as if that had ended.
reaction processes::refuse_size(session& of, const message& asked) {
  reaction made{{}, "a message with more than this node reads"};
  if (const auto* request = std::get_if<control::spawn_request>(&asked.control)) {
    made.frames = refuse(*request, "system_limit");
  } else if (const auto call = read_call_front(asked.payload)) {
    made.frames = end_monitor(of, read_tag(call->tag).ref, atom{"system_limit"}).frames;
  }
  return made;
}

reaction processes::spawn(session& of, const control::spawn_request& request, byte_view payload) {
  const bool call = request.function.text == "execute_call" && request.arity == 4;
  const bool cast = request.function.text == "execute_cast" && request.arity == 3;
  if (request.module.text != "erpc" || (!call && !cast)) {
    return {refuse(request, "notsup"),
            fmt::format("a request to spawn {}:{}/{}: refused, only erpc calls are served",
                        request.module.text, request.function.text, request.arity)};
  }
  const auto payload_term = decode_term(payload);
  if (!payload_term)
    return {refuse(request, "system_limit"), "a call with more arguments than this node reads"};
  const auto* given = proper_list(*payload_term);
  if (given == nullptr || given->size() != static_cast<std::size_t>(request.arity)) {
    return {refuse(request, "badarg"), "a call without the arguments of erpc:execute_call/4"};
  }
  const std::size_t first = call ? 1 : 0;
  const auto* module = (*given)[first].as<atom>();
  const auto* function = (*given)[first + 1].as<atom>();
  const auto* arguments = proper_list((*given)[first + 2]);
  if (module == nullptr || function == nullptr) {
    return {refuse(request, "badarg"), "a call whose module or function is none"};
  }

  const auto options = read_options(request.options);
  const auto answered = arguments == nullptr
                            ? answer{answer_kind::bad_argument, {}}
                            : handler_({request.from, module->text, function->text, *arguments,
                                        !cast && (options.monitor || options.link)});
  term_writer failure;
  if (answered.kind == answer_kind::value) {
    // The reason has the answer instead.
  } else if (arguments != nullptr) {
    write_error(failure, answered, module->text, function->text, *arguments);
  } else {
    // No list: what fails is the call itself.
    write_error(failure, answered, "erlang", "apply", std::span(*given).subspan(first));
  }
  return run_and_end(of, request, options, call ? &given->front() : nullptr, answered, failure);
}

// The process that was asked for: it began, and has ended. `call` is the reference of an erpc call, null for
// a cast.
reaction processes::run_and_end(session& of, const control::spawn_request& request,
                                const spawn_options& options, const term* call, const answer& answered,
                                const term_writer& failure) {
  using control::spawn_reply;
  const auto runner = next_process();
  const std::int64_t flags =
      (options.monitor ? spawn_reply::flag_monitor : 0) | (options.link ? spawn_reply::flag_link : 0);
  reaction made;
  made.frames = encode_message(spawn_reply{request.id, request.from, flags, runner});
  if (of.refers && call != nullptr && flags == spawn_reply::flag_monitor &&
      answered.kind == answer_kind::value) {
    if (const auto referring = referring_.of(answered.encoded)) {
      const control::monitor_exit down{runner, request.from, request.id, {}};
      made.referring = {encode_control(down, reason_place::behind), returned(*call), referring};
      return made;
    }
  }
  if (call != nullptr && answered.in_turns) {
    const auto front = returned(*call);
    if (options.monitor) {
      made.long_ones.push_back(
          end_with({runner, request.from, request.id, {}}, front, answered.in_turns, of.reasons_behind));
    }
    if (options.link) {
      const control::exit ended{runner, request.from, opaque{front}};
      made.long_ones.push_back({encode_control(ended, reason_place::in_control), {}, answered.in_turns});
    }
    return made;
  }
  const auto reason = exit_reason(answered, call, failure);
  if (options.monitor) {
    made.frames += encode_message(control::monitor_exit{runner, request.from, request.id, written(reason)});
  }
  if (options.link) made.frames += encode_message(control::exit{runner, request.from, written(reason)});
  return made;
}

// {call, M, F, A, GroupLeader}, as nodes before OTP 23, erl_call and libei's ei_rpc ask it of `rex`; absent:
// something else. The answer is the value, or {badrpc, {'EXIT', {Reason, Stack}}}.
std::optional<answer> processes::rex_call(const pid& caller, const term& request) {
  const auto* call = items_of(request, 5);
  if (call == nullptr || !call->front().is_atom("call")) return {};
  const auto* module = (*call)[1].as<atom>();
  const auto* function = (*call)[2].as<atom>();
  const auto* arguments = proper_list((*call)[3]);
  if (module == nullptr || function == nullptr || arguments == nullptr) return {};
  auto answered = handler_({caller, module->text, function->text, *arguments});
  if (answered.kind == answer_kind::value && (answered.encoded || answered.in_turns)) return answered;
  term_writer out;
  if (answered.kind == answer_kind::value) {
    out.atom("ok");
  } else {
    out.tuple_header(2).atom("badrpc").tuple_header(2).atom("EXIT").tuple_header(2);
    write_error(out, answered, module->text, function->text, *arguments);
  }
  return answer{answer_kind::value, std::make_shared<const byte_string>(out.bytes())};
}

reaction processes::monitor(session& of, const control::monitor& asked) {
  const auto down = [&](std::string_view why) {
    return encode_message(control::monitor_exit{asked.to, asked.from, asked.ref, atom{std::string(why)}});
  };
  if (!is_alive(asked.to)) return {down("noproc"), {}};
  if (of.monitors.size() >= max_monitors) {
    return {down("system_limit"), fmt::format("more than {} monitors", max_monitors)};
  }
  of.monitors.insert_or_assign(asked.ref, session::monitor{asked.from, asked.to});
  return {};
}

reaction processes::deliver(session& of, std::string_view name, byte_view payload) {
  if (!is_alive(atom{std::string(name)})) return {};  // the sender's monitor, if any, has said noproc
  const auto decoded = decode_term(payload);
  if (!decoded) return refuse_size(of, message{control::reg_send{}, payload, true});
  if (const auto* call = items_of(*decoded, 3)) {
    if (call->front().is_atom("$gen_call")) return gen_call(of, name, (*call)[1], (*call)[2]);
    // A call that is none of a server's: sys:get_state/1, gen_server:stop/1, gen_event:call/3. Who makes it
    // waits.
    if (const auto* from = items_of((*call)[1], 2); from != nullptr && from->front().as<pid>() != nullptr) {
      auto made = end_monitor(of, read_tag(from->back()).ref, written(term_writer().atom("notsup")));
      made.unexpected =
          fmt::format("a call to {} that is not for a server: {}", name, to_string(*decoded, 200));
      return made;
    }
  }
  if (const auto* asked = items_of(*decoded, 2); asked != nullptr && name == "rex") {
    const auto* from = asked->front().as<pid>();
    const auto answered = from == nullptr ? std::nullopt : rex_call(*from, asked->back());
    term_writer out;
    if (answered) {
      out.tuple_header(2).atom("rex");
      const control::send back{*from};
      if (answered->in_turns) {
        reaction made;
        made.long_ones.push_back(
            {encode_control(back, reason_place::in_control), out.bytes(), answered->in_turns});
        return made;
      }
      return {encode_message(back, out.raw(*answered->encoded).view()), {}};
    }
    // rpc:sbcast/3 and rpc:server_call/4 have it pass a message on, and wait for its word whether there is
    // such a process. Ours take messages from those who send them only.
    const auto* passing = from == nullptr ? nullptr : items_of(asked->back(), 3);
    if (passing != nullptr && (passing->front().is_atom("sbcast") || passing->front().is_atom("send"))) {
      out.tuple_header(3)
          .atom("rex")
          .atom(node_)
          .tuple_header(2)
          .atom("nonexisting_name")
          .write((*passing)[1]);
      return {encode_message(control::send{*from}, out.view()), {}};
    }
  }
  if (const auto* request = items_of(*decoded, 4);
      request != nullptr && request->front().is_atom("io_request")) {
    if (const auto* from = (*request)[1].as<pid>()) {
      term_writer reply;
      reply.tuple_header(3)
          .atom("io_reply")
          .write((*request)[2])
          .tuple_header(2)
          .atom("error")
          .atom("enotsup");
      return {encode_message(control::send{*from}, reply.view()), {}};
    }
  }
  if (name == "rollcall") return {{}, {}, *decoded};
  return {{}, fmt::format("a message to {} that nobody waits for: {}", name, to_string(*decoded, 200))};
}

reaction processes::end_monitor(session& of, const reference* ref, const term& reason) {
  const auto held = ref == nullptr ? of.monitors.end() : of.monitors.find(*ref);
  if (held == of.monitors.end()) return {};
  const control::monitor_exit down{held->second.to, held->second.from, *ref, reason};
  of.monitors.erase(held);
  return {encode_message(down), {}};
}

struct processes::gen_client {
  const pid& caller;
  const term& tag;
  call_tag tagged;
};

control_message processes::reply_to(const gen_client& to) const {
  if (to.tagged.alias && to.tagged.ref != nullptr) return control::alias_send{self_, *to.tagged.ref};
  return control::send{to.caller};
}

reaction processes::reply(const gen_client& to, std::shared_ptr<const long_value> value) const {
  reaction made;
  made.long_ones.push_back({encode_control(reply_to(to), reason_place::in_control),
                            term_writer().tuple_header(2).write(to.tag).bytes(), std::move(value)});
  return made;
}

reaction processes::reply(const gen_client& to, byte_view encoded) const {
  term_writer out;
  out.tuple_header(2).write(to.tag).raw(encoded);
  return {encode_message(reply_to(to), out.view()), {}};
}

// A server that raises ends, and its callers' monitors say why. This one does not end: only this caller is
// told.
reaction processes::fail(session& of, std::string_view name, const gen_client& to,
                         const term_writer& reason) {
  auto made = end_monitor(of, to.tagged.ref, written(reason));
  if (made.frames.empty()) made.unexpected = fmt::format("a call to {} that fails, without a monitor", name);
  return made;
}

reaction processes::gen_call(session& of, std::string_view name, const term& from_and_tag,
                             const term& request) {
  const auto* pair = items_of(from_and_tag, 2);
  const auto* caller = pair == nullptr ? nullptr : pair->front().as<pid>();
  if (caller == nullptr) return {{}, fmt::format("a call to {} from nobody", name)};
  const gen_client client{*caller, pair->back(), read_tag(pair->back())};
  if (name == "rollcall") return ask_rollcall(of, client, request);
  if (name == "rex") {
    if (const auto answered = rex_call(*caller, request)) {
      return answered->in_turns ? reply(client, answered->in_turns) : reply(client, *answered->encoded);
    }
  }
  term_writer out;
  if (const auto* is_auth = items_of(request, 2);
      name == "net_kernel" && is_auth != nullptr && is_auth->front().is_atom("is_auth")) {
    return reply(client, out.atom("yes").view());
  }
  auto made = fail(of, name, client, out.atom("notsup"));
  made.unexpected = fmt::format("a call to {}: {}", name, to_string(request, 200));
  return made;
}

reaction processes::ask_rollcall(session& of, const gen_client& client, const term& request) {
  const atom* function = request.as<atom>();
  std::span<const term> arguments;
  if (const auto* call = request.as<tuple>(); call != nullptr && !call->items.empty()) {
    function = call->items.front().as<atom>();
    arguments = std::span(call->items).subspan(1);
  }
  const auto answered = function == nullptr
                            ? answer{answer_kind::function_clause, {}}
                            : handler_({client.caller, "rollcall", function->text, arguments});
  term_writer out;
  if (answered.kind == answer_kind::value) {
    if (answered.in_turns) return reply(client, answered.in_turns);
    const auto referring = of.refers ? referring_.of(answered.encoded) : nullptr;
    if (referring) {
      reaction made;
      made.referring = {encode_control(reply_to(client), reason_place::in_control),
                        term_writer().tuple_header(2).write(client.tag).bytes(), referring};
      return made;
    }
    return reply(client, answered.encoded ? byte_view(*answered.encoded) : out.atom("ok").view());
  }
  out.tuple_header(2);
  if (function == nullptr) {
    const std::array<term, 1> whole{request};
    write_error(out, answered, "rollcall", "handle_call", whole);
  } else {
    write_error(out, answered, "rollcall", function->text, arguments);
  }
  return fail(of, "rollcall", client, out);
}

}  // namespace rollcall::cnode
