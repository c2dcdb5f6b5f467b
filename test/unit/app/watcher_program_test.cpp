// The forms that nodes evaluate are what a real node makes of their texts.
#include "app/watcher_program.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "app/handshake_trial.hpp"
#include "test/support/beam.hpp"

namespace rollcall::app {
namespace {

using namespace std::chrono_literals;

std::string hex(cnode::byte_view bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : bytes) {
    out += digits[byte >> 4U];
    out += digits[byte & 15U];
  }
  return out;
}

void expect_parsed_alike(std::string_view source, cnode::byte_view forms) {
  std::string text(source);
  std::ranges::replace(text, '\n', ' ');  // every form says line 1
  const std::string compare = R"erl(
      {ok, Tokens, _} = erl_scan:string(os:getenv("TEXT")),
      {ok, Parsed} = erl_parse:parse_exprs(Tokens),
      Forms = binary:encode_unsigned(list_to_integer(os:getenv("FORMS"), 16)),
      Ours = binary_to_term(<<131, Forms/binary>>),
      case Ours =:= Parsed of
        true -> io:put_chars("equal");
        false -> io:format("ours ~0tp~n theirs ~0tp~n", [Ours, Parsed])
      end,
      halt(0).)erl";
  test::process_options erl;
  erl.arguments = test::of_otp(test::otp_root(), {"erl", "-noinput", "-eval", compare});
  erl.environment = {{"TEXT", text}, {"FORMS", hex(forms)}};
  const auto ended = test::run(std::move(erl), 60s);
  EXPECT_EQ(ended.output, "equal") << ended.errors;
}

TEST(WatcherProgram, IsWhatARealNodeParsesItsTextTo) {
  expect_parsed_alike(watcher_text, watcher_forms());
}

// Of a real node's evaluator. A node that comes or goes is played by the message that says so.
TEST(WatcherProgram, SaysThatItIsAliveAndWhetherNodesIsWhatItWas) {
  const std::string converse = R"erl(
      Forms = binary:encode_unsigned(list_to_integer(os:getenv("FORMS"), 16)),
      Us = self(),
      Watcher = spawn(fun() -> erl_eval:exprs(binary_to_term(<<131, Forms/binary>>),
                                              [{'Name', watcher}, {'Token', token}, {'Us', Us}]) end),
      Said = fun() -> receive {rollcall_watcher, token, What} -> What after 20000 -> nothing end end,
      watching = Said(),
      Ask = fun(Question) -> Watcher ! Question, Said() end,
      {alive, 1} = Ask({alive, 1}),
      {other, 2} = Ask({same, 2, 0}),
      {same, 3} = Ask({same, 3, 2}),
      {alive, 4} = Ask({alive, 4}),
      {same, 5} = Ask({same, 5, 2}),
      {other, 6} = Ask({same, 6, 5}),
      {same, 7} = Ask({same, 7, 6}),
      {up, node} = Ask({nodeup, node, []}),
      {other, 8} = Ask({same, 8, 6}),
      {same, 9} = Ask({same, 9, 8}),
      {down, node, gone} = Ask({nodedown, node, [{nodedown_reason, gone}]}),
      {other, 10} = Ask({same, 10, 8}),
      Watcher ! nonsense,
      {same, 11} = Ask({same, 11, 10}),
      io:put_chars("as it should"),
      halt(0).)erl";
  test::process_options erl;
  erl.arguments = test::of_otp(test::otp_root(), {"erl", "-noinput", "-eval", converse});
  erl.environment = {{"FORMS", hex(watcher_forms())}};
  const auto ended = test::run(std::move(erl), 60s);
  EXPECT_EQ(ended.output, "as it should") << ended.errors;
}

TEST(HandshakeTrial, IsWhatARealNodeParsesItsTextTo) {
  expect_parsed_alike(trial_text, trial_forms());
}

TEST(HandshakeTrial, SaysNothingOfAPairThatIsLinked) {
  EXPECT_EQ(trial_result_in(cnode::atom{"true"}), membership::path_probe::reachable);
  EXPECT_EQ(trial_result_in(cnode::atom{"false"}), membership::path_probe::refused);
  for (const auto* said : {"linked", "ignored", "expired"})
    EXPECT_EQ(trial_result_in(cnode::atom{said}), membership::path_probe::no_word) << said;
}

}  // namespace
}  // namespace rollcall::app
