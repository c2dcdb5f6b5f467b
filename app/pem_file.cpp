#include "app/pem_file.hpp"

#include <fmt/format.h>

#include "app/printable.hpp"
#include "tls/pem.hpp"

namespace rollcall::app {

std::string read_pem(watched_files& files, const std::string& path, std::string_view what,
                     std::string& into) {
  auto problem = files.read(path, what, into);
  if (!problem.empty()) return problem;
  if (into.empty()) return fmt::format("{} {} is empty: put the whole file there", what, printable(path));
  problem = tls::why_no_pem(into);
  return problem.empty() ? problem : fmt::format("{} {} {}", what, printable(path), problem);
}

}  // namespace rollcall::app
