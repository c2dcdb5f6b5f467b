// What outlives a restart: incidents, their totals, and who was told to leave. One JSON file in --state-dir,
// always written whole (a new file takes the old one's place), never trusted when it is read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "membership/snapshot.hpp"

namespace rollcall::app {

struct remembered_state {
  std::vector<membership::incident> incidents;  // newest first
  membership::incident_totals totals;
  std::vector<node_name> kept_out;
};

class state_file {
 public:
  static constexpr std::size_t max_size = 16U << 20;
  static constexpr std::int64_t format = 1;

  explicit state_file(std::string folder) : folder_(std::move(folder)) {}

  struct reading {
    std::optional<remembered_state> found;  // absent when there is none, or none that can be read
    std::vector<std::string> problems;      // sentences for the log
  };
  // A file that is not what we write, or cannot be read, is renamed aside (…damaged-N), so that nothing is
  // lost and nothing stops us. Where that fails, it is not written over.
  reading read();
  // Empty, or why it failed. The folder is made when it is missing.
  std::string write(const remembered_state&);

  std::string path() const { return folder_ + "/incidents.json"; }

 private:
  void set_aside(reading&, const std::string& problem);

  std::string folder_;
  std::string not_to_be_lost_;  // why there is a file that must stay as it is
};

// The file's text and back. Throws std::runtime_error with what was wrong, and where.
std::string to_json(const remembered_state&);
remembered_state from_json(std::string_view);

}  // namespace rollcall::app
