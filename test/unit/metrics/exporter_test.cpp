// The whole text of /metrics for a small cluster, what bounds it, and what comes and goes with the members.
#include "metrics/exporter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "metrics/exposition.hpp"
#include "test/unit/metrics/sample_snapshot.hpp"

namespace rollcall::metrics {
namespace {

using membership::member_state;
using membership::reason;
using membership::snapshot;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

options small() {
  return {.version = "0.1.0",
          .revision = "abc1234",
          .sources = {"srv:app@svc.ns", "dns:app@late.ns"},
          .max_link_series = 2'500,
          .otp_ei = "5.3"};
}

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t found = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

// What is read from /proc differs from run to run, and stands last.
std::string without_process(const std::string& text) {
  return text.substr(0, text.find("# HELP process_"));
}

TEST(Exporter, WritesTheWholeTextOfASmallCluster) {
  exporter exporting(small());
  exporting.links(3);
  exporting.round(seconds(0.25), membership::wall_time(milliseconds(1'700'000'000'250)));
  exporting.handshake(direction::outgoing, handshake_outcome::none);
  exporting.handshake(direction::outgoing, handshake_outcome::cookie);
  exporting.handshake(direction::incoming, handshake_outcome::none);
  exporting.call(seconds(0.0025));
  exporting.call(seconds(0.75));
  exporting.call_failed(rpc_error::link_lost);
  exporting.connect_request(membership::connect_outcome::connected, seconds(0.0625));
  exporting.query("srv:app@svc.ns", membership::query_outcome::ok);
  exporting.query("dns:app@late.ns", membership::query_outcome::timeout);
  const auto text = without_process(exporting.render(test::troubled_cluster()));

  std::ifstream file(ROLLCALL_SOURCE_DIR "/test/unit/metrics/troubled_cluster.txt");
  std::ostringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(text, golden.str()) << "when the change is meant, let the file say so, and docs/metrics.md too:\n"
                                << text;
}

TEST(Exporter, HasTheFamiliesOfKubernetesOnlyWhereItIsASource) {
  exporter one({.version = "1", .sources = {}});
  const membership::snapshot empty;
  EXPECT_EQ(one.render(empty).find("rollcall_kubernetes"), std::string::npos);
  kubernetes_figures figures{{1, 0, 2, 0}, std::nullopt};
  one.kubernetes([&] { return figures; });
  auto text = one.render(empty);
  EXPECT_NE(text.find("rollcall_kubernetes_lists_total{reason=\"start\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("rollcall_kubernetes_lists_total{reason=\"gone\"} 0\n"), std::string::npos);
  EXPECT_NE(text.find("rollcall_kubernetes_lists_total{reason=\"silent\"} 2\n"), std::string::npos);
  EXPECT_EQ(text.find("rollcall_kubernetes_watch_age_seconds"), std::string::npos) << "there was no line yet";
  figures.watch_age = seconds(1.5);
  EXPECT_NE(one.render(empty).find("rollcall_kubernetes_watch_age_seconds 1.5\n"), std::string::npos);
}

TEST(Exporter, SaysWhereAMemberRunsWhenItIsKnown) {
  membership::snapshot s;
  s.members.push_back({.name = node_name::parse("a@h").value(), .machine = "node-2", .zone = "zone-2"});
  const auto text = exporter({.version = "1", .sources = {}}).render(s);
  EXPECT_NE(
      text.find("erlang_cluster_member_info{member=\"a@h\",otp_release=\"unknown\",pop=\"unknown\","
                "connect_all=\"unknown\",net_ticktime=\"unknown\",machine=\"node-2\",zone=\"zone-2\"} 1\n"),
      std::string::npos)
      << text;
}

TEST(Exporter, SaysWhatKeepsANodeWhoseNameIsNotKnown) {
  membership::snapshot s;
  auto& source = s.sources.emplace_back();
  source.source = "local";
  source.unnamed.push_back({"localhost", "localhost (bad)", membership::reason::cookie, "", true});
  source.unnamed.push_back({"10.0.0.9", "10.0.0.9", membership::reason::timeout, "", false});
  const auto text = exporter({.version = "1", .sources = {}}).render(s);
  const auto says = [&](const char* line) { return text.find(line) != std::string::npos; };
  EXPECT_TRUE(says("erlang_cluster_member_problem{member=\"localhost (bad)\",reason=\"cookie\"} 1\n"))
      << text;
  EXPECT_TRUE(says("erlang_cluster_members_by_problem{reason=\"cookie\"} 1\n")) << text;
  EXPECT_FALSE(says("10.0.0.9")) << "nobody may be there";
}

TEST(Exporter, WritesProcessFamiliesFromProc) {
  const auto text = exporter(small()).render(snapshot{});
  for (const std::string_view family :
       {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes",
        "process_virtual_memory_max_bytes", "process_start_time_seconds", "process_open_fds",
        "process_max_fds", "process_threads"}) {
    EXPECT_THAT(text, HasSubstr("\n" + std::string(family) + " ")) << family;
  }
  std::istringstream after(text.substr(text.find("\nprocess_resident_memory_bytes ") + 31));
  double resident = 0;
  after >> resident;
  EXPECT_GT(resident, 1e5);
  EXPECT_LT(resident, 1e9);
}

TEST(Exporter, HasEveryClosedLabelAtZeroFromTheStart) {
  const auto text = exporter(small()).render(snapshot{});
  struct row {
    std::string_view name, series;
    std::size_t expected;
  };
  for (const auto& [name, series, expected] : {
           row{"conditions, at both severities", "\nerlang_cluster_health_detail{", 30},
           row{"states", "\nerlang_cluster_members{", 6},
           row{"problems", "\nerlang_cluster_members_by_problem{", 13},
           row{"pairs", "\nerlang_cluster_links{", 6},
           row{"netsplits", "\nerlang_cluster_netsplit_active{", 3},
           row{"detected", "\nerlang_cluster_netsplits_detected_total{", 3},
           row{"healed", "\nerlang_cluster_netsplits_healed_total{", 3},
           row{"durations", "\nerlang_cluster_netsplit_duration_seconds_bucket{", 12},
           row{"connect outcomes", "\nrollcall_connect_requests_total{", 5},
           row{"call errors", "\nrollcall_rpc_errors_total{", 6},
           row{"handshakes", "\nrollcall_handshakes_total{", 28},
           row{"queries", "\nrollcall_discovery_queries_total{", 14},
           row{"records", "\nrollcall_discovery_records{", 2},
           row{"successes", "\nrollcall_discovery_last_success_timestamp_seconds{", 2},
       }) {
    EXPECT_EQ(count(text, series), expected) << name;
  }
  EXPECT_THAT(text, AllOf(HasSubstr("\nerlang_cluster_partitions 0\n"),
                          HasSubstr("\nrollcall_last_round_timestamp_seconds 0\n"),
                          HasSubstr("\nrollcall_round_duration_seconds_count 0\n"),
                          HasSubstr("\nrollcall_interval_seconds 5\n")));
  EXPECT_THAT(text, Not(HasSubstr("netsplit_cause_info{")));
}

TEST(Exporter, WritesHelpAndTypeOnceForEachFamily) {
  const auto text = exporter(small()).render(test::troubled_cluster());
  std::istringstream lines(text);
  std::set<std::string> helped;
  std::string current;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      current = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(helped.insert(current).second) << "twice: " << current;
      EXPECT_EQ(line.back(), '.') << "not a sentence: " << line;
    } else if (line.starts_with("# TYPE ")) {
      EXPECT_TRUE(line.starts_with("# TYPE " + current + " ")) << line;
    } else {
      EXPECT_TRUE(line.starts_with(current)) << line;
    }
  }
  EXPECT_GT(helped.size(), 40U);
}

TEST(Exporter, DropsSeriesOfAMemberFiveMinutesAfterItLeft) {
  auto of = test::troubled_cluster();
  exporter exporting(small());
  auto& e = of.members[4];
  e.since = of.at - milliseconds(299'999);
  EXPECT_THAT(exporting.render(of), HasSubstr("erlang_cluster_member_leaves_total{member=\"e@h\"} 1\n"));
  e.since = of.at - milliseconds(300'000);
  const auto text = exporting.render(of);
  EXPECT_THAT(text, Not(HasSubstr("e@h")));
  EXPECT_THAT(text, HasSubstr("erlang_cluster_members{state=\"left\"} 1\n"));
}

// Nothing changes in a quiet cluster, so its snapshot stays the same.
TEST(Exporter, DropsThemThoughNoNewSnapshotCame) {
  const auto of = test::troubled_cluster();
  exporter exporting(small());
  exporting.round(seconds(0), of.at + milliseconds(61'000));
  EXPECT_THAT(exporting.render(of), Not(HasSubstr("e@h")));
}

TEST(Exporter, SaysNothingOfWhatOnlyAFreshViewTells) {
  const auto text = exporter(small()).render(test::troubled_cluster());
  EXPECT_THAT(text, Not(HasSubstr("link_up{from=\"d@h\"")));
  EXPECT_THAT(text, Not(HasSubstr("visible_peers{member=\"d@h\"")));
  EXPECT_THAT(text, Not(HasSubstr("round_trip_seconds{member=\"d@h\"")));
  EXPECT_THAT(text, HasSubstr("link_up{from=\"a@h\",to=\"d@h\"} 0\n"));
}

TEST(Exporter, GivesEveryLinkUpToTheLimit) {
  auto settings = small();
  settings.max_link_series = 20;
  const auto text = exporter(settings).render(test::whole_cluster(5));
  EXPECT_EQ(count(text, "\nerlang_cluster_link_up{"), 20U);
  EXPECT_THAT(text, HasSubstr("\nrollcall_link_series_truncated 0\n"));
}

TEST(Exporter, GivesOnlyZerosAboveTheLimit) {
  auto settings = small();
  settings.max_link_series = 19;
  auto of = test::whole_cluster(5);
  test::blind(of, 1, 3);
  const auto text = exporter(settings).render(of);
  EXPECT_EQ(count(text, "\nerlang_cluster_link_up{"), 1U);
  EXPECT_THAT(text, HasSubstr("\nerlang_cluster_link_up{from=\"a0001@h\",to=\"a0003@h\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nrollcall_link_series_truncated 1\n"));
}

TEST(Exporter, NeverGivesMoreZerosThanTheLimitEither) {
  auto settings = small();
  settings.max_link_series = 100;
  auto of = test::whole_cluster(40);
  std::fill(of.view_bits.begin(), of.view_bits.end(), 0);
  EXPECT_EQ(count(exporter(settings).render(of), "\nerlang_cluster_link_up{"), 100U);
}

TEST(Exporter, EscapesLabelValues) {
  auto settings = small();
  settings.sources = {"srv:a\"b\\c\nd"};
  EXPECT_THAT(exporter(settings).render(snapshot{}),
              HasSubstr(R"(rollcall_discovery_records{source="srv:a\"b\\c\nd"} 0)"));
}

TEST(Exporter, LeavesOutTheLibraryVersionItWasNotTold) {
  auto settings = small();
  settings.otp_ei.clear();
  const auto text = exporter(settings).render(snapshot{});
  EXPECT_THAT(text, HasSubstr("\nrollcall_build_info{version=\"0.1.0\",revision=\"abc1234\"} 1\n"));
}

TEST(Exporter, StaysBoundedForAThousandMembers) {
  const auto of = test::whole_cluster(1'000);
  exporter exporting(small());
  const auto began = std::chrono::steady_clock::now();
  const auto text = exporting.render(of);
  const auto took = std::chrono::steady_clock::now() - began;
  RecordProperty("bytes", static_cast<int>(text.size()));
  RecordProperty("milliseconds", static_cast<int>(std::chrono::duration_cast<milliseconds>(took).count()));
  EXPECT_EQ(count(text, "\nerlang_cluster_link_up{"), 0U);
  EXPECT_EQ(count(text, "\nerlang_cluster_member_state{"), 6'000U);
  EXPECT_LT(text.size(), 2U << 20);
  EXPECT_LT(took, std::chrono::seconds(5));
}

}  // namespace
}  // namespace rollcall::metrics
