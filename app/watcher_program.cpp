#include "app/watcher_program.hpp"

#include "app/abstract_form.hpp"

namespace rollcall::app {

// A watcher of an earlier link under that name is ended first. Messages to us never open a connection: they
// end with the link, as the process does.
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
Watch = fun Again() ->
  receive
    {nodeup, Node, _} -> Tell({up, Node}), Again();
    {nodedown, Node, Info} -> Tell({down, Node, proplists:get_value(nodedown_reason, Info)}), Again();
    look -> case init:get_status() of {stopping, _} -> Tell(stopping); _ -> Look() end, Again();
    {'DOWN', Ends, process, _, _} -> ok;
    _ -> Again()
  end
end,
Watch().
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

f::expression define_watch() {
  const auto again = f::apply(f::variable("Again"), {});
  const auto why = f::call("proplists", "get_value", {f::atom("nodedown_reason"), f::variable("Info")});
  const auto up = f::clause({f::tuple({f::atom("nodeup"), f::variable("Node"), f::variable("_")})},
                            {tell(f::tuple({f::atom("up"), f::variable("Node")})), again});
  const auto down = f::clause({f::tuple({f::atom("nodedown"), f::variable("Node"), f::variable("Info")})},
                              {tell(f::tuple({f::atom("down"), f::variable("Node"), why})), again});
  const auto status =
      f::case_of(f::call("init", "get_status", {}),
                 {f::clause({f::tuple({f::atom("stopping"), f::variable("_")})}, {tell(f::atom("stopping"))}),
                  f::clause({f::variable("_")}, {f::apply(f::variable("Look"), {})})});
  const auto look = f::clause({f::atom("look")}, {status, again});
  const auto loop = f::receive({up, down, look, f::clause({down_of("Ends")}, {f::atom("ok")}),
                                f::clause({f::variable("_")}, {again})});
  return f::match(f::variable("Watch"), f::named_fun("Again", {f::clause({}, {loop})}));
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
       f::apply(f::variable("Look"), {}), define_watch(), f::apply(f::variable("Watch"), {})},
      nullptr};
  cnode::term_writer encoded;
  encoded.write(program);
  return encoded.bytes();
}

}  // namespace rollcall::app
