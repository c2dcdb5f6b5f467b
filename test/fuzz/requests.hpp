// What the fuzz target of HTTP does with its input: the bytes of one connection, in pieces, through the
// reader, the routes and the head of the answer. Used by the libFuzzer program and by the ordinary test that
// replays its corpus.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "http/answer_head.hpp"
#include "http/request_reader.hpp"
#include "http/routes.hpp"
#include "membership/history.hpp"
#include "test/unit/metrics/sample_snapshot.hpp"

namespace rollcall::http::fuzz {

inline void must(bool holds) {
  if (!holds) std::abort();
}

inline const content& sample_content() {
  static const content made = [] {
    content from;
    from.snapshot = [shown = std::make_shared<const membership::snapshot>(test::troubled_cluster())] {
      return shown;
    };
    from.metrics = [] { return std::string("up 1\n"); };
    from.ready = [] { return readiness{true, "rounds are working"}; };
    from.history = [of = std::make_shared<membership::history>()]() -> const membership::history& {
      return *of;
    };
    from.version = "0.1.0";
    from.failed = [](const std::string&) { std::abort(); };
    return from;
  }();
  return made;
}

// One head, which nothing that the client sent ends early, and a body that comes to its end.
inline void check(answer made) {
  must(made.status >= 200 && made.status < 600 && !made.content_type.empty());
  const auto head = head_of(made, "0.1.0", true, delivery::whole);
  must(head.find("\r\n\r\n") == head.size() - 4);
  std::string body;
  int pieces = 0;
  while (made.next && made.next(body)) must(++pieces < 100'000);
  if (made.follow) made.follow(body);
}

// | size of a piece:1 | bytes of a connection |
inline void connection(std::string_view input) {
  constexpr std::size_t max_bytes = 1'024;
  if (input.empty()) return;
  const std::size_t piece = static_cast<unsigned char>(input[0]) % 97 + 1;
  input.remove_prefix(1);
  boost::beast::flat_buffer buffer;
  for (bool again = true; again;) {
    request_reader reader(max_bytes);
    auto progress = reader.read(buffer);
    while (progress == request_reader::progress::more && !input.empty()) {
      const auto next = input.substr(0, piece);
      input.remove_prefix(next.size());
      std::memcpy(buffer.prepare(next.size()).data(), next.data(), next.size());
      buffer.commit(next.size());
      progress = reader.read(buffer);
    }
    must(buffer.size() <= max_bytes + request_reader::read_size + piece);
    again = progress == request_reader::progress::whole && reader.keep_alive();
    if (progress == request_reader::progress::refused) {
      const auto refusal = reader.refusal();
      must(refusal.status >= 400 && refusal.body.find(".hpp") == std::string::npos);
      check(refusal);
    }
    if (progress == request_reader::progress::whole) {
      check(respond(sample_content(), reader.method(), reader.target(), reader.last_event_id()));
    }
  }
}

}  // namespace rollcall::http::fuzz
