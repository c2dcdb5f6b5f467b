// Nodes on this machine's loopback behind one port mapper of their own, and Rollcall told of them by name:
// the cluster for what needs no network.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "test/support/beam.hpp"
#include "test/support/epmd.hpp"
#include "test/support/rollcall_program.hpp"

namespace rollcall::test {

class loopback {
 public:
  // Nodes ALIVE@127.0.0.1, up when this returns.
  explicit loopback(const std::vector<std::string>& alive = {}, std::vector<std::string> arguments = {});

  beam& add(beam_options);  // epmd_port is filled in
  beam& node(std::size_t index) { return nodes_.at(index); }
  epmd& mapper() noexcept { return mapper_; }
  std::vector<std::string> names() const;

  // `--node` for every node there is and for `others`, then `more`.
  rollcall_program rollcall(const std::vector<std::string>& others = {}, std::vector<std::string> more = {},
                            std::map<std::string, std::string> environment = {});
  // The real nodes see each other, whatever else there is.
  testing::AssertionResult meshed();

 private:
  epmd mapper_;
  std::deque<beam> nodes_;
};

}  // namespace rollcall::test
