#include "app/watcher_program.hpp"

#include "app/abstract_form.hpp"

namespace rollcall::app {

// A watcher of an earlier link under that name is ended first. Messages to us never open a connection: they
// end with the link, as the process does. What nodes() was at the last question it answered with `other` is
// marked by the question's number, until a node comes or goes. Held: what came or went within a moment of
// what was told last, the latest first; none, when that is longer ago. Whatever else is told comes behind it.
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
Hold = fun() -> erlang:send_after(50, erlang:self(), held), [] end,
Told = fun
  (none) -> none;
  ([]) -> [];
  (Held) -> Tell({changes, lists:reverse(Held)}), []
end,
Changed = fun
  (What, none) -> Tell(What), Hold();
  (What, Held) -> case erlang:length(Held) of 999 -> Told([What | Held]); _ -> [What | Held] end
end,
Tell(watching),
Look(),
Watch = fun Again(Marked, Then, Held) ->
  receive
    {nodeup, Node, _} -> Again(none, [], Changed({up, Node}, Held));
    {nodedown, Node, Info} ->
      Again(none, [], Changed({down, Node, proplists:get_value(nodedown_reason, Info)}, Held));
    held ->
      case Told(Held) of Held -> Again(Marked, Then, none); _ -> Again(Marked, Then, Hold()) end;
    look ->
      Rest = Told(Held),
      case init:get_status() of {stopping, _} -> Tell(stopping); _ -> Look() end,
      Again(Marked, Then, Rest);
    {alive, Number} -> Rest = Told(Held), Tell({alive, Number}), Again(Marked, Then, Rest);
    {same, Number, Mark} ->
      Rest = Told(Held),
      Now = erlang:nodes(),
      case {Mark, Now} of
        {Marked, Then} -> Tell({same, Number}), Again(Marked, Then, Rest);
        _ -> Tell({other, Number}), Again(Number, Now, Rest)
      end;
    {'DOWN', Ends, process, _, _} -> ok;
    _ -> Again(Marked, Then, Held)
  end
end,
Watch(none, [], none).
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

f::expression nil() {
  return f::list({});
}

// So that the next one within that time is held.
f::expression define_hold() {
  const auto timer =
      f::call("erlang", "send_after",
              {f::integer(watcher_holds.count()), f::call("erlang", "self", {}), f::atom("held")});
  return f::match(f::variable("Hold"), f::fun({f::clause({}, {timer, nil()})}));
}

f::expression hold() {
  return f::apply(f::variable("Hold"), {});
}

f::expression define_told() {
  const auto in_order = f::call("lists", "reverse", {f::variable("Held")});
  return f::match(
      f::variable("Told"),
      f::fun({f::clause({f::atom("none")}, {f::atom("none")}), f::clause({nil()}, {nil()}),
              f::clause({f::variable("Held")}, {tell(f::tuple({f::atom("changes"), in_order})), nil()})}));
}

f::expression told(f::expression held) {
  return f::apply(f::variable("Told"), {std::move(held)});
}

f::expression define_changed() {
  const auto what = f::variable("What"), held = f::variable("Held");
  const auto more = f::cons(what, held);
  const auto most = f::integer(std::int64_t{most_changes_at_once} - 1);
  const auto with_more = f::case_of(f::call("erlang", "length", {held}),
                                    {f::clause({most}, {told(more)}), f::clause({f::variable("_")}, {more})});
  return f::match(f::variable("Changed"), f::fun({f::clause({what, f::atom("none")}, {tell(what), hold()}),
                                                  f::clause({what, held}, {with_more})}));
}

f::expression rest_of_told() {
  return f::match(f::variable("Rest"), told(f::variable("Held")));
}

f::expression again_with(f::expression marked, f::expression then, f::expression held) {
  return f::apply(f::variable("Again"), {std::move(marked), std::move(then), std::move(held)});
}

f::expression again(f::expression held) {
  return again_with(f::variable("Marked"), f::variable("Then"), std::move(held));
}

f::expression number_with(std::string_view word) {
  return f::tuple({f::atom(word), f::variable("Number")});
}

f::expression changed(f::expression what) {
  return again_with(f::atom("none"), nil(),
                    f::apply(f::variable("Changed"), {std::move(what), f::variable("Held")}));
}

f::expression on_up() {
  return f::clause({f::tuple({f::atom("nodeup"), f::variable("Node"), f::variable("_")})},
                   {changed(f::tuple({f::atom("up"), f::variable("Node")}))});
}

f::expression on_down() {
  const auto why = f::call("proplists", "get_value", {f::atom("nodedown_reason"), f::variable("Info")});
  return f::clause({f::tuple({f::atom("nodedown"), f::variable("Node"), f::variable("Info")})},
                   {changed(f::tuple({f::atom("down"), f::variable("Node"), why}))});
}

f::expression on_held() {
  return f::clause({f::atom("held")}, {f::case_of(told(f::variable("Held")),
                                                  {f::clause({f::variable("Held")}, {again(f::atom("none"))}),
                                                   f::clause({f::variable("_")}, {again(hold())})})});
}

f::expression on_look() {
  const auto status =
      f::case_of(f::call("init", "get_status", {}),
                 {f::clause({f::tuple({f::atom("stopping"), f::variable("_")})}, {tell(f::atom("stopping"))}),
                  f::clause({f::variable("_")}, {f::apply(f::variable("Look"), {})})});
  return f::clause({f::atom("look")}, {rest_of_told(), status, again(f::variable("Rest"))});
}

f::expression on_alive() {
  return f::clause({number_with("alive")},
                   {rest_of_told(), tell(number_with("alive")), again(f::variable("Rest"))});
}

f::expression on_same() {
  const auto pair = [](std::string_view first, std::string_view second) {
    return f::tuple({f::variable(first), f::variable(second)});
  };
  const auto compared = f::case_of(
      pair("Mark", "Now"),
      {f::clause({pair("Marked", "Then")}, {tell(number_with("same")), again(f::variable("Rest"))}),
       f::clause({f::variable("_")},
                 {tell(number_with("other")),
                  again_with(f::variable("Number"), f::variable("Now"), f::variable("Rest"))})});
  return f::clause({f::tuple({f::atom("same"), f::variable("Number"), f::variable("Mark")})},
                   {rest_of_told(), f::match(f::variable("Now"), f::call("erlang", "nodes", {})), compared});
}

f::expression define_watch() {
  const auto loop = f::receive({on_up(), on_down(), on_held(), on_look(), on_alive(), on_same(),
                                f::clause({down_of("Ends")}, {f::atom("ok")}),
                                f::clause({f::variable("_")}, {again(f::variable("Held"))})});
  return f::match(
      f::variable("Watch"),
      f::named_fun("Again",
                   {f::clause({f::variable("Marked"), f::variable("Then"), f::variable("Held")}, {loop})}));
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
       f::match(f::atom("ok"), monitor_nodes), define_tell(), define_look(), define_hold(), define_told(),
       define_changed(), tell(f::atom("watching")), f::apply(f::variable("Look"), {}), define_watch(),
       f::apply(f::variable("Watch"), {f::atom("none"), nil(), f::atom("none")})},
      nullptr};
  cnode::term_writer encoded;
  encoded.write(program);
  return encoded.bytes();
}

}  // namespace rollcall::app
