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
    EXPECT_EQ(cut->certificates, 1U) << size;
    EXPECT_TRUE(cut->certificate) << size;
  }
  // Its beginning is missing.
  EXPECT_TRUE(cut_in(second.substr(second.find('\n') + 1)));
  // The end of one, and the beginning of the next.
  EXPECT_TRUE(cut_in(first.substr(0, first.find("-----END")) + second));
  EXPECT_TRUE(cut_in("-----BEGIN CERTIFICATE-----\nAAAA\n-----END PRIVATE KEY-----\n"));
  const auto key = part("PRIVATE KEY");
  EXPECT_FALSE(cut_in(first + key.substr(0, key.size() / 2))->certificate);
}

}  // namespace
}  // namespace rollcall::tls
