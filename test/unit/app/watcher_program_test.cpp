// The watcher's forms are what a real node makes of its text.
#include "app/watcher_program.hpp"

#include <gtest/gtest.h>

#include <algorithm>

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

TEST(WatcherProgram, IsWhatARealNodeParsesItsTextTo) {
  std::string text(watcher_text);
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
  erl.environment = {{"TEXT", text}, {"FORMS", hex(watcher_forms())}};
  const auto ended = test::run(std::move(erl), 60s);
  EXPECT_EQ(ended.output, "equal") << ended.errors;
}

}  // namespace
}  // namespace rollcall::app
