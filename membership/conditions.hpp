// What is wrong, as the closed set of conditions behind `health`, each with a sentence that names who.
#pragma once

#include <array>
#include <map>

#include "membership/deadline.hpp"
#include "membership/settings.hpp"
#include "membership/snapshot.hpp"

namespace rollcall::membership {

class conditions {
 public:
  static constexpr std::size_t most_names = 5;  // named in a sentence; the rest is a number

  explicit conditions(const settings& options) : options_(options) {}

  // When each source last succeeded, by our own clock: a wall clock may jump.
  void sources_told(const std::vector<source_report>&, moment);

  // `s` holds everything but `conditions` and `overall`. What must last before it counts is remembered here.
  std::vector<raised_condition> judge(const snapshot& s, moment, deadline&);

 private:
  struct source_watch {
    std::optional<wall_time> last_success;  // as reported
    steady_time succeeded{};
    bool ever = false;
  };
  struct findings {
    std::vector<raised_condition> raised;
    void raise(condition name, severity how_bad, std::string text) {
      raised.push_back({name, how_bad, std::move(text)});
    }
    void error(condition name, std::string text) { raise(name, severity::error, std::move(text)); }
    void warning(condition name, std::string text) { raise(name, severity::warning, std::move(text)); }
  };
  // True once `holds` was true without a break for `grace`.
  bool lasts(condition, bool holds, milliseconds grace, moment, deadline&);
  void linger(const snapshot&, findings&, moment, deadline&);
  static void expiring(const snapshot&, findings&, moment, deadline&);
  static void discovered(const snapshot&, findings&);
  void split(const snapshot&, findings&, moment, deadline&);
  void stale_sources(const snapshot&, findings&, moment, deadline&);
  void missing(const snapshot&, findings&, moment, deadline&);
  void refused(const snapshot&, findings&) const;
  static void differing(const snapshot&, findings&);

  const settings& options_;
  std::map<std::string, source_watch> watched_;
  std::array<std::optional<steady_time>, condition_count> since_{};
  // As it was raised last, and when.
  std::array<std::optional<std::pair<raised_condition, steady_time>>, condition_count> raised_last_{};
};

}  // namespace rollcall::membership
