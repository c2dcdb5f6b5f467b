#include "app/handshake_trial.hpp"

#include "app/abstract_form.hpp"

namespace rollcall::app {

const std::string_view trial_text = R"erl(
case erlang:'<'(erlang:monotonic_time(millisecond), End) of
  true ->
    case lists:member(To, erlang:nodes(connected)) of
      true -> linked;
      false ->
        Connected = net_kernel:hidden_connect_node(To),
        case lists:member(To, erlang:nodes(hidden)) of
          true -> erlang:disconnect_node(To);
          false -> Connected
        end
    end;
  false -> expired
end.
)erl";

namespace {

namespace f = form;

f::expression is_among(std::string_view kind) {
  return f::call("lists", "member", {f::variable("To"), f::call("erlang", "nodes", {f::atom(kind)})});
}

f::expression either(f::expression question, f::expressions yes, f::expressions no) {
  return f::case_of(std::move(question), {f::clause({f::atom("true")}, std::move(yes)),
                                          f::clause({f::atom("false")}, std::move(no))});
}

}  // namespace

cnode::byte_string trial_forms() {
  const auto in_time = f::call(
      "erlang", "<", {f::call("erlang", "monotonic_time", {f::atom("millisecond")}), f::variable("End")});
  const auto connect =
      f::match(f::variable("Connected"), f::call("net_kernel", "hidden_connect_node", {f::variable("To")}));
  const auto close = either(is_among("hidden"), {f::call("erlang", "disconnect_node", {f::variable("To")})},
                            {f::variable("Connected")});
  const auto unless_linked = either(is_among("connected"), {f::atom("linked")}, {connect, close});
  cnode::term_writer encoded;
  encoded.write(cnode::list{{either(in_time, {unless_linked}, {f::atom("expired")})}, nullptr});
  return encoded.bytes();
}

// Linked meanwhile, not alive, or carried out too late: that says nothing.
membership::path_probe trial_result_in(const cnode::term& answer) {
  if (answer.is_atom("true")) return membership::path_probe::reachable;
  if (answer.is_atom("false")) return membership::path_probe::refused;
  return membership::path_probe::no_word;
}

asio::awaitable<membership::path_probe> try_handshake(timely_commands& commands, node_name on, node_name to,
                                                      milliseconds limit) {
  static const auto forms = trial_forms();
  const timely_commands::program trial = [&to](std::int64_t end) {
    cnode::term_writer out;
    out.list_header(2).raw(forms).list_header(2);
    out.tuple_header(2).atom("To").atom(to.text());
    out.tuple_header(2).atom("End").integer(end);
    return out.nil().nil().bytes();
  };
  const auto answer = co_await commands.evaluate(on, trial, limit);
  co_return answer ? trial_result_in(*answer) : membership::path_probe::no_word;
}

}  // namespace rollcall::app
