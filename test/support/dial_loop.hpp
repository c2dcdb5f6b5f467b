// What Rollcall is measured against: every node dials what it misses, one after the other, each 5 s, as
// libcluster's strategies do.
#pragma once

#include <string>

#include "test/support/pods.hpp"

namespace rollcall::test {

inline void start_dial_loop(pods& cluster) {
  std::string names;
  for (std::size_t i = 0; i < cluster.size(); ++i) names += (i == 0 ? "'" : ",'") + cluster.name(i) + "'";
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    cluster.node(i).eval(
        "register(dial_loop, spawn(fun() -> timer:sleep(rand:uniform(5000)), (fun Loop() -> "
        "[net_kernel:connect_node(N) || N <- [" +
        names +
        "] -- [node() | nodes()]], "
        "timer:sleep(5000), Loop() end)() end)), ok");
  }
}

// What no mesh in use is without: every node says something to each other one, each 5 s. It matters to what
// breaks: a node sends no tick after a quarter of its net_ticktime in which it has sent anything.
inline void start_talking(pods& cluster) {
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    cluster.node(i).eval(
        "spawn(fun() -> timer:sleep(rand:uniform(5000)), (fun Loop() -> "
        "[erlang:send({nobody_there, N}, hello, [noconnect, nosuspend]) || N <- nodes()], "
        "timer:sleep(5000), Loop() end)() end), ok");
  }
}

}  // namespace rollcall::test
