// Which change is worth a line in the log, at which level: changes are told, rounds are not.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "app/line_limit.hpp"
#include "app/log.hpp"
#include "discovery/roster.hpp"
#include "membership/snapshot.hpp"

namespace rollcall::app {

class reporter {
 public:
  // From so many of one kind in one moment on, they are one line.
  static constexpr std::size_t many = 5;
  explicit reporter(log& lines) : log_(lines) {}

  // Of one moment: what many members did at once is one line.
  void happened(const std::vector<membership::event>&);
  // What no event tells: a member's new reason, a condition that begins or ends.
  void changed(const membership::snapshot& before, const membership::snapshot& after,
               const std::vector<membership::event>&);
  // A name that is not there is information when it begins, since a service may come later than we or go
  // before us, and a warning once it lasts.
  void listed(const discovery::round&,
              std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now());
  // The end of a handshake that came in from `address`; a default-constructed code is success.
  void dialled_us(const std::optional<node_name>& peer, const boost::asio::ip::address&,
                  boost::system::error_code, const std::string& detail);

 private:
  void tell(const membership::event&);
  void happened_at_once(const std::vector<const membership::event*>&);
  void new_reasons(const membership::snapshot& before, const membership::snapshot& after,
                   const std::vector<membership::event>&);
  void tell_reason(const std::vector<const membership::member*>&);
  void without_names(const membership::snapshot& before, const membership::snapshot& after);
  void lasting(const membership::snapshot&);
  void lasting(const discovery::round&, std::chrono::steady_clock::time_point now);
  void planned(const membership::snapshot& before, const membership::snapshot& after);
  void conditions(const membership::snapshot&);

  void of_member(log_level, const node_name& member, const std::string& text, const std::vector<log::field>&);

  // `subject`: what is written of too often, as people read it. False: it was not written.
  bool limited(const std::string& subject, log_level, const std::string& text,
               const std::vector<log::field>&);

  log& log_;
  line_limit line_limit_;
  bool drift_told_ = false;
  std::set<membership::condition> raised_;  // by the last line about each
  std::size_t netsplits_told_ = 0;          // opened in this log, and not yet closed
  std::set<node_name> waited_for_;  // not there yet, told as information, and as a warning once that lasts
  struct absent_name {
    std::chrono::steady_clock::time_point since;
    bool told = false;
  };
  std::map<std::string, absent_name> absent_names_;  // by source
  std::set<std::pair<std::string, int>> strangers_;
};

}  // namespace rollcall::app
