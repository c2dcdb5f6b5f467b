// A PEM file that is not whole is told from one with text between its parts.
#include "tls/pem.hpp"

#include <gtest/gtest.h>

#include <string>

namespace rollcall::tls {
namespace {

std::string part(const std::string& label) {
  return "-----BEGIN " + label + "-----\nAAAA\n-----END " + label + "-----\n";
}

TEST(Pem, IsWholeWithTextBetweenItsParts) {
  for (const auto& whole :
       {std::string(), std::string("text"), std::string("text\n---- more -----\n"), part("CERTIFICATE"),
        "subject=a\r\n" + part("CERTIFICATE") + "-----\n" + part("PRIVATE KEY") + "behind it",
        std::string("-----BEGIN CERTIFICATE-----\r\nAAAA\r\n-----END CERTIFICATE-----"),
        std::string("-----BEGIN CERTIFICATE----- \t\nAAAA\n-----END CERTIFICATE-----\t\f\n")}) {
    EXPECT_FALSE(cut_in(whole)) << whole;
  }
}

TEST(Pem, IsCutInAnyOfItsLines) {
  const auto first = part("CERTIFICATE"), second = part("CERTIFICATE");
  for (std::size_t size = 1; size + 1 < second.size(); ++size) {
    const auto cut = cut_in(first + second.substr(0, size));
    ASSERT_TRUE(cut) << size;
    EXPECT_EQ(*cut, 1U) << size;
  }
  // Its beginning is missing.
  EXPECT_TRUE(cut_in(second.substr(second.find('\n') + 1)));
  // The end of one, and the beginning of the next.
  EXPECT_TRUE(cut_in(first.substr(0, first.find("-----END")) + second));
  EXPECT_TRUE(cut_in("-----BEGIN CERTIFICATE-----\nAAAA\n-----END PRIVATE KEY-----\n"));
  const auto key = part("PRIVATE KEY");
  EXPECT_EQ(cut_in(first + key + first + key.substr(0, key.size() / 2)), 2U);
}

TEST(Pem, WhyAFileIsOfNoUseIsSaidWithWhatToDo) {
  const auto whole = part("CERTIFICATE");
  EXPECT_EQ(why_no_pem(whole), "");
  EXPECT_EQ(why_no_pem(whole.substr(0, 40)), "is cut off: copy it whole");
  EXPECT_EQ(why_no_pem(whole + whole.substr(0, 40)), "is cut off behind certificate 1: copy it whole");
  // As editors of other systems save it: not cut off, though its first line is none.
  for (const std::string mark : {"\xef\xbb\xbf", "\xfe\xff", "\xff\xfe"}) {
    EXPECT_EQ(why_no_pem(mark + whole), "begins with a byte order mark: save it as plain text, without one");
  }
}

}  // namespace
}  // namespace rollcall::tls
