// A C node, as erl_interface's library makes one: links to a Rollcall, subscribes over its own ei_rpc, and
// writes the type of each event that comes. subscriber ALIVE HOST COOKIE ROLLCALL
#include <ei.h>

#include <cstdio>
#include <string>

#include "test/integration/libei/client.hpp"

namespace rollcall::libei {
namespace {

// The value of `type` in {rollcall, Node, #{...}}.
std::string type_of(const ei_x_buff& x) {
  int at = 0, version = 0, arity = 0;
  char atom[MAXATOMLEN_UTF8] = {};
  if (ei_decode_version(x.buff, &at, &version) != 0 || ei_decode_tuple_header(x.buff, &at, &arity) != 0 ||
      arity != 3 || ei_decode_atom(x.buff, &at, atom) != 0 || ei_skip_term(x.buff, &at) != 0 ||
      ei_decode_map_header(x.buff, &at, &arity) != 0) {
    return "something else";
  }
  for (int pair = 0; pair < arity; ++pair) {
    if (ei_decode_atom(x.buff, &at, atom) != 0) return "a map with other keys";
    if (std::string(atom) != "type") {
      ei_skip_term(x.buff, &at);
      continue;
    }
    return ei_decode_atom(x.buff, &at, atom) == 0 ? atom : "not an atom";
  }
  return "no type";
}

}  // namespace
}  // namespace rollcall::libei

int main(int argc, char** argv) {
  using namespace rollcall::libei;
  if (argc != 5) fail("usage");
  ei_cnode node;
  start(node, argv[1], argv[2], argv[3]);
  const int link = connected(node, argv[4]);

  ei_x_buff arguments, answer;
  ei_x_new(&arguments);
  ei_x_encode_list_header(&arguments, 1);
  ei_x_encode_pid(&arguments, ei_self(&node));
  ei_x_encode_empty_list(&arguments);
  ei_x_new(&answer);
  std::string module = "rollcall", function = "subscribe";
  if (ei_rpc(&node, link, module.data(), function.data(), arguments.buff, arguments.index, &answer) < 0)
    fail("rpc");
  int at = 0;
  char atom[MAXATOMLEN_UTF8] = {};
  if (ei_decode_atom(answer.buff, &at, atom) != 0) fail("the answer is no atom");
  std::printf("subscribed %s\n", atom);

  while (true) {
    erlang_msg message;
    ei_x_buff x;
    ei_x_new(&x);
    const int got = ei_xreceive_msg(link, &message, &x);
    if (got == ERL_ERROR) fail("the link is closed");
    if (got == ERL_MSG) std::printf("event %s\n", type_of(x).c_str());
    ei_x_free(&x);
  }
}
