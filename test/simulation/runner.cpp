#include "test/simulation/runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <sstream>

#include "test/simulation/jail.hpp"

namespace rollcall::simulation {

namespace {

constexpr unsigned batch_at_most = 1'800, one_at_most = 1'200;  // seconds, on a busy machine

std::string without_newlines(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  std::ranges::replace(text, '\t', ' ');
  return text;
}

// A line for each finding, and one for what was covered.
std::string play_batch(const batch& b) {
  coverage covered;
  std::string text;
  for (auto seed = b.from; seed < b.to; ++seed) {
    const auto result = play(seed, false, b.nodes);
    covered.add(result.covered);
    if (!result.wrong) continue;
    text += fmt::format("found\t{}\t{}\t{}\t{}\t{}\n", seed, b.nodes, static_cast<int>(result.wrong->broken),
                        without_newlines(result.wrong->what), result.plan);
  }
  return text + "covered\t" + covered.packed() + "\n";
}

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> parts;
  std::istringstream in(line);
  for (std::string part; std::getline(in, part, '\t');) parts.push_back(part);
  return parts;
}

// False when the process did not say all.
bool read_batch(const std::string& said, run_result& into) {
  run_result r;
  bool whole = false;
  std::istringstream in(said);
  for (std::string line; std::getline(in, line);) {
    const auto parts = split(line);
    if (parts.size() == 6 && parts[0] == "found") {
      r.wrong.push_back({std::stoull(parts[1]), std::stoull(parts[2]), static_cast<rule>(std::stoi(parts[3])),
                         parts[4], parts[5]});
    } else if (parts.size() == 2 && parts[0] == "covered") {
      r.covered = coverage::unpacked(parts[1]);
      whole = true;
    }
  }
  if (!whole) return false;
  into.covered.add(r.covered);
  into.wrong.insert(into.wrong.end(), r.wrong.begin(), r.wrong.end());
  return true;
}

run_result play_guarded(const batch& b) {
  run_result result;
  const auto said = in_jail([&] { return play_batch(b); }, batch_at_most);
  if (read_batch(said, result)) return result;
  for (auto seed = b.from; seed < b.to; ++seed) {
    const auto one = in_jail([&] { return play_batch({seed, seed + 1, b.nodes}); }, one_at_most);
    if (!read_batch(one, result))
      result.wrong.push_back({seed, b.nodes, rule::crash, without_newlines(one), ""});
  }
  return result;
}

}  // namespace

std::vector<batch> batches_of(std::uint64_t from, std::uint64_t to, std::size_t nodes, std::uint64_t each) {
  std::vector<batch> list;
  for (; from < to; from += each) list.push_back({from, std::min(from + each, to), nodes});
  return list;
}

run_result play_all(const std::vector<batch>& work, unsigned jobs,
                    const std::function<void(const found&)>& told) {
  std::mutex mutex;
  run_result all;
  share_out(work.size(), jobs, [&](std::size_t i) {
    auto result = play_guarded(work[i]);
    const std::lock_guard lock(mutex);
    all.covered.add(result.covered);
    for (auto& f : result.wrong) {
      told(f);
      all.wrong.push_back(std::move(f));
    }
  });
  std::ranges::sort(all.wrong, {}, [](const found& f) { return std::pair(f.nodes, f.seed); });
  return all;
}

}  // namespace rollcall::simulation
