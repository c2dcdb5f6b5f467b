#include "cnode/error.hpp"

#include <string>

namespace rollcall::cnode {
namespace {

const char* sentence(error value) noexcept {
  switch (value) {
    case error::truncated:
      return "a message ends before its own lengths say";
    case error::trailing_bytes:
      return "bytes follow the end of a message";
    case error::unknown_tag:
      return "a term has a tag that no OTP release sends us";
    case error::too_deep:
      return "a term is nested too deeply";
    case error::too_many_terms:
      return "a message holds too many terms";
    case error::atom_too_long:
      return "an atom has more than 255 characters";
    case error::bad_version:
      return "a term does not start with the version byte 131";
    case error::bad_term:
      return "a term contradicts itself";
    case error::frame_too_large:
      return "a frame is larger than the limit";
    case error::bad_control:
      return "a control message has not the shape of its operation";
    case error::unknown_control:
      return "a control message has an operation that was not announced";
    case error::bad_header:
      return "a distribution header ends early, or refers to an atom that was never sent";
    case error::bad_fragment:
      return "a fragment of a message was not due, or there are too many of them";
    case error::unexpected_message:
      return "the peer sent another handshake message than the one that was due";
    case error::not_allowed:
      return "the peer does not allow a node of our name to connect";
    case error::lost_simultaneous:
      return "the peer is connecting to us at the same time and its attempt wins";
    case error::alive_refused:
      return "an older link under that name is kept instead of this one";
    case error::incompatible:
      return "the peer lacks a capability that OTP 23 and later insist on";
    case error::cookie_refused:
      return "the cookies differ";
    case error::name_mismatch:
      return "a node of another name answered";
    case error::reflected:
      return "the peer sent a challenge of our own back to us";
    case error::not_registered:
      return "the port mapper does not know that name";
    case error::name_taken:
      return "the name is already registered with the port mapper";
    case error::bad_reply:
      return "not a message of the port mapper's protocol";
    case error::timed_out:
      return "no answer within the time limit";
    case error::refused:
      return "connection refused";
    case error::unreachable:
      return "no route to the host";
    case error::not_resolved:
      return "the host name has no address";
    case error::no_such_name:
      return "there is no such host name";
    case error::closed:
      return "the peer closed the connection";
    case error::tick_timed_out:
      return "the peer was silent for its net_ticktime";
    case error::no_link:
      return "there is no link to that node";
    case error::queue_full:
      return "the peer does not read what is sent to it";
    case error::stopping:
      return "this node is stopping";
    case error::memory_exhausted:
      return "the memory for all links is at its limit, and this one held most of it";
    case error::too_many_links:
      return "as many links came in as may be held";
    case error::tls:
      return "TLS failed, or only one side speaks it";
    case error::superseded:
      return "a newer link to the same node took over";
  }
  return "unknown cnode error";
}

class category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "cnode"; }
  std::string message(int value) const override { return sentence(static_cast<error>(value)); }
  const char* message(int value, char*, std::size_t) const noexcept override {
    return sentence(static_cast<error>(value));
  }
};

}  // namespace

const boost::system::error_category& error_category() noexcept {
  static const category instance;
  return instance;
}

boost::system::error_code make_error_code(error value) noexcept {
  return {static_cast<int>(value), error_category()};
}

}  // namespace rollcall::cnode
