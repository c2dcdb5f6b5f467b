// What is read of an answer beside its records: lengths, the TC bit, the time to live; and bytes that lie.
#include "discovery/message.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace rollcall::discovery {
namespace {

using namespace std::chrono_literals;
using bytes = std::vector<unsigned char>;

const bytes two_records{
    0x12, 0x34, 0x87, 0x80,                           // id; QR AA TC RD RA
    0,    1,    0,    2,    0, 0, 0, 0,               // one question, two answers
    1,    'a',  0,    0,    1, 0, 1,                  // a. A IN
    0xc0, 12,   0,    1,    0, 1, 0, 0, 0, 30, 0, 4,  // the same name, A IN, 30 s, four bytes
    10,   0,    0,    1,                              //
    0xc0, 12,   0,    1,    0, 1, 0, 0, 0, 7,  0, 4,  // 7 s
    10,   0,    0,    2,
};

const bytes no_such_name{
    0x12, 0x34, 0x81, 0x83,                         // NXDOMAIN
    0,    1,    0,    0,    0, 1, 0, 0,             // an SOA in the authority section
    1,    'a',  0,    0,    1, 0, 1,                //
    0,    0,    6,    0,    1, 0, 0, 0, 60, 0, 22,  // the root's, 60 s, 22 bytes
    0,    0,    0,    0,    0, 1, 0, 0, 0,  2, 0,  0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 20,  // minimum 20 s
};

TEST(LookAt, TheShortestTimeToLiveCounts) {
  const auto seen = look_at(two_records);
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->truncated);
  EXPECT_EQ(seen->answers, 2);
  EXPECT_EQ(seen->ttl, 7s);
}

TEST(LookAt, ANegativeAnswerHasTheMinimumOfItsZone) {
  const auto seen = look_at(no_such_name);
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->truncated);
  EXPECT_EQ(seen->ttl, 20s);
}

TEST(LookAt, AMessageThatEndsEarlyIsNone) {
  for (std::size_t size = 0; size < two_records.size(); ++size) {
    EXPECT_FALSE(look_at(std::span(two_records).first(size))) << size;
  }
  for (std::size_t size = 0; size < no_such_name.size(); ++size) look_at(std::span(no_such_name).first(size));
}

TEST(LookAt, ReadsNothingBeyondWhateverTheBytesSay) {
  for (std::size_t at = 0; at < two_records.size(); ++at) {
    for (const int value : {0x00, 0x3f, 0x40, 0x80, 0xc0, 0xff}) {
      auto changed = two_records;
      changed[at] = static_cast<unsigned char>(value);
      look_at(changed);
    }
  }
}

}  // namespace
}  // namespace rollcall::discovery
