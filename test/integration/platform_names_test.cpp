// Nodes that are called what DNS has, or not quite, and names that do not exist yet: what `rollcall check`
// and the service make of them.
#include <gmock/gmock.h>

#include "test/integration/platform.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using ::testing::HasSubstr;

// Pods that are called what their service's records say.
struct named_as {
  std::string base, service, pod;
};
class AsDnsHasIt : public ::testing::TestWithParam<named_as> {};

TEST_P(AsDnsHasIt, IsWhole) {
  const auto& [base, service, pod] = GetParam();
  platform p;
  p.dns.publish(service + ".default", {{.hostname = pod, .address = "127.0.0.1"}});
  const auto host = p.dns.host(service + ".default", pod);
  temporary_directory files;
  p.add(base + "@" + host,
        files.write("inetrc", "{lookup, [file]}.\n{host, {127,0,0,1}, [\"" + host + "\"]}.\n"));
  for (const auto& options : {base + "@" + service, base + "@_dist._tcp." + service}) {
    const auto checked = p.check({"--srv", options});
    EXPECT_EQ(checked.exit_code, 0) << checked.output << checked.errors;
    EXPECT_THAT(checked.output, HasSubstr(base + "@" + host));
    EXPECT_THAT(checked.output, HasSubstr("whole: 1 member, all connected"));
  }
}

INSTANTIATE_TEST_SUITE_P(PlatformNames, AsDnsHasIt,
                         ::testing::Values(named_as{"app", "app", "app-0"},
                                           named_as{"app", "web", "127-0-0-1"},
                                           named_as{"emqx", "emqx-headless", "emqx-0"},
                                           named_as{"ejabberd", "ejabberd", "ejabberd-0"}),
                         [](const auto& one) {
                           return one.index == 0   ? "StatefulSet"
                                  : one.index == 1 ? "Deployment"
                                  : one.index == 2 ? "Emqx"
                                                   : "Ejabberd";
                         });

// Started before the application, or scaled to nothing: that is no cut. Without a name server it may be one.
TEST(PlatformNames, NamesThatDoNotExistYetAreNoCutAndAreDialledOnceTheyDo) {
  platform p;
  p.dns.publish("web.default", {{.hostname = "other", .address = "127.0.0.9"}});
  temporary_directory files;
  const std::string first = "late@m-0.web.default.svc.cluster.local",
                    second = "late@m-1.web.default.svc.cluster.local";
  const auto rollcall = p.rollcall({"--node", first, "--node", second});
  const auto rounds = [&] { return rollcall.metric("rollcall_round_duration_seconds_count").value_or(0); };
  const auto isolated = [&] { return rollcall.json("/api/v1/status").at("isolated").as_bool(); };
  ASSERT_TRUE(eventually([&] { return rollcall.reason(first) == "dns" && rollcall.reason(second) == "dns"; },
                         60s, "no such names"));
  const auto before = rounds();
  ASSERT_TRUE(eventually([&] { return rounds() >= before + 5; }, 60s, "some rounds later"));
  EXPECT_FALSE(isolated());
  p.dns.stop();
  EXPECT_TRUE(eventually(isolated, 60s, "cut off from the name server as well"));
  p.dns.start();
  EXPECT_TRUE(eventually([&] { return !isolated(); }, 60s, "it answers again"));
  p.dns.publish("web.default", {{.hostname = "m-0", .address = "127.0.0.1"}});
  p.add(first, files.write("inetrc",
                           "{lookup, [file]}.\n"
                           "{host, {127,0,0,1}, [\"m-0.web.default.svc.cluster.local\"]}.\n"));
  EXPECT_TRUE(eventually([&] { return rollcall.is(first, "up"); }, 60s, "there it is"));
}

// A start script that builds the name of what DNS prints.
TEST(PlatformNames, ANodeWhoseNameEndsInADotIsAMemberUnderThatName) {
  platform p;
  p.dns.publish("web.default", {{.hostname = "m-0", .address = "127.0.0.1"}});
  temporary_directory files;
  const auto inetrc = files.write("inetrc",
                                  "{lookup, [file]}.\n"
                                  "{host, {127,0,0,1}, [\"m-0.web.default.svc.cluster.local\"]}.\n");
  const std::string own = "app@m-0.web.default.svc.cluster.local.";
  p.add(own, inetrc);
  const auto rollcall = p.rollcall({"--srv", "app@web"});
  EXPECT_TRUE(eventually([&] { return rollcall.is(own, "up"); }, 60s, "under its own name"));
  const auto checked = p.check({"--srv", "app@web"});
  EXPECT_EQ(checked.exit_code, 0) << checked.output << checked.errors;
  EXPECT_THAT(checked.output, HasSubstr("whole: 1 member, all connected"));
}

TEST(PlatformNames, APortWithoutANameIsSaidWithTheOptionThatFindsItsNodes) {
  platform p;
  p.dns.publish("web.default", {{.hostname = "m-0", .address = "127.0.0.1", .port_name = ""}});
  p.add("app@m-0.web.default.svc.cluster.local");
  const auto checked = p.check({"--srv", "app@_dist._tcp.web"});
  EXPECT_EQ(checked.exit_code, 2) << checked.output << checked.errors;
  EXPECT_THAT(checked.output, HasSubstr("its port has no name: try --srv app@web"));
  const auto again = p.check({"--srv", "app@web"});
  EXPECT_THAT(again.output, HasSubstr("whole: 1 member, all connected")) << again.output << again.errors;
}

}  // namespace
}  // namespace rollcall::test
