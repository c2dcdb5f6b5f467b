// Names learned at addresses: who is a member there, and when a name makes way. The nodes are played; the
// port mapper is a real one.
#include "app/introductions.hpp"

#include <gmock/gmock.h>

#include <deque>

#include "app/network.hpp"
#include "cnode/node.hpp"
#include "test/support/epmd.hpp"
#include "test/support/scripted_peer.hpp"

namespace rollcall::app {
namespace {

using namespace std::chrono_literals;
using test::misbehaviour;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::chrono::seconds patience{30};

configuration loaded() {
  const std::vector<std::string> arguments{
      "run",        "--name", "rollcall@127.0.0.1", "--epmd", "none", "--dns", "*@web.test",
      "--interval", "1s",     "--connect-timeout",  "1m"};
  return std::get<configuration>(load(arguments, {{"ROLLCALL_COOKIE", "chocolate"}}));
}

struct counting_observer final : cnode::node_observer {
  void link_up(const cnode::peer&) override {}
  void link_down(const cnode::peer&, boost::system::error_code, const std::string&) override {}
  void handshake_ended(cnode::direction, const std::optional<node_name>&, const asio::ip::tcp::endpoint&,
                       boost::system::error_code, const std::string&) override {
    ++handshakes;
  }
  void port_mapper_changed(boost::system::error_code, const std::string&) override {}
  void unexpected(const node_name&, const std::string&) override {}
  int handshakes = 0;
};

// A node that is registered, and has a link for as long as this lives.
struct played_node {
  played_node(const std::string& name, std::uint16_t mapper)
      : peer(name, "chocolate", misbehaviour::unknown_control),
        registered(mapper, name.substr(0, name.find('@')), peer.port()) {}
  test::fake_node peer;
  test::registration registered;
};

class Introductions : public ::testing::Test {
 protected:
  // Looks until `condition`.
  testing::AssertionResult eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return testing::AssertionFailure();
      look();
    }
    return testing::AssertionSuccess();
  }
  testing::AssertionResult until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return testing::AssertionFailure();
      io.restart();
      io.run_for(20ms);
    }
    return testing::AssertionSuccess();
  }
  void look() {
    asked.look(nullptr, {{.name = discovery::place_name("127.0.0.1").value(),
                          .host = "127.0.0.1",
                          .address = asio::ip::make_address("127.0.0.1"),
                          .port = {},
                          .pattern = "*"}});
    io.restart();
    io.run_for(20ms);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& each : asked.names()) all.push_back(each.name.text());
    return all;
  }
  std::vector<membership::unnamed_node> unnamed() const {
    membership::source_report report;
    report.nodes = {discovery::place_name("127.0.0.1").value()};
    asked.tell(report);
    return report.unnamed;
  }
  played_node& start(const std::string& name) { return nodes.emplace_back(name, mapper.port()); }

  test::epmd mapper;
  std::vector<asio::ip::address> addresses;  // of every host
  std::deque<played_node> nodes;
  configuration c = loaded();
  asio::io_context io{1};
  counting_observer observer;
  cnode::node node{io,
                   node_options(c, {"chocolate"}, mapper.port()),
                   observer,
                   [this](std::string) -> asio::awaitable<cnode::resolved> {
                     co_return cnode::resolved{addresses, {}};
                   },
                   {}};
  std::set<std::string> leaving, answered;
  std::string told;
  log lines{log_level::info, log_format::text,
            [this](std::string_view line) { told += std::string(line) + '\n'; }};
  introductions asked{io,
                      c,
                      lines,
                      {.node = [this] { return &node; },
                       .resolve = [this](std::string) -> asio::awaitable<cnode::resolved> {
                         if (addresses.empty()) throw std::logic_error("nothing is resolved here");
                         co_return cnode::resolved{addresses, {}};
                       },
                       .stopping = [] { return false; },
                       .ignored = [](const node_name&) { return false; },
                       .leaving = [this](const node_name& n) { return leaving.contains(n.text()); },
                       .answered = [this](const node_name& place) { answered.insert(place.text()); },
                       .changed = [] {},
                       .port_mapper_port = mapper.port()}};
};

TEST_F(Introductions, ANodeThatDoesNotAnswerHoldsUpNobodyOfItsAddress) {
  const test::fake_node frozen("a@app-0.test", "chocolate", misbehaviour::silent);
  const test::registration registered(mapper.port(), "a", frozen.port());
  start("b@app-0.test");
  EXPECT_TRUE(eventually([&] { return names() == std::vector<std::string>{"b@app-0.test"}; }));
  EXPECT_EQ(answered, std::set<std::string>{discovery::place_name("127.0.0.1").value().text()});
}

// A task that ends by an exception is told, and what it looked after does not wait for it.
TEST_F(Introductions, ATaskThatFailsIsToldAndHoldsUpNothing) {
  asked.look(nullptr, {{.name = discovery::place_name("app-0.test").value(),
                        .host = "app-0.test",
                        .address = {},
                        .port = {},
                        .pattern = "*"}});
  EXPECT_TRUE(until([&] { return asked.settled(); }));
  EXPECT_NE(told.find("a task ended unexpectedly; please report this task=\"look for names\" "
                      "error=\"nothing is resolved here\""),
            std::string::npos)
      << told;
  start("b@app-0.test");
  EXPECT_TRUE(eventually([&] { return names() == std::vector<std::string>{"b@app-0.test"}; }));
}

// A node with addresses of two families listens on one, mostly, and perhaps its port mapper does, too.
TEST_F(Introductions, OfAHostWithSeveralAddressesTheOneThatAnswersIsTaken) {
  start("b@app-0.test");
  addresses = {asio::ip::make_address("::1"), asio::ip::make_address("127.0.0.1")};
  const auto asked_for = [&] {
    asked.look(nullptr, {{.name = discovery::place_name("app-0.test").value(),
                          .host = "app-0.test",
                          .address = {},
                          .port = {},
                          .pattern = "*"}});
    io.restart();
    io.run_for(20ms);
    return names() == std::vector<std::string>{"b@app-0.test"};
  };
  EXPECT_TRUE(until(asked_for));
}

TEST_F(Introductions, ThePauseAfterARefusedCookieEndsWhenSomethingChangedHere) {
  const test::fake_node other("a@app-0.test", "vanilla", misbehaviour::unknown_control);
  const test::registration registered(mapper.port(), "a", other.port());
  ASSERT_TRUE(eventually([&] { return !unnamed().empty(); }));
  EXPECT_EQ(unnamed().front().why, membership::reason::cookie);
  EXPECT_TRUE(unnamed().front().there);
  const auto before = observer.handshakes;
  for (int i = 0; i < 5; ++i) look();
  EXPECT_EQ(observer.handshakes, before) << "each attempt is an error in its log";
  asked.try_again();
  EXPECT_TRUE(eventually([&] { return observer.handshakes > before; }));
}

// Of --local: a name of the port mapper, which goes when the source does not list it any more.
TEST_F(Introductions, APlaceWithAPortAndAHalfNameIsOneNodeWhateverThePort) {
  const auto at = [&](std::uint16_t port) {
    return discovery::entry{.name = discovery::place_name("app").value(),
                            .host = "localhost",
                            .address = asio::ip::make_address("127.0.0.1"),
                            .port = port,
                            .pattern = "app"};
  };
  const test::fake_node other("app@vm", "vanilla", misbehaviour::unknown_control);
  asked.look(nullptr, {at(other.port())});
  ASSERT_TRUE(until([&] { return asked.settled(); }));
  membership::source_report report;
  report.nodes = {discovery::place_name("app").value()};
  asked.tell(report);
  ASSERT_THAT(report.unnamed, SizeIs(1));
  EXPECT_EQ(report.unnamed[0].address, "localhost (app)");
  EXPECT_EQ(report.unnamed[0].why, membership::reason::cookie);
  EXPECT_TRUE(report.unnamed[0].there) << "the port mapper says so";
  EXPECT_THAT(report.nodes, IsEmpty());
  // Another run, at another port: asked at once.
  const test::fake_node right("app@vm", "chocolate", misbehaviour::unknown_control);
  asked.look(nullptr, {at(right.port())});
  ASSERT_TRUE(until([&] { return names().size() == 1; }));
  EXPECT_EQ(asked.names()[0].port, right.port());
  EXPECT_FALSE(asked.names()[0].learned) << "the nodes of this machine are one mesh";
  asked.look(nullptr, {at(right.port() + 1)});
  EXPECT_THAT(names(), SizeIs(1)) << "restarted, most likely under the same name";
  asked.look(nullptr, {});
  EXPECT_THAT(names(), IsEmpty());
}

// Which is what keeps a cache that repeats "no such name" from taking its members away.
TEST_F(Introductions, APlaceIsLinkedWhileANodeWhoseNameWasLearnedThereIs) {
  const auto place = discovery::place_name("127.0.0.1").value();
  start("a@127.0.0.1");
  EXPECT_FALSE(asked.linked_at(place));
  ASSERT_TRUE(eventually([&] { return names().size() == 1; }));
  EXPECT_TRUE(asked.linked_at(place));
  EXPECT_FALSE(asked.linked_at(discovery::place_name("127.0.0.2").value()));
}

TEST_F(Introductions, AShortNameBesideALongOneIsNoMemberAndSaysHowItWouldBe) {
  start("app@app-0.test");
  ASSERT_TRUE(eventually([&] { return names().size() == 1; }));
  start("epmd-starter-7@app-0");
  ASSERT_TRUE(eventually([&] { return !unnamed().empty(); }));
  EXPECT_THAT(names(), ElementsAre("app@app-0.test"));
  const auto other = unnamed().front();
  EXPECT_EQ(other.why, membership::reason::incompatible);
  EXPECT_FALSE(other.there) << "nobody waits for it";
  EXPECT_THAT(other.detail, HasSubstr("RELEASE_DISTRIBUTION=name and RELEASE_NODE=epmd-starter-7@127.0.0.1"));
  EXPECT_TRUE(eventually([&] { return node.links() == 1; })) << "and has no link";
}

TEST_F(Introductions, AShortNameThatCameFirstMakesWayForALongOne) {
  start("epmd-starter-7@app-0");
  ASSERT_TRUE(eventually([&] { return names().size() == 1; }));
  start("app@app-0.test");
  EXPECT_TRUE(eventually([&] { return names() == std::vector<std::string>{"app@app-0.test"}; }));
}

TEST_F(Introductions, ShortNamesAmongThemselvesAreMembers) {
  start("a@vm");
  start("b@vm");
  start("odd@vm.test");
  EXPECT_TRUE(eventually([&] { return names().size() == 3; })) << "more of them are short";
  EXPECT_THAT(unnamed(), IsEmpty());
}

TEST_F(Introductions, WhoOnlyPassesByIsNobodyToWaitForAndWhoComesBackIs) {
  start("app@app-0.test");
  // A node that registers during the first look counts as one that was there from the start.
  ASSERT_TRUE(eventually([&] { return names().size() == 1 && asked.settled(); }));
  start("tool@app-0.test");
  ASSERT_TRUE(eventually([&] { return names().size() == 2; }));
  nodes.pop_back();
  EXPECT_TRUE(eventually([&] { return names().size() == 1; }));
  EXPECT_THAT(unnamed(), IsEmpty());
  start("tool@app-0.test");
  ASSERT_TRUE(eventually([&] { return names().size() == 2; }));
  nodes.pop_back();
  ASSERT_TRUE(eventually([&] { return node.links() == 1; }));
  for (int i = 0; i < 5; ++i) look();
  EXPECT_THAT(names(), SizeIs(2)) << "it crashes again and again";
}

TEST_F(Introductions, WhoWasThereFromTheStartAndIsGoneIsWaitedForUnlessItSaidGoodbye) {
  start("web@app-0.test");
  start("app@app-0.test");
  ASSERT_TRUE(eventually([&] { return names().size() == 2; }));
  nodes.clear();
  ASSERT_TRUE(eventually([&] { return node.links() == 0; }));
  for (int i = 0; i < 5; ++i) look();
  EXPECT_THAT(names(), SizeIs(2)) << "a crash is a crash";
  leaving = {"web@app-0.test"};
  EXPECT_TRUE(eventually([&] { return names() == std::vector<std::string>{"app@app-0.test"}; }));
}

}  // namespace
}  // namespace rollcall::app
