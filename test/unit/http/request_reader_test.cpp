// A request is the same however its bytes come.
#include "http/request_reader.hpp"

#include <gmock/gmock.h>

#include <boost/asio/buffer.hpp>
#include <string>
#include <vector>

namespace rollcall::http {
namespace {

using progress = request_reader::progress;

// What the last piece led to; what comes before it must not be enough.
progress read(request_reader& reader, const std::vector<std::string>& pieces) {
  boost::beast::flat_buffer buffer;
  auto result = progress::more;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_EQ(result, progress::more) << "piece " << i << " was not needed";
    const auto room = buffer.prepare(pieces[i].size());
    buffer.commit(boost::asio::buffer_copy(room, boost::asio::buffer(pieces[i])));
    result = reader.read(buffer);
  }
  return result;
}

// printf of a shell writes a line at a time, so the request line may come alone: the start-up gate asks so.
TEST(RequestReader, ReadsWhatComesInTwoPieces) {
  for (const std::string request :
       {"GET /api/v1/ready/a@b?strict=1 HTTP/1.0\r\n\r\n", "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"}) {
    for (std::size_t at = 1; at < request.size(); ++at) {
      request_reader reader(8'192);
      EXPECT_EQ(read(reader, {request.substr(0, at), request.substr(at)}), progress::whole)
          << "cut after " << at << " bytes: " << request;
    }
  }
}

TEST(RequestReader, ReadsWhatComesByteByByte) {
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 7\r\n\r\n";
  std::vector<std::string> pieces;
  for (const char c : request) pieces.emplace_back(1, c);
  request_reader reader(8'192);
  EXPECT_EQ(read(reader, pieces), progress::whole);
  EXPECT_EQ(reader.target(), "/metrics");
  EXPECT_EQ(reader.last_event_id(), "7");
}

}  // namespace
}  // namespace rollcall::http
