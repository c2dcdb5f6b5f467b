#include "app/watcher_program.hpp"

#include "app/abstract_form.hpp"

namespace rollcall::app {

// A watcher of an earlier link under that name is ended first. Messages to us never open a connection: they
// end with the link, as the process does. What nodes() was at the last question it answered with `other` is
// marked by the question's number, until a node comes or goes.
const std::string_view watcher_text = R"erl(
case erlang:whereis(Name) of
  undefined -> ok;
  Old ->
    OldEnds = erlang:monitor(process, Old),
    erlang:exit(Old, kill),
    receive {'DOWN', OldEnds, process, _, _} -> ok end
end,
true = erlang:register(Name, erlang:self()),
Ends = erlang:monitor(process, Us),
ok = net_kernel:monitor_nodes(true, [nodedown_reason]),
Tell = fun(What) -> erlang:send(Us, {rollcall_watcher, Token, What}, [noconnect]) end,
Look = fun() -> erlang:send_after(400, erlang:self(), look) end,
Tell(watching),
Look(),
Watch = fun Again(Marked, Then) ->
  receive
    {nodeup, Node, _} -> Tell({up, Node}), Again(none, []);
    {nodedown, Node, Info} ->
      Tell({down, Node, proplists:get_value(nodedown_reason, Info)}), Again(none, []);
    look ->
      case init:get_status() of {stopping, _} -> Tell(stopping); _ -> Look() end, Again(Marked, Then);
    {alive, Number} -> Tell({alive, Number}), Again(Marked, Then);
    {same, Number, Mark} ->
      Now = erlang:nodes(),
      case {Mark, Now} of
        {Marked, Then} -> Tell({same, Number}), Again(Marked, Then);
        _ -> Tell({other, Number}), Again(Number, Now)
      end;
    {'DOWN', Ends, process, _, _} -> ok;
    _ -> Again(Marked, Then)
  end
end,
Watch(none, []).
)erl";

namespace {

namespace f = form;

f::expression down_of(std::string_view monitor) {
  return f::tuple(
      {f::atom("DOWN"), f::variable(monitor), f::atom("process"), f::variable("_"), f::variable("_")});
}

f::expression end_the_old_one() {
  const auto receive_its_end = f::receive({f::clause({down_of("OldEnds")}, {f::atom("ok")})});
  return f::case_of(
      f::call("erlang", "whereis", {f::variable("Name")}),
      {f::clause({f::atom("undefined")}, {f::atom("ok")}),
       f::clause({f::variable("Old")},
                 {f::match(f::variable("OldEnds"),
                           f::call("erlang", "monitor", {f::atom("process"), f::variable("Old")})),
                  f::call("erlang", "exit", {f::variable("Old"), f::atom("kill")}), receive_its_end})});
}

f::expression tell(f::expression what) {
  return f::apply(f::variable("Tell"), {std::move(what)});
}

f::expression define_tell() {
  const auto message = f::tuple({f::atom("rollcall_watcher"), f::variable("Token"), f::variable("What")});
  const auto send = f::call("erlang", "send", {f::variable("Us"), message, f::list({f::atom("noconnect")})});
  return f::match(f::variable("Tell"), f::fun({f::clause({f::variable("What")}, {send})}));
}

// A timer of its own, so that messages do not put it off.
f::expression define_look() {
  const auto timer =
      f::call("erlang", "send_after",
              {f::integer(watcher_looks.count()), f::call("erlang", "self", {}), f::atom("look")});
  return f::match(f::variable("Look"), f::fun({f::clause({}, {timer})}));
}

f::expression again_with(f::expression marked, f::expression then) {
  return f::apply(f::variable("Again"), {std::move(marked), std::move(then)});
}

f::expression again() {
  return again_with(f::variable("Marked"), f::variable("Then"));
}

f::expression number_with(std::string_view word) {
  return f::tuple({f::atom(word), f::variable("Number")});
}

f::expression on_up() {
  return f::clause(
      {f::tuple({f::atom("nodeup"), f::variable("Node"), f::variable("_")})},
      {tell(f::tuple({f::atom("up"), f::variable("Node")})), again_with(f::atom("none"), f::list({}))});
}

f::expression on_down() {
  const auto why = f::call("proplists", "get_value", {f::atom("nodedown_reason"), f::variable("Info")});
  return f::clause({f::tuple({f::atom("nodedown"), f::variable("Node"), f::variable("Info")})},
                   {tell(f::tuple({f::atom("down"), f::variable("Node"), why})),
                    again_with(f::atom("none"), f::list({}))});
}

f::expression on_look() {
  const auto status =
      f::case_of(f::call("init", "get_status", {}),
                 {f::clause({f::tuple({f::atom("stopping"), f::variable("_")})}, {tell(f::atom("stopping"))}),
                  f::clause({f::variable("_")}, {f::apply(f::variable("Look"), {})})});
  return f::clause({f::atom("look")}, {status, again()});
}

f::expression on_same() {
  const auto pair = [](std::string_view first, std::string_view second) {
    return f::tuple({f::variable(first), f::variable(second)});
  };
  const auto compared = f::case_of(
      pair("Mark", "Now"),
      {f::clause({pair("Marked", "Then")}, {tell(number_with("same")), again()}),
       f::clause({f::variable("_")},
                 {tell(number_with("other")), again_with(f::variable("Number"), f::variable("Now"))})});
  return f::clause({f::tuple({f::atom("same"), f::variable("Number"), f::variable("Mark")})},
                   {f::match(f::variable("Now"), f::call("erlang", "nodes", {})), compared});
}

f::expression define_watch() {
  const auto on_alive = f::clause({number_with("alive")}, {tell(number_with("alive")), again()});
  const auto loop =
      f::receive({on_up(), on_down(), on_look(), on_alive, on_same(),
                  f::clause({down_of("Ends")}, {f::atom("ok")}), f::clause({f::variable("_")}, {again()})});
  return f::match(f::variable("Watch"),
                  f::named_fun("Again", {f::clause({f::variable("Marked"), f::variable("Then")}, {loop})}));
}

}  // namespace

cnode::byte_string watcher_forms() {
  const auto monitor_us = f::call("erlang", "monitor", {f::atom("process"), f::variable("Us")});
  const auto monitor_nodes =
      f::call("net_kernel", "monitor_nodes", {f::atom("true"), f::list({f::atom("nodedown_reason")})});
  const auto register_it =
      f::call("erlang", "register", {f::variable("Name"), f::call("erlang", "self", {})});
  const cnode::list program{
      {end_the_old_one(), f::match(f::atom("true"), register_it), f::match(f::variable("Ends"), monitor_us),
       f::match(f::atom("ok"), monitor_nodes), define_tell(), define_look(), tell(f::atom("watching")),
       f::apply(f::variable("Look"), {}), define_watch(),
       f::apply(f::variable("Watch"), {f::atom("none"), f::list({})})},
      nullptr};
  cnode::term_writer encoded;
  encoded.write(program);
  return encoded.bytes();
}

}  // namespace rollcall::app
