// The names under which this program looks at a cluster without taking part in it: eight fixed ones, since
// every new name would be an atom more on each node, for as long as that lives.
#pragma once

#include <optional>
#include <string_view>

#include "node_name/node_name.hpp"

namespace rollcall::app {

inline constexpr int guest_names = 8;

// rollcall-check-N@HOST, the first N that nobody else has on this machine (in this network namespace). It is
// held until this goes, or the program ends.
class guest_name {
 public:
  // Absent: all are taken. `among`: a group of programs that share the eight among themselves; the usual one
  // when empty.
  static std::optional<guest_name> take(std::string_view host, std::string_view among = {});
  ~guest_name();
  guest_name(guest_name&&) noexcept;
  guest_name& operator=(guest_name&&) noexcept;

  // Whether it is one of the eight, of whatever host.
  static bool is_one(const node_name&);

  const node_name& name() const noexcept { return name_; }

 private:
  guest_name(node_name name, int socket) : name_(std::move(name)), socket_(socket) {}
  node_name name_;
  int socket_;  // bound to the name: an abstract one, which leaves no file behind
};

}  // namespace rollcall::app
