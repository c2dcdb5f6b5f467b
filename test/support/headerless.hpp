// Real nodes that do not announce all of distribution headers: as nodes with a carrier of their own do not,
// and as no node did before.
#pragma once

#include <gtest/gtest.h>

#include "test/support/beam.hpp"

namespace rollcall::test {

// What a node announces of DIST_HDR_ATOM_CACHE and FRAGMENTS. Fragments alone: what OTP makes of a carrier
// that keeps no order (dist_util:strict_order_flags/0); its frames have headers then, which name no atoms.
enum class wire { headers, fragments_only, no_headers };

// What the tests over each are called.
inline std::string wire_name(const testing::TestParamInfo<wire>& info) {
  if (info.param == wire::headers) return "Headers";
  return info.param == wire::fragments_only ? "FragmentsOnly" : "NoHeaders";
}

// More of erl's arguments, for a node of `root` that announces so much.
std::vector<std::string> arguments_of(wire, const std::string& root = otp_root());
// A node made with them has shaken hands, and announced so much and no more to everybody.
testing::AssertionResult announced(beam&, wire);

}  // namespace rollcall::test
