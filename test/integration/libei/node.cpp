// A C node, as erl_interface's library makes one.
//   node listen ALIVE HOST COOKIE            registered by name; says who links to it
//   node call ALIVE HOST COOKIE ROLLCALL     asks rollcall:nodes/0 as a shell would, and writes the names
#include <ei.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdio>
#include <string>
#include <thread>

#include "test/integration/libei/client.hpp"

namespace rollcall::libei {
namespace {

void hear(int link, const std::string& whose) {
  while (true) {
    erlang_msg message;
    ei_x_buff x;
    ei_x_new(&x);
    const int got = ei_xreceive_msg(link, &message, &x);
    ei_x_free(&x);
    if (got == ERL_ERROR) break;
    if (got == ERL_MSG) std::printf("message of %s\n", whose.c_str());
  }
  std::printf("gone %s\n", whose.c_str());
}

[[noreturn]] void listen_as(ei_cnode& node) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(listener, 5) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
    fail("listen");
  }
  if (ei_publish(&node, ntohs(at.sin_port)) < 0) fail("publish");
  std::printf("listening\n");
  while (true) {
    ErlConnect from;
    const int link = ei_accept(&node, listener, &from);
    if (link < 0) continue;
    std::printf("linked %s\n", from.nodename);
    std::thread(hear, link, std::string(from.nodename)).detach();
  }
}

void call(ei_cnode& node, const char* other) {
  const int link = connected(node, other);
  ei_x_buff none, answer;
  ei_x_new(&none);
  ei_x_encode_empty_list(&none);
  ei_x_new(&answer);
  std::string module = "rollcall", function = "nodes";
  if (ei_rpc(&node, link, module.data(), function.data(), none.buff, none.index, &answer) < 0) fail("rpc");
  int at = 0, count = 0;
  if (ei_decode_list_header(answer.buff, &at, &count) != 0) fail("the answer is no list");
  for (int i = 0; i < count; ++i) {
    char atom[MAXATOMLEN_UTF8] = {};
    if (ei_decode_atom(answer.buff, &at, atom) != 0) fail("an element is no atom");
    std::printf("%s\n", atom);
  }
}

}  // namespace
}  // namespace rollcall::libei

int main(int argc, char** argv) {
  using namespace rollcall::libei;
  const std::string what = argc > 1 ? argv[1] : "";
  if (argc < 5) fail("usage");
  ei_cnode node;
  start(node, argv[2], argv[3], argv[4]);
  if (what == "listen") listen_as(node);
  if (what != "call" || argc != 6) fail("usage");
  call(node, argv[5]);
}
