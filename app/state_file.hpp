// What outlives a restart: incidents, their totals, and who was told to leave. One JSON file in --state-dir.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/kept_file.hpp"
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

  explicit state_file(std::string folder) : file_(std::move(folder), "incidents.json", max_size) {}

  struct reading {
    std::optional<remembered_state> found;  // absent when there is none, or none that can be read
    std::vector<std::string> problems;      // sentences for the log
  };
  reading read();
  // Empty, or why it failed.
  std::string write(const remembered_state&);

  std::string path() const { return file_.path(); }

 private:
  kept_file file_;
};

// The file's text and back. Throws std::runtime_error with what was wrong, and where.
std::string to_json(const remembered_state&);
remembered_state from_json(std::string_view);

}  // namespace rollcall::app
