// Nodes that are no Erlang nodes, made with Debian's own erl_interface and JInterface: as listed members,
// which they are not, and as shells that call.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "test/support/loopback.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using testing::HasSubstr;

constexpr auto jar = "/usr/share/java/OtpErlang.jar";

class Peers : public testing::Test {
 protected:
  process start(std::vector<std::string> arguments) {
    return process({.arguments = std::move(arguments),
                    .environment = {{"ERL_EPMD_PORT", std::to_string(cluster.mapper().port())}},
                    .network_namespace = {},
                    .write_input = true});
  }
  process c_node(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), ROLLCALL_LIBEI_NODE);
    return start(std::move(arguments));
  }
  rollcall_program watching(const std::string& listed) { return cluster.rollcall({listed}); }
  // It is no member, which is said once, and by why/1; the rest is a cluster of its own.
  static void expect_no_member(rollcall_program& rollcall, const std::string& peer) {
    ASSERT_TRUE(eventually([&] { return rollcall.whole(1); }, 60s, "the Erlang node is whole"));
    const auto said = [&] { return rollcall.log_with({peer, "is a hidden node"}).size(); };
    ASSERT_TRUE(eventually([&] { return said() == 1; }, 60s, "it is said"));
    EXPECT_THAT(rollcall.get("/api/v1/why/" + peer).body,
                HasSubstr("is a hidden node: it is listed, and no member"));
    EXPECT_TRUE(throughout([&] { return said() == 1 && rollcall.whole(1); }, 2s, "it is said once"));
  }

  loopback cluster{{"one"}};
};

TEST_F(Peers, AListedCNodeIsNoMember) {
  auto peer = c_node({"listen", "c", "127.0.0.1", "chocolate"});
  ASSERT_TRUE(eventually([&] { return peer.output() == "listening\n"; }, 30s, "it listens")) << peer.output();
  auto rollcall = watching("c@127.0.0.1");
  expect_no_member(rollcall, "c@127.0.0.1");
  EXPECT_THAT(peer.output(), HasSubstr("linked rollcall@127.0.0.1"));
  EXPECT_EQ(peer.output().find("message"), std::string::npos)
      << "nothing is sent to a node that runs nothing";
  EXPECT_TRUE(peer.running());
}

TEST_F(Peers, CNodesCallAsShellsDo) {
  auto rollcall = watching("nobody@127.0.0.1");
  ASSERT_TRUE(eventually([&] { return rollcall.is("one@127.0.0.1", "up"); }, 60s, "one is up"));
  auto ours = c_node({"call", "c", "127.0.0.1", "chocolate", "rollcall@127.0.0.1"});
  ASSERT_TRUE(ours.wait(30s));
  EXPECT_EQ(ours.output(), "one@127.0.0.1\n");
  // OTP's own: it has nobody listening, and a name that it makes up.
  auto otps =
      start({"erl_call", "-name", "rollcall@127.0.0.1", "-c", "chocolate", "-a", "rollcall nodes []"});
  ASSERT_TRUE(otps.wait(30s));
  EXPECT_EQ(otps.output(), "['one@127.0.0.1']") << otps.errors();
}

TEST_F(Peers, AListedJavaNodeIsNoMemberAndCalls) {
  if (!std::filesystem::exists("/usr/bin/javac") || !std::filesystem::exists(jar)) {
    GTEST_SKIP() << "no JDK with JInterface here";
  }
  auto peer = start({"java", "-cp", jar, ROLLCALL_SOURCE_DIR "/test/integration/jinterface/Node.java",
                     "java@127.0.0.1", "chocolate", "rollcall@127.0.0.1"});
  ASSERT_TRUE(eventually([&] { return peer.output() == "listening\n"; }, 180s, "it listens"))
      << peer.output() << peer.errors();
  auto rollcall = watching("java@127.0.0.1");
  expect_no_member(rollcall, "java@127.0.0.1");
  peer.write("\n");
  EXPECT_TRUE(
      eventually([&] { return peer.output().find("answer ") != std::string::npos; }, 60s, "answered"));
  EXPECT_THAT(peer.output(), HasSubstr("answer {rex,['one@127.0.0.1']}")) << peer.errors();
  EXPECT_TRUE(peer.running());
}

}  // namespace
}  // namespace rollcall::test
