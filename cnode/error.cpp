#include "cnode/error.hpp"

#include <string>
#include <utility>

namespace rollcall::cnode {
namespace {

constexpr std::pair<error, const char*> sentences[]{
    {error::truncated, "a message ends before its own lengths say"},
    {error::trailing_bytes, "bytes follow the end of a message"},
    {error::unknown_tag, "a term has a tag that no OTP release sends us"},
    {error::too_deep, "a term is nested too deeply"},
    {error::too_many_terms, "a message holds too many terms"},
    {error::atom_too_long, "an atom has more than 255 characters"},
    {error::bad_version, "a term does not start with the version byte 131"},
    {error::bad_term, "a term contradicts itself"},
    {error::frame_too_large, "a frame is larger than the limit"},
    {error::bad_control, "a control message has not the shape of its operation"},
    {error::unknown_control, "a control message has an operation that was not announced"},
    {error::bad_header, "a distribution header ends early, or refers to an atom that was never sent"},
    {error::bad_fragment, "a fragment of a message was not due, or there are too many of them"},
    {error::unexpected_message, "the peer sent another handshake message than the one that was due"},
    {error::not_allowed, "the peer does not allow a node of our name to connect"},
    {error::lost_simultaneous, "the peer is connecting to us at the same time and its attempt wins"},
    {error::alive_refused, "an older link under that name is kept instead of this one"},
    {error::incompatible, "the peer lacks a capability that OTP 23 and later insist on"},
    {error::cookie_refused, "the cookies differ"},
    {error::name_mismatch, "a node of another name answered"},
    {error::reflected, "the peer sent a challenge of our own back to us"},
    {error::not_registered, "the port mapper does not know that name"},
    {error::name_taken, "the name is already registered with the port mapper"},
    {error::bad_reply, "not a message of the port mapper's protocol"},
    {error::timed_out, "no answer within the time limit"},
    {error::refused, "connection refused"},
    {error::unreachable, "no route to the host"},
    {error::not_resolved, "the host name has no address"},
    {error::no_such_name, "there is no such host name"},
    {error::closed, "the peer closed the connection"},
    {error::tick_timed_out, "the peer was silent for its net_ticktime"},
    {error::no_link, "there is no link to that node"},
    {error::queue_full, "the peer does not read what is sent to it"},
    {error::stopping, "this node is stopping"},
    {error::memory_exhausted, "the memory for all links is at its limit, and this one held most of it"},
    {error::too_many_links, "as many links came in as may be held"},
    {error::tls, "TLS failed, or only one side speaks it"},
    {error::superseded, "a newer link to the same node took over"},
};

const char* sentence(error value) noexcept {
  for (const auto& [which, text] : sentences) {
    if (which == value) return text;
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
