// Preloaded into the observed program: the CPU time of each turn of its loop, which is what it does between
// two calls of epoll_wait. Nobody else is served during a turn, so that the longest ones are how long a
// request waits for the program itself; unlike the time on the clock, they do not depend on what else the
// machine does.
//
//   LD_PRELOAD=libbench_turns.so BENCH_TURNS=FILE PROGRAM      (FILE holds a turn_counts)
#include "bench/turns.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <numeric>

namespace {

using rollcall::bench::turn_counts;

turn_counts* shared_counts() {
  const char* path = std::getenv(rollcall::bench::turn_counts_variable);
  if (path == nullptr) return nullptr;
  const int file = ::open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return nullptr;
  void* memory = ::mmap(nullptr, sizeof(turn_counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  return memory == MAP_FAILED ? nullptr : static_cast<turn_counts*>(memory);
}

std::uint64_t cpu_now() {
  timespec spent{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return static_cast<std::uint64_t>(spent.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(spent.tv_nsec);
}

// How often this thread has slept.
long slept() {
  rusage used{};
  ::getrusage(RUSAGE_THREAD, &used);
  return used.ru_nvcsw;
}

void raise_to(std::atomic<std::uint64_t>& highest, std::uint64_t value) {
  if (value > highest) highest = value;
}

}  // namespace

extern "C" int epoll_wait(int file, epoll_event* events, int most, int timeout) {
  constexpr std::uint64_t too_long = 20'000'000;
  static turn_counts* const counts = shared_counts();
  static std::uint64_t begun = 0;
  static std::array<std::uint64_t, 3> in_a_row{};  // turns between which it did not sleep
  if (counts == nullptr) return static_cast<int>(::syscall(SYS_epoll_wait, file, events, most, timeout));
  if (begun != 0) {
    const auto took = cpu_now() - begun;
    in_a_row = {in_a_row[1], in_a_row[2], took};
    ++counts->turns;
    counts->spent += took;
    counts->above_20_ms += took > too_long ? 1 : 0;
    raise_to(counts->longest, took);
    raise_to(counts->longest_three, std::accumulate(in_a_row.begin(), in_a_row.end(), std::uint64_t{0}));
  }
  if (counts->memory_asked) {
    const auto now = ::mallinfo2();
    counts->bytes_in_use = now.uordblks + now.hblkhd;
    counts->memory_asked = false;
  }
  const auto before = slept();
  const auto ready = static_cast<int>(::syscall(SYS_epoll_wait, file, events, most, timeout));
  if (slept() != before) in_a_row = {};
  begun = cpu_now();
  return ready;
}
