// What links/0 and missing_links/0 of a large cluster cost the loop: all of it, and the longest piece, which
// is what everybody else waits for. CPU time of the thread, so that a busy machine changes little.
//
//   bench_lists [members ...]
//
// Measured on two cores at a load of 10: links/0 of 1,000 members is planned in 0.1 ms and made in 355
// pieces, 15 ms in all, the longest 0.3 ms, 32 MB; missing_links/0 between its halves 2.0 ms, 250 pieces, 5
// ms, 9.5 MB; where each member misses one other, 0.1 ms and one piece of 0.1 ms. Made as a whole, links/0
// kept /healthz waiting for 331 ms.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <iostream>

#include "app/pair_lists.hpp"

namespace {

using rollcall::membership::snapshot;
using rollcall::membership::snapshot_ptr;

double cpu_ms() {
  std::timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

enum class broken { none, halves, twos };

// All linked, two halves that see nothing of each other, or each member without one other.
snapshot_ptr cluster(std::size_t size, broken what) {
  snapshot made;
  made.version = 1;
  made.row_words = (size + 63) / 64;
  made.view_bits.resize(size * made.row_words);
  for (std::size_t i = 0; i < size; ++i) {
    const auto name = fmt::format("n@127.20.{:03}.{:03}", i / 250, i % 250 + 1);
    rollcall::membership::member m{.name = rollcall::node_name::parse(name).value()};
    m.state = rollcall::membership::member_state::up;
    m.fresh_view = true;
    m.links_missing = what == broken::halves ? size / 2 : what == broken::twos ? 1 : 0;
    made.members.push_back(std::move(m));
    for (std::size_t j = 0; j < size; ++j) {
      const bool apart =
          what == broken::halves ? (i < size / 2) != (j < size / 2) : what == broken::twos && (i ^ 1) == j;
      if (!apart) made.view_bits[i * made.row_words + j / 64] |= std::uint64_t{1} << (j % 64);
    }
  }
  return std::make_shared<const snapshot>(std::move(made));
}

template <class Make>
void row(std::string_view what, std::size_t size, Make make, const snapshot_ptr& of) {
  auto begun = cpu_ms();
  const auto list = make(of);
  const auto planned = cpu_ms() - begun;
  double longest = 0, all = 0;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < list->pieces; ++i) {
    rollcall::cnode::byte_string piece;
    begun = cpu_ms();
    list->append(i, list->atoms, piece);
    const auto took = cpu_ms() - begun;
    longest = std::max(longest, took);
    all += took;
    bytes += piece.size();
  }
  fmt::print(
      "{:>6} members, {:<23} planned {:.2f} ms, {} pieces {:.1f} ms, the longest {:.2f} ms, {} bytes\n", size,
      what, planned, list->pieces, all, longest, bytes);
}

}  // namespace

int main(int argc, char** argv) try {
  std::vector<std::size_t> sizes;
  for (int i = 1; i < argc; ++i) sizes.push_back(std::stoul(argv[i]));
  if (sizes.empty()) sizes = {100, 300, 1'000, 2'000};
  for (const auto size : sizes) {
    row("links/0", size, rollcall::app::list_of_links, cluster(size, broken::none));
    row("missing_links/0, halves", size, rollcall::app::list_of_missing_links, cluster(size, broken::halves));
    row("missing_links/0, twos", size, rollcall::app::list_of_missing_links, cluster(size, broken::twos));
  }
  return 0;
} catch (const std::exception& failure) {
  std::cerr << "bench_lists: " << failure.what() << '\n';
  return 1;
}
