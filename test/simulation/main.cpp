// simulate: plays histories against membership. See README.md beside this file.
//
//   simulate all [--jobs N] [--histories N] [--small]   what `./dev test` runs
//   simulate model [NAME] | named [NAME] | mutants      parts of it
//   simulate without RULE FROM TO                       which of these seeds notice
//   simulate on HOURS                                   new seeds
//   simulate seeds FROM TO [NODES]                      these seeds, the last one excluded
//   simulate seed N [NODES]                             one history, with its diary
//   --tell: each seed that breaks a rule, as it is found
#include <fmt/format.h>

#include <cstdio>
#include <cstring>
#include <thread>

#include "test/simulation/model.hpp"
#include "test/simulation/parts.hpp"

namespace rollcall::simulation {
namespace {

struct arguments {
  std::vector<std::string> words;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  std::uint64_t histories = fixed_histories;
  bool small = false, tell = false;
};

arguments read(int count, char** given) {
  arguments a;
  for (int i = 1; i < count; ++i) {
    const std::string word = given[i];
    if (word == "--jobs" && i + 1 < count) {
      a.jobs = static_cast<unsigned>(std::stoul(given[++i]));
    } else if (word == "--histories" && i + 1 < count) {
      a.histories = std::stoull(given[++i]);
    } else if (word == "--small") {
      a.small = true;
    } else if (word == "--tell") {
      a.tell = true;
    } else {
      a.words.push_back(word);
    }
  }
  return a;
}

bool play_seed(std::uint64_t seed, std::size_t nodes) {
  const auto result = play(seed, true, nodes);
  fmt::print("{}\n{}", result.plan, result.diary);
  if (result.wrong) {
    fmt::print("{}: {}\n", to_string(result.wrong->broken), result.wrong->what);
  } else {
    fmt::print("all rules were kept\n");
  }
  return !result.wrong;
}

bool play_everything(const arguments& a) {
  std::set<std::uint64_t> unclean;
  std::set<std::string> clean;
  bool right = play_named(measured_behaviour(), nullptr, a.small, a.jobs);
  right = play_named(named_histories(), nullptr, a.small, a.jobs, &clean) && right;
  right = play_fixed(a.histories, !a.small, a.jobs, a.tell, unclean) && right;
  if (!a.small) right = play_mutants(a.jobs, unclean, clean) && right;
  fmt::print("{}\n", right ? "all is as it should be" : "FAILED");
  return right;
}

int run(const arguments& a) {
  const auto word = [&](std::size_t i) { return i < a.words.size() ? a.words[i] : std::string(); };
  bool right = false;
  if (word(0) == "all") {
    right = play_everything(a);
  } else if (word(0) == "model") {
    right =
        play_named(measured_behaviour(), a.words.size() > 1 ? a.words[1].c_str() : nullptr, false, a.jobs);
  } else if (word(0) == "named") {
    right = play_named(named_histories(), a.words.size() > 1 ? a.words[1].c_str() : nullptr, a.small, a.jobs);
  } else if (word(0) == "histories") {
    std::set<std::uint64_t> unclean;
    right = play_fixed(a.histories, !a.small, a.jobs, a.tell, unclean);
  } else if (word(0) == "mutants") {
    std::set<std::uint64_t> unclean;
    for (const auto& f : play_all(batches_of(1, 301, 0, 25), a.jobs, [](const found&) {}).wrong)
      unclean.insert(f.seed);
    std::set<std::string> clean;
    play_named(named_histories(), nullptr, true, a.jobs, &clean);
    right = play_mutants(a.jobs, unclean, clean);
  } else if (word(0) == "without" && a.words.size() > 3) {
    right = play_without(word(1), std::stoull(word(2)), std::stoull(word(3)));
  } else if (word(0) == "on") {
    right = play_on(milliseconds(static_cast<std::int64_t>(std::stod(word(1)) * 3'600'000)), a.jobs);
  } else if (word(0) == "seeds" && a.words.size() > 2) {
    right = play_between(std::stoull(word(1)), std::stoull(word(2)),
                         a.words.size() > 3 ? std::stoull(word(3)) : 0, a.jobs);
  } else if (word(0) == "seed" && a.words.size() > 1) {
    right = play_seed(std::stoull(word(1)), a.words.size() > 2 ? std::stoull(word(2)) : 0);
  } else {
    fmt::print(stderr,
               "simulate all | model [NAME] | named [NAME] | histories | mutants | without RULE FROM TO | on "
               "HOURS | seeds FROM TO [NODES] | seed N [NODES]\n"
               "         [--jobs N] [--histories N] [--small] [--tell]\n");
    return 2;
  }
  return right ? 0 : 1;
}

}  // namespace
}  // namespace rollcall::simulation

int main(int count, char** given) {
  try {
    return rollcall::simulation::run(rollcall::simulation::read(count, given));
  } catch (const std::exception& e) {
    fmt::print(stderr, "simulate: {}\n", e.what());
    return 2;
  }
}
