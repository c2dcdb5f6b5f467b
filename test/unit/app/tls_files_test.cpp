// The files of TLS with nodes: the nodes' own options with their syntax, what is read, and what is read
// again.
#include "app/tls_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/erlang_text.hpp"
#include "app/tls_optfile.hpp"
#include "test/support/certificates.hpp"
#include "test/support/files.hpp"

namespace rollcall::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

tls_optfile read(const std::string& text) {
  std::string problem;
  const auto found = read_tls_optfile(text, problem);
  EXPECT_TRUE(found) << problem;
  return found.value_or(tls_optfile{});
}

std::string problem_of(const std::string& text) {
  std::string problem;
  EXPECT_FALSE(read_tls_optfile(text, problem)) << text;
  return problem;
}

TEST(TlsOptfile, WhatNodesAreStartedWith) {
  const auto found = read(
      "%% of all nodes\n"
      "[{server, [{certfile, \"/a/\" \"cert.pem\"}, {'keyfile', <<\"/a/key.pem\">>}, "
      "{cacertfile,\"/a/\\\"ca\\\".pem\"},\n"
      "  {verify, verify_peer}, {fail_if_no_peer_cert, true}, {secure_renegotiate, true}, {depth, 2},\n"
      "  {versions, ['tlsv1.3', 'tlsv1.2']}]},\n"
      " {client, [{certs_keys, [#{certfile => \"c\", keyfile => \"k\", password => \"p\"}]}, {verify, "
      "verify_none}]}]. % end\n");
  EXPECT_EQ(found.server.certfile, "/a/cert.pem");
  EXPECT_EQ(found.server.keyfile, "/a/key.pem");
  EXPECT_EQ(found.server.cacertfile, "/a/\"ca\".pem");
  EXPECT_EQ(found.server.verify, true);
  EXPECT_EQ(found.server.fail_if_no_peer_cert, true);
  EXPECT_EQ(found.server.depth, 2);
  EXPECT_THAT(found.server.versions.value(), ElementsAre("tlsv1.3", "tlsv1.2"));
  EXPECT_EQ(found.client.certfile, "c");
  EXPECT_EQ(found.client.keyfile, "k");
  EXPECT_EQ(found.client.password, "p");
  EXPECT_EQ(found.client.verify, false);
  EXPECT_EQ(found.client.versions, std::nullopt);
  EXPECT_THAT(found.unused, IsEmpty());
}

TEST(TlsOptfile, WhatIsOfNoUseIsNamed) {
  const auto found = read(
      "[{server, [{ciphers, [\"ECDHE-ECDSA-AES256-GCM-SHA384\"]}, {verify_fun, {fun mod:verify/3, []}}, "
      "inet6,\n"
      "           {renegotiate_at, 16#FF}, {secure_renegotiate, false}, {certfile, cert}]}, {other, []}].");
  EXPECT_THAT(found.unused,
              ElementsAre("server: ciphers", "server: verify_fun", "server: inet6", "server: renegotiate_at",
                          "server: secure_renegotiate", "server: certfile", "other"));
}

TEST(TlsOptfile, WhatIsNoSuchFile) {
  EXPECT_THAT(problem_of(""), HasSubstr("line 1: it ends in the middle of a term"));
  EXPECT_THAT(problem_of("[{server,\n [}]."), HasSubstr("line 2: this is no term"));
  EXPECT_THAT(problem_of("[{server, []}]"), HasSubstr("a dot is missing"));
  EXPECT_THAT(problem_of("[{server, [{certfile, \"a}]}]."), HasSubstr("a quote is not closed"));
  EXPECT_THAT(problem_of("[{server, [] {client, []}]."),
              HasSubstr("a comma or a closing bracket is missing"));
  EXPECT_THAT(problem_of(std::string(100, '[')), HasSubstr("nested too deeply"));
  EXPECT_THAT(problem_of("{server, []}."), HasSubstr("it is not [{server"));
  EXPECT_THAT(problem_of("[server]."), HasSubstr("it is not [{server"));
}

class TlsFiles : public testing::Test {
 protected:
  TlsFiles() {
    for (const auto* flag : {"tls", "tls-cert", "tls-key", "tls-ca", "tls-verify", "tls-optfile"}) {
      c.origin[flag] = "default";
    }
    c.tls = true;
  }
  void write(const test::certificate& own) const {
    folder.write("cert", own.text);
    folder.write("key", own.key);
  }
  std::string path(const char* name) const { return (folder.path() / name).string(); }
  void give_options() {
    folder.write("ca", ca.text());
    c.tls_cert = path("cert");
    c.tls_key = path("key");
    c.tls_ca = path("ca");
  }
  std::string problem() const {
    try {
      tls_files made(c);
    } catch (const configuration_error& found) {
      return found.what();
    }
    return {};
  }
  test::authority ca{"a CA"};
  test::temporary_directory folder;
  configuration c;
};

TEST_F(TlsFiles, OffIsOff) {
  c.tls = false;
  c.tls_cert = "/nonexistent";
  tls_files off(c);
  std::string problem;
  EXPECT_FALSE(off.refresh(problem));
  EXPECT_EQ(off.current(), nullptr);
}

TEST_F(TlsFiles, WhatIsMissingIsSaid) {
  EXPECT_THAT(problem(), HasSubstr("needs a certificate to show"));
  give_options();
  EXPECT_THAT(problem(), HasSubstr("cannot be read: No such file or directory"));
  write(ca.issue());
  EXPECT_EQ(problem(), "");
  c.tls_ca.clear();
  EXPECT_THAT(problem(), HasSubstr("give --tls-ca (or cacertfile), or --tls-verify none"));
  c.tls_verify = tls_verify_mode::none;
  EXPECT_EQ(problem(), "");
  folder.write("key", ca.issue().key);
  EXPECT_THAT(problem(), HasSubstr("the key is not the certificate's"));
  folder.write("key", "-----BEGIN SECRET");
  EXPECT_THAT(problem(), HasSubstr("key file " + path("key") + " is cut off: copy it whole"));
  EXPECT_THAT(problem(), testing::Not(HasSubstr("SECRET")));
  folder.write("key", "SECRET");
  EXPECT_THAT(problem(), HasSubstr("the key file holds no private key"));
  EXPECT_THAT(problem(), testing::Not(HasSubstr("SECRET")));
  write(ca.issue());
  folder.write("cert", "");
  EXPECT_THAT(problem(), HasSubstr("certificate file " + path("cert") + " is empty"));
  write(ca.issue());
  c.tls_verify = tls_verify_mode::peer;
  c.tls_ca = folder.write("ca", ca.text() + "-----BEGIN CERTIFI");
  EXPECT_THAT(problem(),
              HasSubstr("CA file " + path("ca") + " is cut off behind certificate 1: copy it whole"));
}

TEST_F(TlsFiles, AChangeIsReadAndHalfOfOneIsNot) {
  give_options();
  write(ca.issue({.ends = std::chrono::hours(1)}));
  tls_files files(c);
  const auto first = files.current();
  std::string told;
  EXPECT_FALSE(files.refresh(told));
  const auto next = ca.issue({.ends = std::chrono::hours(48)});
  folder.write("cert", next.text);
  EXPECT_FALSE(files.refresh(told));
  EXPECT_EQ(told, "") << "the key may be on its way";
  EXPECT_FALSE(files.refresh(told));
  EXPECT_THAT(told, HasSubstr("the key is not the certificate's"));
  EXPECT_THAT(told, HasSubstr("what was read last stays in use"));
  EXPECT_FALSE(files.refresh(told));
  EXPECT_EQ(told, "") << "once";
  EXPECT_EQ(files.current(), first);
  folder.write("key", next.key);
  EXPECT_TRUE(files.refresh(told));
  EXPECT_EQ(told, "");
  EXPECT_GT(files.current()->valid()->end, first->valid()->end);
  folder.write("key", ca.issue().key);
  EXPECT_FALSE(files.refresh(told));
  EXPECT_EQ(told, "");
  EXPECT_FALSE(files.refresh(told));
  EXPECT_THAT(told, HasSubstr("the key is not the certificate's")) << "said once more";
}

TEST_F(TlsFiles, TheNodesOwnFile) {
  folder.write("ca", ca.text());
  write(ca.issue());
  const auto part = "[{certfile,\"" + path("cert") + "\"},{keyfile,\"" + path("key") + "\"},{cacertfile,\"" +
                    path("ca") + "\"}";
  c.tls_optfile = folder.write(
      "opt", "[{server," + part + ",{verify,verify_peer}]},{client," + part + ",{ciphers,[]}]}].");
  const tls_files files(c);
  ASSERT_NE(files.current(), nullptr);
  EXPECT_THAT(files.warnings(), ElementsAre(HasSubstr("of no use here: client: ciphers"),
                                            HasSubstr("that are dialled (client) are not verified")));
  folder.write("opt", "[{client," + part + "]}].");
  EXPECT_THAT(problem(), HasSubstr("certfile in its server part"));
  folder.write("opt", "[{server," + part + ",{versions,[tlsv1]}]}].");
  EXPECT_THAT(problem(), HasSubstr("names neither 'tlsv1.2' nor 'tlsv1.3'"));
  folder.write("opt", "[{server,");
  EXPECT_THAT(problem(), HasSubstr("(--tls-optfile): line 1"));
}

}  // namespace
}  // namespace rollcall::app
