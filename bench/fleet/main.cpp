// Plays the nodes of a large cluster for those who watch it, on 127.20.0.1 and up, in a network namespace of
// its own: one program, one port mapper and one listener for all of them.
//
//   fleet SIZE [unlinked] [ticktime SECONDS] [tls CERTIFICATE KEY AUTHORITIES]
//
// Lines on standard input, each answered by a line: `counts`; `cut K` (nodes below K from the others,
// silently), `pair A B`, `repair`; `stop K`, `start K` (the last K of them; as another run, without links);
// `delay MS` (of each answer). What is played and what is not stands in mesh.hpp; of the calls, those in
// session.cpp.
#include <sys/resource.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <fstream>
#include <iostream>

#include "bench/fleet/played_node.hpp"
#include "cnode/connection.hpp"

namespace {

using namespace rollcall::bench;

asio::awaitable<void> obey(asio::io_context& io, fleet& played) {
  asio::posix::stream_descriptor input(io, ::dup(STDIN_FILENO));
  std::string held;
  while (true) {
    const auto [code, size] =
        co_await asio::async_read_until(input, asio::dynamic_buffer(held), '\n', rollcall::cnode::as_result);
    if (code) break;
    std::cout << played.command(held.substr(0, size - 1)) << std::endl;
    held.erase(0, size);
  }
  io.stop();
}

std::string content(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::shared_ptr<const rollcall::tls::context> speaking_tls(const char* certificate, const char* key,
                                                           const char* authorities) {
  rollcall::tls::side_settings side;
  side.certificates = content(certificate);
  side.key = content(key);
  side.authorities = content(authorities);
  std::string problem;
  auto made = rollcall::tls::context::make({side, side}, problem);
  if (!made) throw std::runtime_error(problem);
  return made;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) throw std::runtime_error("how many nodes?");
  fleet::settings wanted{.size = std::stoul(argv[1])};
  for (int i = 2; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "unlinked") {
      wanted.linked = false;
    } else if (word == "ticktime" && i + 1 < argc) {
      wanted.net_ticktime = std::chrono::seconds(std::stoi(argv[++i]));
    } else if (word == "tls" && i + 3 < argc) {
      wanted.tls = speaking_tls(argv[i + 1], argv[i + 2], argv[i + 3]);
      i += 3;
    } else {
      throw std::runtime_error("unknown word " + word);
    }
  }
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  asio::io_context io(1);
  fleet played(io, wanted);
  played.listen();
  asio::co_spawn(io, obey(io, played), asio::detached);
  std::cout << "ready" << std::endl;
  io.run();
  return 0;
} catch (const std::exception& failure) {
  std::cerr << "fleet: " << failure.what() << '\n';
  return 1;
}
