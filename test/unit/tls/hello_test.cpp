// What a connection begins with is told from its first bytes.
#include "tls/hello.hpp"

#include <gtest/gtest.h>

#include <string>

namespace rollcall::tls {
namespace {

using namespace std::string_literals;

std::string hello(const std::string& message_length) {
  return "\x16\x03\x01\x02\x00\x01"s + message_length;
}

TEST(Hello, IsToldFromEverythingElse) {
  EXPECT_EQ(begins_with(""), beginning::more);
  EXPECT_EQ(begins_with("\x16\x03"), beginning::more);
  EXPECT_EQ(begins_with("G"), beginning::something_else);
  EXPECT_EQ(begins_with(hello("\x00\x01\xfc"s)), beginning::hello);
  EXPECT_EQ(begins_with(hello("\x00\x40\x00"s)), beginning::hello);
  EXPECT_EQ(begins_with(hello("\x00\x40\x01"s)), beginning::too_large) << "16 KiB and a byte";
  EXPECT_EQ(begins_with(hello("\xff\xff\xff"s)), beginning::too_large);
  EXPECT_EQ(begins_with("\x16\x03\x01\x00\x03\x01\x00\x00\x00"s), beginning::something_else)
      << "a record without room for a message";
  EXPECT_EQ(begins_with("\x16\x03\x01\x02\x00\x02\x00\x01\xfc"s), beginning::something_else) << "ServerHello";
}

}  // namespace
}  // namespace rollcall::tls
