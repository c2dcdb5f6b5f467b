// Server-sent events (WHATWG HTML, section 9.2) out of snapshots: what happened, as it happens. For a client
// nothing is kept but the id of the last event it has, so one that reads slowly costs no memory: what it is
// too late for is a `missed` event.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "membership/snapshot.hpp"

namespace rollcall::http {

class event_stream {
 public:
  // The last `before` events first, then whatever happens from now on.
  static event_stream from_now(const membership::snapshot&, std::size_t before);
  // Goes on after the event of that id, a Last-Event-ID. One that this run has not given yet is of another
  // run.
  static event_stream after(std::string_view last_event_id);

  // Appends what is new; nothing when there is nothing.
  void append(const membership::snapshot&, std::string& out);

 private:
  explicit event_stream(std::optional<std::uint64_t> last) : last_(last) {}
  std::optional<std::uint64_t> last_;  // absent: of another run
};

}  // namespace rollcall::http
