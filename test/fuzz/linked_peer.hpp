// A peer that has shown the cookie and sends what it likes: a real link on a pair of sockets, with our
// processes behind it and a program that answers. What comes back must be whole, well-formed messages, and
// every request for a process must have been answered.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "cnode/built_in.hpp"
#include "cnode/byte_reader.hpp"
#include "cnode/link.hpp"
#include "cnode/processes.hpp"
#include "test/fuzz/decoders.hpp"

namespace rollcall::cnode::fuzz {

class linked_peer {
 public:
  explicit linked_peer(std::uint64_t announced) {
    if ((announced & (flags::dist_hdr_atom_cache | flags::fragments)) != 0)
      reader_ = std::make_unique<message_reader>(true);
    std::array<int, 2> ends{};
    must(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0);
    theirs_ = ends[0];
    tcp::socket ours(io_);
    ours.assign(tcp::v4(), ends[1]);
    const peer other{*node_name::parse("g@127.0.0.1"), 7, announced, true, direction::incoming, {}, 0, {}};
    link_ = std::make_shared<link>(stream(std::move(ours)), other, milliseconds(60'000), 1U << 20U, budget_);
    asio::co_spawn(io_, run(this, link_), asio::detached);
    settle();
  }
  ~linked_peer() {
    link_->close(make_error_code(error::stopping), "over");
    settle();
    ::close(theirs_);
  }
  linked_peer(const linked_peer&) = delete;
  linked_peer& operator=(const linked_peer&) = delete;

  void send(byte_view bytes) {
    while (!bytes.empty() && link_->is_open()) {
      const auto sent = ::send(theirs_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      settle();
    }
  }
  // After everything was sent.
  void judge() {
    must(link_->session.monitors.size() <= max_monitors);
    must(budget_->held() <= budget_->most());
    if (!link_->is_open()) return;
    must(came_.empty());  // nothing but whole frames
    must(!reader_ || reader_->open_sequences() == 0);
    must(answered_ == asked_);
  }

 private:
  static asio::awaitable<void> run(linked_peer* self, std::shared_ptr<link> link) {
    co_await link->run(
        [self](cnode::link& from, const cnode::message& received) { self->receive(from, received); },
        [](cnode::link&) {});
  }

  // As a node does it.
  void receive(link& from, const cnode::message& received) {
    if (std::holds_alternative<control::spawn_request>(received.control)) ++asked_;
    if (from.calls.receive(received.control)) return;
    const auto reaction = processes_.receive(from.session, received);
    if (!reaction.frames.empty()) from.answer(reaction.frames);
    if (reaction.referring) from.answer(*reaction.referring);
    for (const auto& each : reaction.long_ones) from.answer(each);
    if (reaction.told) must(!to_string(*reaction.told, 200).empty());
  }

  // 300 elements in three pieces.
  static std::shared_ptr<const long_value> made_pairs() {
    auto made = std::make_shared<long_value>();
    for (int i = 0; i < 300; ++i) made->atoms.push_back(term_writer().atom("p" + std::to_string(i)).bytes());
    made->pieces = 3;
    made->append = [](std::size_t piece, std::span<const byte_string> atoms, byte_string& to) {
      if (piece == 0) to += term_writer().list_header(atoms.size()).view();
      for (std::size_t i = 100 * piece; i < 100 * (piece + 1); ++i) to += atoms[i];
      if (piece == 2) to += term_writer().nil().view();
    };
    return made;
  }

  answer answers(const request& asked) {
    if (auto own = built_in(asked, own_name_, processes_.self(), {})) return *std::move(own);
    term_writer out;
    if (asked.function == "echo" && asked.arguments.size() == 1) {
      out.write(asked.arguments.front());
    } else if (asked.function == "members") {
      return {answer_kind::value, members_};  // the same each time: the second refers to atoms
    } else if (asked.function == "pairs") {
      return {answer_kind::value, nullptr, pairs_};
    } else {
      return {answer_kind::undefined, nullptr};
    }
    return {answer_kind::value, std::make_shared<const byte_string>(out.bytes())};
  }

  // Until nobody has anything to do.
  void settle() {
    std::array<char, 65'536> some{};
    bool moved = true;
    while (moved) {
      io_.restart();
      moved = io_.poll() > 0;
      for (ssize_t got = 0; (got = ::recv(theirs_, some.data(), some.size(), 0)) > 0; moved = true) {
        came_.append(some.data(), static_cast<std::size_t>(got));
      }
      read_frames();
    }
  }

  static std::shared_ptr<const byte_string> made_members() {
    constexpr std::size_t count = 1'000;
    term_writer out;
    out.list_header(count);
    for (std::size_t i = 0; i < count; ++i) out.atom("member" + std::to_string(i));
    return std::make_shared<const byte_string>(out.nil().bytes());
  }

  // Absent: a fragment, and not the last.
  result<std::optional<cnode::message>> read(byte_view frame) {
    if (reader_) return reader_->take(frame, frame.size(), reasons::decoded);
    auto parsed = parse_message(frame);
    if (!parsed) return parsed.error();
    return std::optional(*std::move(parsed));
  }

  void read_frames() {
    byte_view rest = came_;
    while (rest.size() >= 4) {
      std::array<std::uint8_t, 4> prefix{};
      std::copy_n(rest.begin(), 4, prefix.begin());
      const auto length = frame_length(prefix);
      must(length.has_value() && *length <= max_frame_size);
      if (rest.size() < 4 + *length) break;
      if (*length > 0) {
        const auto parsed = read(rest.substr(4, *length));
        must(parsed.has_value());
        if (*parsed && std::holds_alternative<control::spawn_reply>((*parsed)->control)) ++answered_;
      }
      rest.remove_prefix(4 + *length);
    }
    came_.erase(0, came_.size() - rest.size());
  }

  asio::io_context io_;
  std::shared_ptr<memory_budget> budget_ = std::make_shared<memory_budget>(16U << 20U);
  node_name own_name_ = *node_name::parse("peer@127.0.0.1");
  processes processes_{own_name_, 5, [this](const request& asked) { return answers(asked); }};
  std::shared_ptr<link> link_;
  int theirs_ = -1;
  std::shared_ptr<const byte_string> members_ = made_members();
  std::shared_ptr<const long_value> pairs_ = made_pairs();
  std::unique_ptr<message_reader> reader_;  // of what comes back; null: it has no headers
  byte_string came_;
  std::size_t asked_ = 0, answered_ = 0;
};

// | what the peer announced:1 | { length:2 | frame } ... |; a length of 0xffff: the rest as it is, lengths
// too. What it announced: all but distribution headers, what libei does, or, for '2', all, and for '4' all
// but the atom cache.
inline void linked(byte_view input) {
  if (input.empty()) return;
  constexpr std::uint64_t of_libei = 0x407074f9c;
  const auto without_headers = input[0] % 2 == 0 ? flags::plain : of_libei;
  linked_peer peer(input[0] == '2'   ? flags::ours
                   : input[0] == '4' ? flags::ours & ~flags::dist_hdr_atom_cache
                                     : without_headers);
  input.remove_prefix(1);
  while (input.size() >= 2) {
    const auto length = static_cast<std::size_t>(static_cast<std::uint8_t>(input[0]) << 8U |
                                                 static_cast<std::uint8_t>(input[1]));
    input.remove_prefix(2);
    if (length == 0xffff) {
      peer.send(input);
      break;
    }
    const auto frame = input.substr(0, length);
    byte_string whole;
    put_number(whole, frame.size(), 4);
    whole += frame;
    peer.send(whole);
    input.remove_prefix(frame.size());
  }
  peer.judge();
}

}  // namespace rollcall::cnode::fuzz
