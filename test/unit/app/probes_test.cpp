// What nodes answer to probes, read; and the message that a node is made to send in our name.
#include "app/probes.hpp"

#include <gtest/gtest.h>

#include "cnode/checked_reader.hpp"
#include "test/unit/cnode/node_under_test.hpp"

namespace rollcall::app {
namespace {

using cnode::atom;
using cnode::term;
using cnode::tuple;
using membership::path_probe;

TEST(PathProbe, ReadsWhatGenTcpAnswers) {
  const auto error = [](const char* why) { return term(tuple{{atom{"error"}, atom{why}}}); };
  EXPECT_EQ(path_probe_in(tuple{{atom{"ok"}, cnode::opaque{"a port"}}}), path_probe::reachable);
  EXPECT_EQ(path_probe_in(error("timeout")), path_probe::timeout);
  EXPECT_EQ(path_probe_in(error("etimedout")), path_probe::timeout);
  EXPECT_EQ(path_probe_in(error("econnrefused")), path_probe::refused);
  EXPECT_EQ(path_probe_in(error("nxdomain")), path_probe::unresolved);
  EXPECT_EQ(path_probe_in(error("ehostunreach")), path_probe::unreachable);
  EXPECT_EQ(path_probe_in(error("enetunreach")), path_probe::unreachable);
}

TEST(PathProbe, TheAskedNodesOwnTroubleIsNoWordAboutThePath) {
  EXPECT_EQ(path_probe_in(tuple{{atom{"error"}, atom{"emfile"}}}), path_probe::no_word);
  EXPECT_EQ(path_probe_in(tuple{{atom{"error"}, atom{"system_limit"}}}), path_probe::no_word);
}

TEST(PathProbe, NonsenseIsNoWord) {
  EXPECT_EQ(path_probe_in(atom{"ok"}), path_probe::no_word);
  EXPECT_EQ(path_probe_in(tuple{{atom{"ok"}}}), path_probe::no_word);
  EXPECT_EQ(path_probe_in(tuple{{std::int64_t{1}, atom{"x"}}}), path_probe::no_word);
}

TEST(LinkProbe, IsAGenCallToNetKernelInOurName) {
  const cnode::pid us{"rollcall@h.example", 1, 0, 7};
  cnode::reference ref;
  ref.node = us.node;
  ref.creation = 7;
  ref.length = 3;
  const auto decoded = cnode::decode_term(is_auth_call(us, ref, "a@h.example"));
  ASSERT_TRUE(decoded);
  const auto* call = decoded->as<tuple>();
  ASSERT_TRUE(call != nullptr && call->items.size() == 3);
  EXPECT_TRUE(call->items[0].is_atom("$gen_call"));
  EXPECT_EQ(call->items[1], term(tuple{{us, ref}}));
  EXPECT_EQ(call->items[2], term(tuple{{atom{"is_auth"}, atom{"a@h.example"}}}));
}

TEST(LinkProbe, AnExceptionOfTheCallIsNotLost) {
  test::io_thread thread;
  test::node_under_test ours{thread, "ours@127.0.0.1"};
  ASSERT_TRUE(ours.start());
  link_probes probes(
      thread.io, [&] { return &*ours; },
      [](node_name, std::string, std::string, cnode::byte_string, milliseconds)
          -> asio::awaitable<cnode::call_result<cnode::term>> { throw std::logic_error("broken"); });
  const auto name = [](const char* text) { return node_name::parse(text).value(); };
  EXPECT_THROW(
      thread.run(probes.ask(name("a@127.0.0.1"), {name("b@127.0.0.1")}, milliseconds(60'000), false)),
      std::logic_error);
  EXPECT_EQ(probes.waiting(), 0U);
  ours.stop();
}

// All of a batch are sent the same message, so that it is written once.
TEST(LinkProbe, AnAnswerIsOfTheNodeThatItComesFrom) {
  test::io_thread thread;
  test::node_under_test ours{thread, "ours@127.0.0.1"};
  ASSERT_TRUE(ours.start());
  const auto name = [](const char* text) { return node_name::parse(text).value(); };
  const auto references_in = [](const cnode::byte_string& arguments) {
    std::vector<term> found;
    const auto decoded = cnode::decode_term(arguments).value();
    for (const auto& message : decoded.as<cnode::list>()->items.at(2).as<cnode::list>()->items) {
      found.push_back(message.as<tuple>()->items.at(1).as<tuple>()->items.at(1));
    }
    return found;
  };
  std::optional<link_probes> probes;
  std::size_t waiting = 0;
  probes.emplace(
      thread.io, [&] { return &*ours; },
      [&](node_name, std::string, std::string, cnode::byte_string arguments,
          milliseconds) -> asio::awaitable<cnode::call_result<cnode::term>> {
        waiting = probes->waiting();
        const auto references = references_in(arguments);
        EXPECT_EQ(references.size(), 3U);
        cnode::term_writer answer;
        answer.tuple_header(2).write(references.at(0)).atom("yes");
        for (const char* from : {"c@127.0.0.1", "c@127.0.0.1", "stranger@127.0.0.1", "a@127.0.0.1"}) {
          EXPECT_TRUE(probes->answered(name(from), answer.view())) << from;
        }
        co_return cnode::list{{atom{"ok"}, atom{"ok"}, atom{"noconnect"}}, nullptr};
      });
  const auto results = thread.run(probes->ask(name("on@127.0.0.1"),
                                              {name("c@127.0.0.1"), name("b@127.0.0.1"), name("d@127.0.0.1")},
                                              milliseconds(50), false));
  using membership::link_probe;
  EXPECT_EQ(results, (std::vector{link_probe::answered, link_probe::no_word, link_probe::no_link}))
      << "b is not linked: its silence says nothing";
  EXPECT_EQ(waiting, 1U) << "one reference for all of them";
  EXPECT_EQ(probes->waiting(), 0U);
  ours.stop();
}

}  // namespace
}  // namespace rollcall::app
