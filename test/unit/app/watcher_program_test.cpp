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

// A real node's evaluator runs it. A node that comes or goes is played by the message that says so.
void expect_conversation(std::string_view with_it) {
  const std::string begin = R"erl(
      Forms = binary:encode_unsigned(list_to_integer(os:getenv("FORMS"), 16)),
      Us = self(),
      Watcher = spawn(fun() -> erl_eval:exprs(binary_to_term(<<131, Forms/binary>>),
                                              [{'Name', watcher}, {'Token', token}, {'Us', Us}]) end),
      Said = fun() -> receive {rollcall_watcher, token, What} -> What after 20000 -> nothing end end,
      watching = Said(),)erl";
  const std::string end = R"erl(
      io:put_chars("as it should"),
      halt(0).)erl";
  test::process_options erl;
  erl.arguments =
      test::of_otp(test::otp_root(), {"erl", "-noinput", "-eval", begin + std::string(with_it) + end});
  erl.environment = {{"FORMS", hex(watcher_forms())}};
  const auto ended = test::run(std::move(erl), 60s);
  EXPECT_EQ(ended.output, "as it should") << ended.errors;
}

TEST(WatcherProgram, SaysThatItIsAliveAndWhetherNodesIsWhatItWas) {
  expect_conversation(R"erl(
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
      Watcher ! nonsense,
      {same, 10} = Ask({same, 10, 8}),)erl");
}

// What comes while it is suspended comes within a moment. How it is shared out depends on when the moment
// began.
TEST(WatcherProgram, TellsTogetherAndInOrderWhatChangesWithinAMoment) {
  expect_conversation(R"erl(
      Burst = fun(Messages) ->
        erlang:suspend_process(Watcher), [Watcher ! M || M <- Messages], erlang:resume_process(Watcher) end,
      Parts = fun Parts(Until) -> case Said() of
        nothing -> [nothing]; Until -> []; {changes, All} -> [All | Parts(Until)]; One -> [[One] | Parts(Until)] end end,
      Down = fun(Node) -> {nodedown, Node, [{nodedown_reason, gone}]} end,
      Up = fun(Node) -> {nodeup, Node, []} end,
      Changed = [{up, a}, {down, a, gone}, {up, b}, {up, a}, {down, b, gone}],
      % A question does not overtake them.
      Burst([Up(a), Down(a), Up(b), Up(a), Down(b), {alive, 1}]),
      Some = Parts({alive, 1}),
      {Changed, true} = {lists:append(Some), length(Some) =< 2},
      Burst([Up(a), Down(a), Up(b), Up(a), Down(b), {same, 2, 0}]),
      Others = Parts({other, 2}),
      {Changed, true} = {lists:append(Others), length(Others) =< 2},
      % Asked for, they come at once.
      Burst([Up(a), Up(b), held, Up(c), {alive, 3}]),
      Told = Parts({alive, 3}),
      [{up, a}, {up, b}, {up, c}] = lists:append(Told),
      [[{up, c}]] = [Part || Part <- Told, lists:member({up, c}, Part)],
      % Nor are they kept for want of a question.
      Gather = fun Gather([]) -> 0; Gather(Left) -> case Said() of
        {changes, All} -> true = lists:prefix(All, Left), true = length(All) =< 1000,
                          1 + Gather(lists:nthtail(length(All), Left));
        One -> [One | Rest] = Left, 1 + Gather(Rest) end end,
      Numbers = lists:seq(1, 2500),
      Burst([Up(N) || N <- Numbers]),
      true = Gather([{up, N} || N <- Numbers]) =< 4,
      Burst([Down(N) || N <- Numbers]),
      true = Gather([{down, N, gone} || N <- Numbers]) =< 4,)erl");
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
