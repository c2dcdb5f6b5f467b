// The dashboard: sound as Grafana reads it, and every query of it answered by a real Prometheus that scrapes
// a real Rollcall which watches real nodes through a netsplit that healed, a member that died and a netsplit
// that is open. The alerts are evaluated by the same Prometheus.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "test/support/pods.hpp"
#include "test/support/prometheus.hpp"
#include "test/support/sources.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

std::string string(const json::value& v) {
  return v.is_string() ? std::string(v.get_string()) : json::serialize(v);
}

json::value board() {
  return json::parse(source("deploy/grafana/rollcall.json"));
}

bool is_row(const json::value& panel) {
  return panel.at("type") == "row";
}

std::string replaced(std::string text, const std::map<std::string, std::string>& variables) {
  for (const auto& [name, value] : variables) {
    for (std::size_t found = 0; (found = text.find(name, found)) != std::string::npos; found += value.size())
      text.replace(found, name.size(), value);
  }
  return text;
}

TEST(DashboardModel, IsSound) {
  const auto all = board();
  EXPECT_GE(all.at("schemaVersion").as_int64(), 39);
  const std::set<std::string> types{"row", "stat", "timeseries", "state-timeline", "table", "bargauge"};
  const json::value datasource{{"type", "prometheus"}, {"uid", "${datasource}"}};
  std::set<std::int64_t> ids;
  std::set<std::pair<std::int64_t, std::int64_t>> covered;
  static const std::regex selector(R"re((erlang_cluster|rollcall|process)_[a-z_]+(\{[^}]*\})?)re");
  for (const auto& panel : all.at("panels").as_array()) {
    const auto title = string(panel.at("title"));
    SCOPED_TRACE(title);
    EXPECT_FALSE(title.empty());
    EXPECT_TRUE(types.contains(string(panel.at("type")))) << panel.at("type");
    EXPECT_TRUE(ids.insert(panel.at("id").as_int64()).second) << "the same id twice";
    const auto& place = panel.at("gridPos");
    const auto x = place.at("x").as_int64(), y = place.at("y").as_int64();
    const auto w = place.at("w").as_int64(), h = place.at("h").as_int64();
    EXPECT_TRUE(x >= 0 && w > 0 && x + w <= 24 && h > 0) << place;
    for (auto column = x; column < x + w; ++column) {
      for (auto line = y; line < y + h; ++line)
        EXPECT_TRUE(covered.emplace(column, line).second) << "lies over another at " << column << "," << line;
    }
    if (is_row(panel)) continue;
    EXPECT_EQ(panel.at("datasource"), datasource);
    EXPECT_FALSE(string(panel.at("fieldConfig").at("defaults").at("unit")).empty());
    std::set<std::string> references;
    for (const auto& target : panel.at("targets").as_array()) {
      EXPECT_EQ(target.at("datasource"), datasource);
      EXPECT_TRUE(references.insert(string(target.at("refId"))).second);
      EXPECT_NE(target.at("instant"), target.at("range"));
      if (panel.at("type") == "table") {
        EXPECT_EQ(target.at("format"), "table");
      } else {
        EXPECT_NE(target.at("legendFormat"), "");
      }
      // One cluster's metrics, and no other's.
      const auto expression = string(target.at("expr"));
      int selectors = 0;
      for (std::sregex_iterator each(expression.begin(), expression.end(), selector), end; each != end;
           ++each) {
        EXPECT_TRUE((*each)[2].str().starts_with("{namespace=~\"$namespace\",job=~\"$job\"")) << each->str();
        ++selectors;
      }
      EXPECT_GT(selectors, 0);
    }
    EXPECT_FALSE(references.empty());
  }
  EXPECT_EQ(covered.size() % 24, 0U) << "a line with a hole";
  EXPECT_GT(ids.size(), 30U);
  // Every variable that is used is there, or Grafana's own.
  std::set<std::string> variables{"__rate_interval", "__range", "__all"};
  for (const auto& one : all.at("templating").at("list").as_array()) variables.insert(string(one.at("name")));
  const auto text = json::serialize(all);
  static const std::regex used(R"re(\$\{?([a-z_]+)\}?)re");
  for (std::sregex_iterator each(text.begin(), text.end(), used), end; each != end; ++each)
    EXPECT_TRUE(variables.contains((*each)[1])) << each->str();
}

// The families of the exporter's own expected output, against the questions asked here: what is not shown is
// left out on purpose.
TEST(DashboardModel, ShowsEveryMetricThatIsNotLeftOutOnPurpose) {
  const std::set<std::string> left_out{
      "rollcall_build_info",                                     // by the variables only
      "rollcall_links",                                          // members up says it
      "erlang_cluster_member_visible_peers",                     // the matrix says who
      "rollcall_connect_request_duration_seconds",               // a round's is shown
      "rollcall_tls_certificate_expiry_timestamp_seconds",       // the condition certificate_expiring says it
      "rollcall_http_tls_certificate_expiry_timestamp_seconds",  // so it does of this one
      "rollcall_rpc_duration_seconds",                           // each member's round trip is shown
  };
  std::string questions;
  const auto all = board();
  for (const auto& panel : all.at("panels").as_array()) {
    if (is_row(panel)) continue;
    for (const auto& target : panel.at("targets").as_array()) questions += string(target.at("expr")) + "\n";
  }
  std::istringstream exported(source("test/unit/metrics/troubled_cluster.txt"));
  std::size_t families = 0;
  for (std::string line; std::getline(exported, line);) {
    std::istringstream words(line);
    std::string hash, keyword, name, type;
    words >> hash >> keyword >> name >> type;
    if (hash != "#" || keyword != "TYPE") continue;
    ++families;
    const bool shown = questions.find(name + (type == "histogram" ? "_bucket{" : "{")) != std::string::npos;
    EXPECT_NE(shown, left_out.contains(name))
        << name << (shown ? " is shown, and in the list" : " is not shown");
  }
  EXPECT_GT(families, 40U);
}

// A cluster that has been through something, watched by Prometheus all along.
class Dashboard : public testing::Test {
 protected:
  static constexpr std::size_t count = 5;
  void start() {
    nodes_.emplace(pods_options{.count = count, .arguments = {"-kernel", "net_ticktime", "8"}});
    rollcall_.emplace(nodes_->rollcall({}, "1s"));
    prometheus_.emplace(
        prometheus_options{.targets = {"127.0.0.1:14369"},
                           .labels = "{namespace: shop, pod: rollcall-1}",
                           .scrape_interval = "500ms",
                           .rules = repository / "deploy/alerts/rollcall.rules.yaml",
                           .network_namespace = nodes_->net().at("rollcall").network_namespace});
  }
  std::vector<std::string> hosts(std::initializer_list<std::size_t> of) const {
    std::vector<std::string> all;
    for (const auto i : of) all.push_back(nodes_->hostname(i));
    return all;
  }
  json::array incidents() const { return rollcall_->json("/api/v1/netsplits").as_array(); }
  testing::AssertionResult shows(const std::string& expression, const std::string& value) const {
    const auto found = prometheus_->query(expression);
    if (found == std::vector<std::string>{value}) return testing::AssertionSuccess();
    auto failure = testing::AssertionFailure() << expression << " is";
    for (const auto& one : found) failure << " " << one;
    return failure;
  }
  testing::AssertionResult eventually_shows(const std::string& expression, const std::string& value) const {
    return eventually([&] { return shows(expression, value); }, 60s, expression, 200ms);
  }
  std::string alerts(const std::string& name, const std::string& state) const {
    return "count(ALERTS{alertname=\"" + name + "\",alertstate=\"" + state +
           "\",namespace=\"shop\"}) or vector(0)";
  }
  // What a target gives: instant, or over the last minutes; each sample's value as text.
  std::vector<std::string> answers(const std::string& expression, bool instant) const {
    std::vector<std::string> values;
    if (instant) {
      for (const auto& one : prometheus_->instant(expression))
        values.push_back(string(one.at("value").as_array().at(1)));
      return values;
    }
    const auto now = std::stod(prometheus_->query("vector(time())").at(0));
    const auto data = prometheus_->ask("/api/v1/query_range?query=" + url_encoded(expression) + "&start=" +
                                       std::to_string(now - 300) + "&end=" + std::to_string(now) + "&step=1");
    for (const auto& series : data.at("result").as_array()) {
      for (const auto& sample : series.at("values").as_array())
        values.push_back(string(sample.as_array().at(1)));
    }
    return values;
  }

  std::optional<pods> nodes_;
  std::optional<rollcall_program> rollcall_;
  std::optional<prometheus_server> prometheus_;
};

TEST_F(Dashboard, EveryPanelShowsSomethingOfARealNetsplit) {
  ROLLCALL_NEEDS_NETWORK();
  start();
  ASSERT_TRUE(eventually([&] { return prometheus_->ready(); }, 60s, "Prometheus is ready"))
      << prometheus_->errors();
  ASSERT_TRUE(eventually([&] { return rollcall_->whole(count); }, 120s, "the mesh is whole"));
  ASSERT_TRUE(eventually_shows("erlang_cluster_partitions", "1"));
  ASSERT_TRUE(eventually_shows("erlang_cluster_health_status", "0"));
  EXPECT_TRUE(eventually_shows("count(ALERTS) or vector(0)", "0")) << "a whole cluster alerts nobody";

  // A member that is restarted.
  nodes_->node(4).restart();
  ASSERT_TRUE(eventually_shows("sum(erlang_cluster_member_restarts_total)", "1"));
  ASSERT_TRUE(eventually([&] { return rollcall_->whole(count); }, 120s, "the mesh is whole with it"));

  // A netsplit that heals.
  nodes_->net().cut(hosts({0, 1}), hosts({2, 3, 4}));
  ASSERT_TRUE(eventually_shows("erlang_cluster_netsplit_active{type=\"full\"}", "1"));
  EXPECT_TRUE(eventually_shows(alerts("RollcallNetsplit", "pending"), "1"));
  nodes_->net().heal(hosts({0, 1}), hosts({2, 3, 4}));
  ASSERT_TRUE(eventually([&] { return rollcall_->whole(count); }, 120s, "the mesh is whole again"));
  ASSERT_TRUE(eventually_shows("sum(erlang_cluster_netsplits_healed_total)", "1"));
  EXPECT_TRUE(eventually_shows(alerts("RollcallNetsplitHealed", "firing"), "1"));
  EXPECT_TRUE(eventually_shows(alerts("RollcallNetsplit", "pending"), "0"));

  // A member that dies and stays listed, and a netsplit that stays open.
  nodes_->node(4).kill();
  ASSERT_TRUE(eventually_shows("sum(erlang_cluster_member_failures_total)", "1"));
  nodes_->net().cut(hosts({0}), hosts({1, 2, 3}));
  ASSERT_TRUE(eventually_shows("erlang_cluster_netsplit_active{type=\"full\"}", "1"));
  EXPECT_TRUE(eventually_shows(alerts("RollcallNetsplit", "pending"), "1"));
  EXPECT_TRUE(eventually_shows(alerts("RollcallNetsplitHealed", "firing"), "0")) << "the next one lasts";
  EXPECT_TRUE(eventually_shows(alerts("RollcallMembersMissing", "pending"), "1"));
  ASSERT_TRUE(eventually_shows("count(erlang_cluster_netsplit_cause_info)", "1"));
  ASSERT_TRUE(eventually_shows("sum(erlang_cluster_netsplits_detected_total)", "2"));

  // What Grafana puts in their place.
  const std::map<std::string, std::string> variables{{"$namespace", "shop"},
                                                     {"$job", "rollcall"},
                                                     {"$member", ".*"},
                                                     {"$__rate_interval", "5s"},
                                                     {"$__range", "300s"}};
  const auto all = board();
  int asked = 0;
  std::map<std::string, std::string> seen;  // title and refId: the last value
  for (const auto& panel : all.at("panels").as_array()) {
    if (is_row(panel)) continue;
    for (const auto& target : panel.at("targets").as_array()) {
      const auto name = string(panel.at("title")) + " " + string(target.at("refId"));
      const auto expression = replaced(string(target.at("expr")), variables);
      EXPECT_THAT(expression, testing::Not(HasSubstr("$")));
      const auto values = answers(expression, target.at("instant").as_bool());
      EXPECT_FALSE(values.empty()) << name << " shows nothing: " << expression;
      EXPECT_TRUE(std::any_of(values.begin(), values.end(), [](const auto& v) { return v != "NaN"; }))
          << name;
      if (!values.empty()) seen[name] = values.back();
      ++asked;
    }
  }
  EXPECT_GT(asked, 35);
  // The numbers on top are the cluster's.
  EXPECT_EQ(seen["Health A"], "2");
  EXPECT_EQ(seen["Members up A"], "4");
  EXPECT_EQ(seen["Members up B"], "5");
  EXPECT_EQ(seen["Partitions A"], "2");
  EXPECT_EQ(seen["Links missing A"], "3");
  EXPECT_EQ(seen["Netsplits open A"], "1");
  EXPECT_EQ(seen["Rollcall A"], "0");
  for (const auto& one : all.at("annotations").at("list").as_array())
    EXPECT_FALSE(answers(replaced(string(one.at("expr")), variables), false).empty()) << one.at("name");

  // The variables' own questions: label_values(SERIES, LABEL).
  static const std::regex question(R"re(label_values\((.*), (\w+)\))re");
  std::map<std::string, std::set<std::string>> choices;
  for (const auto& one : all.at("templating").at("list").as_array()) {
    if (one.at("type") != "query") continue;
    const auto query = replaced(string(one.at("query").at("query")), variables);
    std::smatch parts;
    ASSERT_TRUE(std::regex_match(query, parts, question)) << query;
    const auto found = prometheus_->ask("/api/v1/label/" + parts[2].str() +
                                        "/values?match[]=" + url_encoded(parts[1].str()));
    for (const auto& value : found.as_array()) choices[string(one.at("name"))].insert(string(value));
  }
  EXPECT_EQ(choices["namespace"], std::set<std::string>{"shop"});
  EXPECT_EQ(choices["job"], std::set<std::string>{"rollcall"});
  EXPECT_EQ(choices["member"].size(), count);
}

}  // namespace
}  // namespace rollcall::test
