// What can go wrong with bytes, handshakes, port mappers, links and calls; one enum for the module.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace rollcall::cnode {

enum class error {
  // bytes (term_check, frame, control)
  truncated = 1,   // a length points past the end
  trailing_bytes,  // something follows the term
  unknown_tag,     // not a term tag of OTP 23..29
  too_deep,        // nested deeper than max_depth
  too_many_terms,  // more terms than max_terms
  atom_too_long,   // an atom of more than 255 characters
  bad_version,     // a term does not start with 131
  bad_term,        // a term contradicts itself: an atom that is not UTF-8, a float that is no number, a wrong
                   // length
  frame_too_large,  // a length above max_frame_size
  bad_control,      // a control message without the shape its operation has
  unknown_control,  // a control operation nobody defined, or one whose capability was not announced
  bad_header,       // a distribution header that ends early, or a reference to an atom that was never sent
  bad_fragment,     // a fragment that was not due, one sequence too many, or one that is too long
  // handshake
  unexpected_message,  // another handshake message than the one that is due
  not_allowed,         // status `not_allowed`: the peer refuses our name
  lost_simultaneous,   // status `nok`: the peer's own attempt to us wins
  alive_refused,       // an older link under that name is kept instead
  incompatible,        // a mandatory capability is missing
  cookie_refused,      // the digests do not match: the cookies differ
  name_mismatch,       // another node than the one that was dialled answered
  reflected,           // the peer's challenge is one of ours: it asks us for the answer to our own question
  // port mapper
  not_registered,  // epmd does not know the name
  name_taken,      // ALIVE2: the name is already registered
  bad_reply,       // the port mapper answered something else
  // links and calls
  timed_out,
  refused,           // connection refused
  unreachable,       // no route
  not_resolved,      // the host has no address
  no_such_name,      // a name server says that there is no such host
  closed,            // the peer closed the link
  tick_timed_out,    // the peer was silent for its net_ticktime
  no_link,           // there is no link to that node
  queue_full,        // the peer does not read: the write queue is at its bound
  stopping,          // this node is leaving
  memory_exhausted,  // of all links this one holds most of a memory that is at its limit
  too_many_links,    // as many came in as may be held
  tls,               // TLS failed; the sentence says why
  superseded,        // a newer link to the same node took this one's place
};

const boost::system::error_category& error_category() noexcept;
boost::system::error_code make_error_code(error) noexcept;

template <class T>
using result = boost::system::result<T>;

}  // namespace rollcall::cnode

template <>
struct boost::system::is_error_code_enum<rollcall::cnode::error> : std::true_type {};
