// Which reason an operator is shown for which failure.
#include "app/reason.hpp"

#include <gtest/gtest.h>

namespace rollcall::app {
namespace {

using cnode::dial_step;
using cnode::error;
using membership::reason;

struct row {
  const char* name;
  dial_step step;
  error code;
  reason expected;
};

TEST(ReasonOf, EveryFailedDial) {
  const row rows[] = {
      {"host without address", dial_step::resolve, error::not_resolved, reason::dns},
      {"resolver out of time", dial_step::resolve, error::timed_out, reason::timeout},
      {"epmd not running", dial_step::port_mapper, error::refused, reason::epmd},
      {"epmd closes", dial_step::port_mapper, error::closed, reason::epmd},
      {"epmd answers nonsense", dial_step::port_mapper, error::bad_reply, reason::epmd},
      {"dark address", dial_step::port_mapper, error::timed_out, reason::timeout},
      {"no route", dial_step::port_mapper, error::unreachable, reason::timeout},
      {"name unknown", dial_step::port_mapper, error::not_registered, reason::not_registered},
      {"port closed", dial_step::connect, error::refused, reason::refused},
      {"port dark", dial_step::connect, error::timed_out, reason::timeout},
      {"silent peer", dial_step::handshake, error::timed_out, reason::timeout},
      {"silent in TLS", dial_step::tls, error::timed_out, reason::timeout},
      {"closes in TLS", dial_step::tls, error::closed, reason::tls},
      {"no TLS there", dial_step::tls, error::tls, reason::tls},
      {"certificate refused late", dial_step::handshake, error::tls, reason::tls},
      {"peer closes", dial_step::handshake, error::closed, reason::handshake},
      {"not allowed", dial_step::handshake, error::not_allowed, reason::handshake},
      {"garbage", dial_step::handshake, error::unexpected_message, reason::handshake},
      {"cookie", dial_step::handshake, error::cookie_refused, reason::cookie},
      {"other name", dial_step::handshake, error::name_mismatch, reason::name_mismatch},
      {"old peer", dial_step::handshake, error::incompatible, reason::incompatible},
  };
  for (const auto& r : rows) {
    EXPECT_EQ(reason_of(cnode::failure{make_error_code(r.code), r.step, "", {}}), r.expected) << r.name;
  }
}

TEST(ReasonOf, EndedLinks) {
  EXPECT_EQ(reason_of(boost::system::error_code()), reason::none);
  EXPECT_EQ(reason_of(make_error_code(error::closed)), reason::closed);
  EXPECT_EQ(reason_of(make_error_code(error::tick_timed_out)), reason::tick_timeout);
  EXPECT_EQ(reason_of(make_error_code(error::truncated)), reason::closed);
}

}  // namespace
}  // namespace rollcall::app
