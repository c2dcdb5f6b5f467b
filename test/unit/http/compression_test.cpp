// Answers as gzip: to those that ask, all of it, a slice at a time, and counted in the memory for answers.
#include "http/compression.hpp"

#include <zlib.h>

#include "test/unit/http/server_under_test.hpp"

namespace rollcall::http {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string inflated(std::string_view bytes) {
  z_stream stream{};
  EXPECT_EQ(::inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string all;
  std::array<char, 4096> room{};
  int code = Z_OK;
  while (code == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(room.data());
    stream.avail_out = static_cast<uInt>(room.size());
    code = ::inflate(&stream, Z_NO_FLUSH);
    all.append(room.data(), room.size() - stream.avail_out);
  }
  ::inflateEnd(&stream);
  EXPECT_EQ(code, Z_STREAM_END);
  EXPECT_EQ(stream.avail_in, 0U) << "something follows the end";
  return all;
}

// The body of a chunked answer.
std::string unchunked(std::string_view answer) {
  std::string body;
  auto rest = answer.substr(answer.find("\r\n\r\n") + 4);
  while (true) {
    const auto size = std::stoul(std::string(rest.substr(0, rest.find("\r\n"))), nullptr, 16);
    rest.remove_prefix(rest.find("\r\n") + 2);
    if (size == 0) return body;
    body += rest.substr(0, size);
    rest.remove_prefix(size + 2);
  }
}

std::string text_of(std::size_t lines) {
  std::string text;
  for (std::size_t i = 0; i < lines; ++i) {
    text += "erlang_cluster_member_up{node=\"app-" + std::to_string(i * 7919 % lines) + "@10.0.0.1\"} 1\n";
  }
  return text;
}

TEST(Compression, TakesWhatTheFieldSays) {
  const std::vector<std::pair<std::string_view, bool>> table{
      {"", false},
      {"gzip", true},
      {"deflate, GZip;q=0.5, br", true},
      {"br,x-gzip", true},
      {"deflate, br", false},
      {"gzip;q=0", false},
      {"gzip; q=0.000", false},
      {"gzip;q=0.001", true},
      {"*", true},
      {"*;q=0", false},
      {"*;q=0, gzip", true},
      {"gzip;q=0, *", false},
      {"identity", false},
      {",;,", false},
      {"gzipped", false},
  };
  for (const auto& [field, taken] : table) EXPECT_EQ(takes_gzip(field), taken) << '"' << field << '"';
}

TEST(Compression, EachPieceIsOneSliceOfTheBody) {
  answer made;
  made.body = text_of(20'000);
  const auto whole = made.body;
  auto out = compressed(std::move(made));
  std::string all;
  std::size_t pieces = 1;
  EXPECT_GE(out.held(), whole.size());
  while (out.next(all)) ++pieces;
  EXPECT_EQ(pieces, (whole.size() + 65'535) / 65'536);
  EXPECT_EQ(inflated(all), whole);
  EXPECT_LT(all.size(), whole.size() / 5);
}

TEST(Compression, WhatIsMadeAsItGoesIsCompressedAsItGoes) {
  std::size_t rows = 0;
  answer made;
  made.next = [&](std::string& out) {
    out += text_of(300);
    return ++rows < 50;
  };
  auto out = compressed(std::move(made));
  std::string all;
  bool more = out.next(all);
  EXPECT_LE(rows, 5U) << "no more than one slice at a time";
  while (more) more = out.next(all);
  std::string whole;
  for (int i = 0; i < 50; ++i) whole += text_of(300);
  EXPECT_EQ(inflated(all), whole);
}

TEST(Compression, AnEmptyAnswerIsAWholeStream) {
  auto out = compressed({});
  std::string all;
  EXPECT_FALSE(out.next(all));
  EXPECT_EQ(inflated(all), "");
}

class CompressedAnswers : public server_under_test {
 protected:
  static std::string asked(std::string_view target, std::string_view fields,
                           std::string_view version = "1.1") {
    return "GET " + std::string(target) + " HTTP/" + std::string(version) + "\r\nHost: x\r\n" +
           std::string(fields) + "\r\n";
  }
};

TEST_F(CompressedAnswers, GoToThoseThatAskForThem) {
  const auto whole = text_of(20'000);
  serve({}, whole);
  client one(at_);
  one.send(asked("/metrics", "Accept-Encoding: deflate\r\nAccept-Encoding: gzip\r\n"));
  const auto got = one.until("\r\n0\r\n\r\n");
  EXPECT_THAT(got, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Encoding: gzip\r\n"),
                         HasSubstr("Vary: Accept-Encoding\r\n"), HasSubstr("Transfer-Encoding: chunked\r\n"),
                         Not(HasSubstr("Content-Length"))));
  EXPECT_EQ(inflated(unchunked(got)), whole);
  // The connection serves another request; who does not ask gets it plain, and caches know the difference.
  one.send(asked("/metrics", ""));
  EXPECT_THAT(one.answer(), AllOf(Not(HasSubstr("Content-Encoding")), HasSubstr("Vary: Accept-Encoding\r\n"),
                                  EndsWith("\r\n\r\n" + whole)));
}

TEST_F(CompressedAnswers, AreWhatIsMadeByRowsToo) {
  serve();
  client plain(at_), packed(at_);
  plain.send(asked("/api/v1/links", "Connection: close\r\n"));
  packed.send(asked("/api/v1/links", "Accept-Encoding: gzip\r\nConnection: close\r\n"));
  EXPECT_EQ(inflated(unchunked(packed.rest())), unchunked(plain.rest()));
}

TEST_F(CompressedAnswers, AreNotWhatIsSmallOrHasNoEndOrIsOfHttp10) {
  serve();
  client one(at_);
  one.send(asked("/metrics", "Accept-Encoding: gzip\r\n"));
  EXPECT_THAT(one.answer(), AllOf(Not(HasSubstr("Content-Encoding")), EndsWith("\r\n\r\nup 1\n")));
  client stream(at_);
  EXPECT_THAT(open_stream(stream, "Accept-Encoding: gzip\r\n"), Not(HasSubstr("Content-Encoding")));
  client old(at_);
  old.send(asked("/api/v1/links", "Accept-Encoding: gzip\r\n", "1.0"));
  EXPECT_THAT(old.rest(), AllOf(Not(HasSubstr("Content-Encoding")), HasSubstr("\"state\":")));
}

TEST_F(CompressedAnswers, CountInTheMemoryForAnswers) {
  // Each holds its 1 MiB until it is taken; two of them are more than all may hold, however little goes out.
  options few;
  few.max_unsent = few.max_unsent_of_client = 2U << 20;
  std::string noise;
  for (std::uint64_t i = 0, x = 88'172'645'463'325'252U; i < (1U << 20); ++i) {
    x ^= x << 13U;
    x ^= x >> 7U;
    x ^= x << 17U;
    noise += static_cast<char>('!' + x % 90);
  }
  serve(few, noise);
  std::list<client> readers;
  for (int i = 0; i < 4; ++i) readers.emplace_back(at_).send(asked("/metrics", "Accept-Encoding: gzip\r\n"));
  EXPECT_TRUE(comes_true([&] {
    bool said = false;
    on_thread([&] { said = !noticed_.empty(); });
    return said;
  }));
  on_thread([&] { EXPECT_THAT(noticed_.front(), HasSubstr("does not read its HTTP answers")); });
}

}  // namespace
}  // namespace rollcall::http
