// One script, two stages: the model of a BEAM (beam.hpp) and real nodes in network namespaces. What the nodes
// see is recorded on both and compared (compare.cpp).
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "test/simulation/beam.hpp"

namespace rollcall::simulation {

using places = std::vector<place>;

// What takes a node's connections in its place.
enum class door { silent, closing };

class stage {
 public:
  virtual ~stage() = default;
  virtual void cut(const places& some, const places& others) = 0;  // both ways, silently
  virtual void join(const places& some, const places& others) = 0;
  virtual void mute(place from, place to) = 0;  // one way; join ends it
  virtual void lose_large(place a, place b) = 0;
  virtual void carry_large(place a, place b) = 0;
  virtual void refuse(place a, place b) = 0;  // each has another cookie for the other
  virtual void agree(place a, place b) = 0;
  virtual void block_mapper(place from, place to) = 0;
  virtual void open_mapper(place from, place to) = 0;
  virtual void close_door(place from, place to, door) = 0;
  virtual void open_door(place from, place to) = 0;
  virtual void freeze(place) = 0;
  virtual void thaw(place) = 0;
  virtual void kill(place) = 0;
  virtual void boot(place) = 0;                  // after kill, or for the first time
  virtual void lose_machine(place) = 0;          // for good
  virtual void disconnect(place, place) = 0;     // erlang:disconnect_node/1
  virtual void leave(place) = 0;                 // global:disconnect/0
  virtual void connect(place on, place to) = 0;  // net_kernel:connect_node/1, its answer is recorded
};

struct step {
  milliseconds at;
  std::function<void(stage&)> what;
};

struct script {
  const char* name;      // a kind of fault, and how it is played
  std::size_t nodes;     // in one mesh at first
  std::size_t more = 0;  // that are booted later
  std::vector<step> steps;
  // Views are compared at these moments, by when everything under way has ended; between them the number of
  // losses, and the times of the first and of the last.
  std::vector<milliseconds> looks;
  bool in_ci = false;
};
const std::vector<script>& scripts();

struct change {
  milliseconds at;
  place on, of;
  bool up;
};
struct request {
  place on, to;
  milliseconds took;
  bool connected;
};
struct recording {
  std::vector<change> changes;  // nodeup and nodedown, in their order
  std::vector<request> requests;
  std::vector<std::pair<milliseconds, place>> gone, came;  // nodes, not links
};

recording play_on_model(const script&, std::uint64_t seed);
// Throws std::runtime_error when the nodes cannot be had.
recording play_on_nodes(const script&);

inline constexpr milliseconds ticktime{8'000}, setuptime{7'000};

}  // namespace rollcall::simulation
