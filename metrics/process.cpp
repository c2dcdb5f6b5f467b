#include "metrics/process.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <optional>

namespace rollcall::metrics {

namespace {

// The fields of /proc/self/stat that are used here, numbered as proc(5) numbers them.
struct self_stat {
  double user_ticks = 0, system_ticks = 0;  // 14, 15
  double threads = 0;                       // 20
  double start_ticks = 0;                   // 22, since boot
  double virtual_bytes = 0;                 // 23
  double resident_pages = 0;                // 24
};

std::optional<self_stat> read_self_stat() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return {};
  const auto after_name = line.rfind(')');  // the name (2) may itself hold spaces and parentheses
  if (after_name == std::string::npos) return {};
  std::istringstream rest(line.substr(after_name + 1));
  self_stat found;
  std::string skipped;
  for (int field = 3; field <= 24; ++field) {
    switch (field) {
      case 14:
        rest >> found.user_ticks;
        break;
      case 15:
        rest >> found.system_ticks;
        break;
      case 20:
        rest >> found.threads;
        break;
      case 22:
        rest >> found.start_ticks;
        break;
      case 23:
        rest >> found.virtual_bytes;
        break;
      case 24:
        rest >> found.resident_pages;
        break;
      default:
        rest >> skipped;
        break;
    }
  }
  if (!rest) return {};
  return found;
}

std::optional<double> boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word; std::getline(file, word)) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return {};
}

std::optional<double> open_descriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), &::closedir);
  if (!folder) return {};
  double count = 0;
  while (const auto* entry = ::readdir(folder.get())) {
    if (entry->d_name[0] != '.') ++count;
  }
  return count - 1;  // the one this folder is read with
}

// As other exporters have it, -1 is no limit.
std::optional<double> soft_limit(decltype(RLIMIT_NOFILE) of) {
  rlimit limit{};
  if (::getrlimit(of, &limit) != 0) return {};
  return limit.rlim_cur == RLIM_INFINITY ? -1 : static_cast<double>(limit.rlim_cur);
}

}  // namespace

void write_process(exposition& out) {
  if (const auto stat = read_self_stat()) {
    const auto ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
    out.counter("process_cpu_seconds_total", "User and system CPU time spent, in seconds.",
                (stat->user_ticks + stat->system_ticks) / ticks_per_second);
    out.gauge("process_resident_memory_bytes", "Resident memory size in bytes.",
              stat->resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE)));
    out.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", stat->virtual_bytes);
    out.gauge("process_threads", "Threads of the process.", stat->threads);
    if (const auto boot = boot_time()) {
      out.gauge("process_start_time_seconds", "Start time of the process since the epoch, in seconds.",
                *boot + stat->start_ticks / ticks_per_second);
    }
  }
  if (const auto limit = soft_limit(RLIMIT_AS)) {
    out.gauge("process_virtual_memory_max_bytes",
              "Most virtual memory the process may have, in bytes; -1 is no limit.", *limit);
  }
  if (const auto open = open_descriptors()) {
    out.gauge("process_open_fds", "Open file descriptors.", *open);
  }
  if (const auto limit = soft_limit(RLIMIT_NOFILE)) {
    out.gauge("process_max_fds", "Most file descriptors the process may have open; -1 is no limit.", *limit);
  }
}

}  // namespace rollcall::metrics
