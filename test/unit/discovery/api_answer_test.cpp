// Answers of HTTP cut at every byte, and what is refused.
#include "discovery/api_answer.hpp"

#include <gmock/gmock.h>

namespace rollcall::discovery {
namespace {

using namespace std::chrono_literals;

const std::string chunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
    "chunked\r\n\r\n5\r\none\nt\r\n4\r\nwo\nt\r\n5\r\nhree\n\r\n0\r\n\r\n";

TEST(ApiAnswer, LinesAreTheSameWhereverTheBytesAreCut) {
  for (std::size_t at = 0; at <= chunked.size(); ++at) {
    api_answer answer(0, 100);
    EXPECT_FALSE(answer.feed(std::string_view(chunked).substr(0, at))) << at;
    EXPECT_FALSE(answer.feed(std::string_view(chunked).substr(at))) << at;
    EXPECT_TRUE(answer.done()) << at;
    EXPECT_EQ(answer.take_line(), "one");
    EXPECT_EQ(answer.take_line(), "two");
    EXPECT_EQ(answer.take_line(), "three");
    EXPECT_EQ(answer.take_line(), std::nullopt);
  }
  api_answer answer(0, 100);
  for (const char c : chunked) EXPECT_FALSE(answer.feed({&c, 1}));
  EXPECT_TRUE(answer.done());
  EXPECT_EQ(answer.take_body(), "one\ntwo\nthree\n");
}

TEST(ApiAnswer, EndsOnlyWhereItShould) {
  for (std::size_t at = 0; at < chunked.size(); ++at) {
    api_answer answer(1'000, 0);
    ASSERT_FALSE(answer.feed(std::string_view(chunked).substr(0, at)));
    EXPECT_TRUE(answer.finish()) << at;
  }
  api_answer until_the_end(1'000, 0);
  EXPECT_FALSE(until_the_end.feed("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it"));
  EXPECT_FALSE(until_the_end.done());
  EXPECT_FALSE(until_the_end.finish());
  EXPECT_EQ(until_the_end.take_body(), "all of it");
}

TEST(ApiAnswer, HeadAndRetryAfter) {
  api_answer answer(1'000, 0);
  EXPECT_FALSE(
      answer.feed("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 9\r\nContent-Length: 2\r\n\r\nno"));
  EXPECT_TRUE(answer.done());
  EXPECT_EQ(answer.status(), 429U);
  EXPECT_EQ(answer.retry_after(), 9s);
  EXPECT_TRUE(answer.keeps_alive());
  for (const auto* text :
       {"-1", "x", "", "9 9", "99999999999999999999999", "Wed, 21 Oct 2026 07:28:00 GMT"}) {
    api_answer odd(1'000, 0);
    EXPECT_FALSE(
        odd.feed(std::string("HTTP/1.1 429 No\r\nRetry-After: ") + text + "\r\nContent-Length: 0\r\n\r\n"));
    EXPECT_EQ(odd.retry_after(), std::nullopt) << text;
  }
}

TEST(ApiAnswer, WhatIsTooLargeIsRefusedBeforeItComes) {
  api_answer body(100, 0);
  EXPECT_TRUE(body.feed("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n"));
  // Memory for a body is reserved by its head: 2^62 bytes must not be asked for.
  api_answer watch(0, 100);
  EXPECT_TRUE(watch.feed("HTTP/1.1 200 OK\r\nContent-Length: 4611686018427387904\r\n\r\nx"));
  api_answer line(0, 100);
  EXPECT_TRUE(line.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" +
                        std::string(101, 'x') + "\r\n"));
  api_answer head(100, 0);
  boost::system::error_code code;
  for (int i = 0; i < 1'000 && !code; ++i)
    code = head.feed(i == 0 ? "HTTP/1.1 200 OK\r\n" : "X-Many: 0123456789012345678\r\n");
  EXPECT_TRUE(code);
  api_answer endless(100, 0);
  code = {};
  for (int i = 0; i < 100 && !code; ++i) code = endless.feed(std::string(1'000, 'x'));
  EXPECT_TRUE(code);
}

TEST(ApiAnswer, NonsenseAndMoreThanWasAskedForAreRefused) {
  for (const auto* text : {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 20x OK\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    api_answer answer(1'000, 0);
    EXPECT_TRUE(answer.feed(text)) << text;
  }
}

}  // namespace
}  // namespace rollcall::discovery
