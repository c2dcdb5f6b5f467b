// A real Prometheus scrapes the server and answers queries over what it found; promtool has nothing to say of
// the text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <thread>

#include "http/server.hpp"
#include "metrics/exporter.hpp"
#include "test/support/files.hpp"
#include "test/support/process.hpp"
#include "test/support/prometheus.hpp"
#include "test/support/socket.hpp"
#include "test/support/wait.hpp"
#include "test/unit/metrics/sample_snapshot.hpp"

namespace rollcall::test {
namespace {

namespace asio = boost::asio;

// Serves one snapshot on a port of its own until it goes.
class scraped_server {
 public:
  explicit scraped_server(membership::snapshot of)
      : exporting_({.version = "0.1.0",
                    .revision = "abc1234",
                    .sources = {"srv:app@svc.ns", "dns:app@late.ns"},
                    .otp_ei = "5.3"}) {
    const auto now = std::make_shared<const membership::snapshot>(std::move(of));
    http::content from;
    from.snapshot = [now] { return now; };
    from.metrics = [this, now] {
      ++scrapes_;
      return exporting_.render(*now);
    };
    from.ready = [] { return http::readiness{true, "rounds are working"}; };
    from.version = "0.1.0";
    server_ = std::make_unique<http::server>(
        io_, http::options{.listen = {asio::ip::make_address("127.0.0.1"), 0}}, std::move(from));
    server_->start().value();
    port_ = server_->endpoint().port();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~scraped_server() {
    asio::post(io_, [this] {
      server_->stop();
      work_.reset();
    });
    thread_.join();
  }
  scraped_server(const scraped_server&) = delete;
  scraped_server& operator=(const scraped_server&) = delete;

  std::uint16_t port() const { return port_; }
  int scrapes() const { return scrapes_; }

 private:
  metrics::exporter exporting_;
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::unique_ptr<http::server> server_;
  std::uint16_t port_ = 0;
  std::atomic<int> scrapes_ = 0;
  std::thread thread_;
};

using values = std::vector<std::string>;

TEST(PrometheusScrape, FindsTheClusterInTheServersAnswer) {
  scraped_server serving(troubled_cluster());
  const prometheus_server prometheus({.targets = {"127.0.0.1:" + std::to_string(serving.port())}});
  ASSERT_TRUE(eventually([&] { return prometheus.ready(); }, 30s, "Prometheus is ready"))
      << prometheus.errors();
  ASSERT_TRUE(
      eventually([&] { return prometheus.query("up") == values{"1"}; }, 30s, "Prometheus has scraped"))
      << prometheus.errors();

  struct row {
    std::string name, query, expected;
  };
  for (const auto& [name, query, expected] : {
           row{"up members", "erlang_cluster_members{state=\"up\"}", "3"},
           row{"state set", "sum(erlang_cluster_member_state{member=\"a@h\"})", "1"},
           row{"zeros are there", "count(erlang_cluster_link_up==0)", "5"},
           row{"views", "count(erlang_cluster_link_up)", "9"},
           row{"failures", "sum(erlang_cluster_member_failures_total)", "2"},
           row{"partition", "erlang_cluster_partition_size{partition=\"0\"}", "3"},
           row{"own version", "count(rollcall_build_info{version=\"0.1.0\",otp_ei=\"5.3\"})", "1"},
           row{"histogram", "rollcall_round_duration_seconds_count", "0"},
           row{"process", "count(process_resident_memory_bytes>0)", "1"},
       }) {
    EXPECT_EQ(prometheus.query(query), values{expected}) << name;
  }
  // It was not a single success.
  const auto before = serving.scrapes();
  EXPECT_TRUE(eventually([&] { return serving.scrapes() >= before + 2; }, 10s, "Prometheus scrapes on"));
}

TEST(PrometheusScrape, PassesPromtoolWithoutAWord) {
  scraped_server serving(troubled_cluster());
  const auto text = http_get("127.0.0.1", serving.port(), "/metrics").body;
  ASSERT_THAT(text, testing::HasSubstr("erlang_cluster_health_status 2"));
  const temporary_directory folder;
  const auto file = folder.write("metrics.txt", text);
  const auto checked = run({.arguments = {"sh", "-c", "promtool check metrics <" + file},
                            .environment = {},
                            .network_namespace = {}});
  EXPECT_EQ(checked.output + checked.errors, "");
  EXPECT_EQ(checked.exit_code, 0);
}

}  // namespace
}  // namespace rollcall::test
