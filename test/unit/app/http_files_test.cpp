// The files of HTTPS and passwords: what is read again, and what stays in use when they are of no use.
#include "app/http_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/certificates.hpp"
#include "test/support/files.hpp"

namespace rollcall::app {
namespace {

using testing::HasSubstr;

constexpr auto hash = ":$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n";

class HttpFiles : public testing::Test {
 protected:
  HttpFiles() {
    write(ca.issue());
    c.http_tls_cert = (folder.path() / "cert").string();
    c.http_tls_key = (folder.path() / "key").string();
    c.http_auth_file = folder.write("auth", std::string("roll") + hash + "call" + hash);
  }
  void write(const test::certificate& own) const {
    folder.write("cert", own.text);
    folder.write("key", own.key);
  }
  test::authority ca{"a CA"};
  test::temporary_directory folder;
  configuration c;
  std::string problem;
};

TEST_F(HttpFiles, ANameTakenOutIsOutWhileTheCertificateIsHalfReplaced) {
  http_files files(c);
  const auto context = files.context();
  folder.write("cert", ca.issue().text);
  EXPECT_FALSE(files.refresh(problem));
  EXPECT_EQ(problem, "") << "the key may be on its way";
  EXPECT_FALSE(files.refresh(problem));
  EXPECT_THAT(problem, HasSubstr("the key is not the certificate's"));
  folder.write("auth", std::string("call") + hash);
  EXPECT_TRUE(files.refresh(problem));
  EXPECT_EQ(problem, "") << "it was said";
  EXPECT_FALSE(files.passwords()->knows("roll"));
  EXPECT_EQ(files.context(), context);
  EXPECT_FALSE(files.refresh(problem));
}

// As a copy leaves it that ended halfway: also in the line that begins the second certificate, which OpenSSL
// takes for text behind the first.
TEST_F(HttpFiles, AFileThatIsCutAnywhereLeavesTheOldOneInUse) {
  http_files files(c);
  const auto before = files.context();
  const auto next = ca.issue();
  folder.write("key", next.key);
  const auto whole = next.text + ca.text();
  ASSERT_TRUE(whole.ends_with('\n'));
  std::size_t tried = 0;
  for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
    if (size == next.text.size() || size + 1 == next.text.size()) continue;  // one certificate, and whole
    folder.write("cert", whole.substr(0, size));
    for (int look = 0; look < 2 && (look == 0 || problem.empty()); ++look) {
      ASSERT_FALSE(files.refresh(problem)) << size;
    }
    ASSERT_EQ(files.context(), before) << size;
    // Once for each problem.
    if (problem.empty()) continue;
    ASSERT_THAT(problem, HasSubstr("certificate file " + c.http_tls_cert)) << size;
    ASSERT_THAT(problem, HasSubstr("whole")) << size << ": what to do";
    ++tried;
  }
  EXPECT_EQ(tried, 3U) << "empty, and cut off in each of its two certificates";
  folder.write("cert", whole);
  EXPECT_TRUE(files.refresh(problem));
  EXPECT_EQ(problem, "");
  const auto after = files.context();
  EXPECT_NE(after, before);
  for (std::size_t size = 0; size + 1 < next.key.size(); ++size) {
    folder.write("key", next.key.substr(0, size));
    ASSERT_FALSE(files.refresh(problem)) << size;
    if (!problem.empty()) {
      ASSERT_THAT(problem, HasSubstr("key file " + c.http_tls_key)) << size;
    }
  }
  EXPECT_EQ(files.context(), after);
}

// Those who follow events would all come back, and every password would be worked out again.
TEST_F(HttpFiles, ANewCertificateLeavesThePasswords) {
  http_files files(c);
  const auto context = files.context();
  const auto passwords = files.passwords();
  write(ca.issue());
  EXPECT_TRUE(files.refresh(problem));
  EXPECT_NE(files.context(), context);
  EXPECT_EQ(files.passwords(), passwords);
  folder.write("auth", "roll\n");
  EXPECT_FALSE(files.refresh(problem));
  EXPECT_FALSE(files.refresh(problem));
  EXPECT_THAT(problem, HasSubstr("line 1 is not NAME:HASH"));
  EXPECT_EQ(files.passwords(), passwords);
}

}  // namespace
}  // namespace rollcall::app
