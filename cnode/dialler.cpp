#include "cnode/dialler.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <utility>

#include "cnode/mistakes.hpp"
#include "cnode/port_mapper.hpp"
#include "cnode/timed_socket.hpp"

namespace rollcall::cnode {
namespace {

constexpr std::chrono::milliseconds stagger{250};
constexpr std::chrono::milliseconds accept_limit{1'000};
constexpr std::chrono::milliseconds names_limit{500};
constexpr std::chrono::milliseconds tls_silence{1'000};
constexpr std::chrono::hours no_limit{1};  // the dial's own deadline ends it long before
constexpr std::size_t max_addresses = 16;

failure failed(const target& where, dial_step step, const tcp::endpoint& at, boost::system::error_code code) {
  return {code, step, explain(where, step, at, code), {}};
}

asio::awaitable<outcome<reached>> reach_address(asio::ip::address address, target where,
                                                std::uint16_t port_mapper_port,
                                                std::shared_ptr<dial_progress> progress) {
  tcp::endpoint at(address, port_mapper_port);
  if (where.port) {
    at.port(*where.port);
  } else {
    *progress = {dial_step::port_mapper, at};
    const auto port = co_await ask_port(at, where.alive, no_limit);
    if (!port) {
      auto failure = failed(where, dial_step::port_mapper, at, port.error());
      if (port.error() == error::not_registered) {
        const auto names = co_await ask_names(at, names_limit);
        if (names) {
          failure.detail = fmt::format("{}: the port mapper at {} does not know \"{}\"; {}", name_of(where),
                                       to_string(at), where.alive, registered_instead(where.alive, *names));
        }
      }
      co_return failure;
    }
    at.port(*port);
  }
  *progress = {dial_step::connect, at};
  tcp::socket socket(co_await asio::this_coro::executor);
  const auto [code] = co_await socket.async_connect(at, as_result);
  if (code) co_return failed(where, dial_step::connect, at, network_error(code));
  co_return reached{std::move(socket), at};
}

// Whether anything takes connections there. A node does not log one that ends silently.
asio::awaitable<bool> takes_connections(tcp::endpoint at) {
  const auto connection = timed_socket::make(co_await asio::this_coro::executor, accept_limit);
  const auto [code] = co_await connection->socket.async_connect(at, as_result);
  co_return !code;
}

// A node without TLS takes what a client begins with for a length, and waits for the rest.
asio::awaitable<bool> is_silent(stream& on) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer(co_await asio::this_coro::executor, tls_silence);
  const auto first =
      co_await (on.socket().async_wait(tcp::socket::wait_read, as_result) || timer.async_wait(as_result));
  co_return first.index() == 1;
}

// An empty message of the handshake, which ends the connection there; TLS answers it with an alert. Neither
// is logged. Who closes before it is sent does so for another reason: TLS without a certificate, mostly.
asio::awaitable<bool> speaks_no_tls(tcp::endpoint at) {
  using namespace asio::experimental::awaitable_operators;
  const auto executor = co_await asio::this_coro::executor;
  const auto connection = timed_socket::make(executor, accept_limit);
  const auto [unreached] = co_await connection->socket.async_connect(at, as_result);
  if (unreached) co_return false;
  asio::steady_timer waits(executor, accept_limit / 4);
  const auto first = co_await (connection->socket.async_wait(tcp::socket::wait_read, as_result) ||
                               waits.async_wait(as_result));
  if (first.index() == 0) co_return false;
  std::array<char, 5> bytes{};  // a TLS record's head is as long
  const auto [unsent, sent] = co_await asio::async_write(connection->socket, asio::buffer(bytes), as_result);
  if (unsent) co_return false;
  const auto [ended, size] = co_await connection->socket.async_read_some(asio::buffer(bytes), as_result);
  co_return ended == asio::error::eof || ended == asio::error::connection_reset;
}

std::string why_not_secure(const target& where, const tcp::endpoint& at, const tls::session& with) {
  return fmt::format("{} at {}: {}", name_of(where), to_string(at), with.why());
}

// What another protocol would begin with, left to be read.
asio::awaitable<std::string_view> another_protocol(stream& on) {
  auto& socket = on.socket();
  co_await socket.async_wait(tcp::socket::wait_read, as_result);
  std::array<unsigned char, 8> first{};
  boost::system::error_code code;
  const auto size = socket.receive(asio::buffer(first), tcp::socket::message_peek, code);
  co_return code ? std::string_view() : spoken_there(std::span(first).first(size));
}

// Several addresses at once.
struct race {
  explicit race(const asio::any_io_executor& executor) : changed(executor) {}
  asio::steady_timer changed;
  std::deque<asio::cancellation_signal> running;
  std::size_t unfinished = 0;
  std::optional<reached> winner;
  std::optional<failure> furthest;  // of those that failed, the one that got through the most steps
  std::exception_ptr broken;  // no failure of the network: the dial ends by it where no address is reached

  void cancel_all() {
    for (auto& one : running) one.emit(asio::cancellation_type::terminal);
  }
  void finished(outcome<reached> one) {
    if (one.has_value()) {
      if (!winner) winner = std::move(one).value();
    } else if (!furthest || one.error().step > furthest->step) {
      furthest = std::move(one).error();
    }
  }
};

asio::awaitable<void> run_one(std::shared_ptr<race> all, asio::ip::address address, target where,
                              std::uint16_t port_mapper_port, std::shared_ptr<dial_progress> progress) {
  all->finished(co_await reach_address(address, std::move(where), port_mapper_port, std::move(progress)));
}

asio::awaitable<outcome<reached>> reach_any(std::vector<asio::ip::address> addresses, target where,
                                            std::uint16_t port_mapper_port,
                                            std::shared_ptr<dial_progress> progress) {
  const auto executor = co_await asio::this_coro::executor;
  const auto all = std::make_shared<race>(executor);
  std::size_t started = 0;
  bool due = true;
  while (!all->winner) {
    if (started < addresses.size() && (due || all->unfinished == 0)) {
      auto& signal = all->running.emplace_back();
      ++all->unfinished;
      auto ended = [all](const std::exception_ptr& thrown) {
        if (thrown) all->broken = thrown;
        --all->unfinished;
        all->changed.cancel();
      };
      asio::co_spawn(executor, run_one(all, addresses[started++], where, port_mapper_port, progress),
                     asio::bind_cancellation_slot(signal.slot(), std::move(ended)));
    }
    if (all->unfinished == 0 && started == addresses.size()) break;
    if (started < addresses.size()) {
      all->changed.expires_after(stagger);
    } else {
      all->changed.expires_after(no_limit);
    }
    const auto [code] = co_await all->changed.async_wait(as_result);
    due = !code;
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
      all->cancel_all();
      co_return failed(where, progress->step, progress->at, asio::error::operation_aborted);
    }
  }
  all->cancel_all();
  if (all->winner) co_return *std::move(all->winner);
  if (all->broken) std::rethrow_exception(all->broken);
  if (all->furthest) co_return *std::move(all->furthest);
  co_return failed(where, dial_step::connect, progress->at, make_error_code(error::unreachable));
}

std::string explain_port_mapper(const target& where, const std::string& place,
                                boost::system::error_code code) {
  if (code == error::refused) {
    return fmt::format("the port mapper at {} refuses connections; is a node or epmd running there?", place);
  }
  if (code == error::not_registered) {
    return fmt::format("the port mapper at {} does not know \"{}\"; is the node running under that name?",
                       place, where.alive);
  }
  if (code == error::timed_out) {
    return fmt::format("no answer from the port mapper at {}; is the address right, is its port open?",
                       place);
  }
  return fmt::format("asking the port mapper at {} failed: {}", place, code.message());
}

std::string explain_connect(const tcp::endpoint& at, boost::system::error_code code) {
  const auto place = to_string(at);
  if (code == error::refused) {
    return fmt::format(
        "nothing listens at {}; the node has just stopped, or its port is wrong{}", place,
        at.address().is_v6() ? ", or it listens on IPv4 only: start it with -proto_dist inet6_tcp" : "");
  }
  if (code == error::timed_out) {
    return fmt::format("no answer from {}; is the address right, is the distribution port open?", place);
  }
  return fmt::format("connecting to {} failed: {}", place, code.message());
}

std::string_view explain_tls(boost::system::error_code code) {
  if (code == error::timed_out) {
    return "connected but did not finish TLS in time; does it speak TLS (-proto_dist inet_tls), is it "
           "frozen?";
  }
  return "closed the connection in the middle of TLS; does it speak TLS (-proto_dist inet_tls), has it a "
         "certificate? Its log says why";
}

// What follows the node's name and address.
std::string explain_handshake(boost::system::error_code code) {
  static constexpr std::pair<error, std::string_view> known[]{
      {error::cookie_refused,
       " refused our cookie; the cookies differ (one that a program read from a file may end in a newline or "
       "a space)"},
      {error::not_allowed,
       " does not allow our name (net_kernel:allow/1, or it is a node of that name itself)"},
      {error::timed_out, " connected but did not finish the handshake in time; is it a node, is it frozen?"},
      {error::closed, " closed the connection during the handshake; its log says why"},
      {error::lost_simultaneous, " is dialling us at the same time, and its attempt goes first"},
      {error::alive_refused, " holds a link under our own name already, and keeps it"},
      {error::reflected,
       " sent our own challenge back as its own: it does not know the cookie, or something between passes "
       "handshakes on"},
      {error::incompatible, " lacks what every node since OTP 23 can; it is too old"},
      {error::truncated,
       " closed the connection in the middle of a message of the handshake; see its log, and whether a proxy "
       "or a firewall between ends connections"},
  };
  for (const auto& [which, text] : known) {
    if (code == which) return std::string(text);
  }
  return fmt::format(
      ": the handshake failed: {}; does a node listen there, and nothing between answers for it?",
      code.message());
}

}  // namespace

std::string name_of(const target& where) {
  if (where.name) return where.name->text();
  return fmt::format("{}@{}", where.alive.empty() ? "?" : where.alive, where.host);
}

std::string explain(const target& where, dial_step step, const tcp::endpoint& at,
                    boost::system::error_code code) {
  switch (step) {
    case dial_step::resolve:
      return fmt::format("{}: its host {} {}", name_of(where), where.host,
                         code == error::timed_out ? "was not resolved in time; check the name server"
                                                  : "has no address; check DNS and the node's name");
    case dial_step::port_mapper:
      return fmt::format("{}: {}", name_of(where), explain_port_mapper(where, to_string(at), code));
    case dial_step::connect:
      return fmt::format("{}: {}", name_of(where), explain_connect(at, code));
    case dial_step::tls:
      return fmt::format("{} at {} {}", name_of(where), to_string(at), explain_tls(code));
    case dial_step::handshake:
      break;
  }
  return fmt::format("{} at {}{}", name_of(where), to_string(at), explain_handshake(code));
}

asio::awaitable<outcome<reached>> reach(target where, const resolve_function& resolve,
                                        std::uint16_t port_mapper_port,
                                        std::shared_ptr<dial_progress> progress) {
  std::vector<asio::ip::address> addresses;
  if (where.address) {
    addresses.push_back(*where.address);
  } else {
    boost::system::error_code not_an_address;
    const auto literal = asio::ip::make_address(where.host, not_an_address);
    if (!not_an_address) {
      addresses.push_back(literal);
    } else {
      *progress = {dial_step::resolve, {}};
      auto found = co_await resolve(where.host);
      if (found.addresses.empty()) {
        const auto code = make_error_code(found.no_such_name ? error::no_such_name : error::not_resolved);
        auto text = found.why.empty() ? explain(where, dial_step::resolve, {}, code)
                                      : fmt::format("{}: {}", name_of(where), found.why);
        co_return failure{code, dial_step::resolve, std::move(text), {}};
      }
      addresses = std::move(found.addresses);
    }
  }
  if (addresses.size() == 1) {
    co_return co_await reach_address(addresses.front(), std::move(where), port_mapper_port,
                                     std::move(progress));
  }
  addresses.resize(std::min(addresses.size(), max_addresses));
  co_return co_await reach_any(std::move(addresses), std::move(where), port_mapper_port, std::move(progress));
}

asio::awaitable<std::optional<failure>> secure(stream& on, tcp::endpoint remote, const target& where,
                                               const tls::context& with) {
  const auto host = where.name ? std::string(where.name->host()) : where.host;
  // A node whose name is not known yet has to show a certificate for the one that it will tell.
  on.secure(with, tls::role::dialling, host, where.name.has_value());
  boost::system::error_code code;
  on.shake(code);
  if (not_yet(code)) {
    bool doubtful = co_await is_silent(on);
    if (!doubtful) {
      code = co_await shake_tls(on);
      doubtful = code == error::closed && !on.secured()->heard();
    }
    if (doubtful && co_await speaks_no_tls(remote)) {
      failure plain{make_error_code(error::tls), dial_step::tls, {}, {}};
      plain.detail = fmt::format(
          "{} at {} does not speak TLS, and we do: start it with -proto_dist inet_tls, or this program with "
          "--tls off",
          name_of(where), to_string(remote));
      co_return plain;
    }
    if (not_yet(code)) code = co_await shake_tls(on);
  } else {
    code = network_error(code);
  }
  if (!code) co_return std::nullopt;
  auto ended = failed(where, dial_step::tls, remote, code);
  if (code == error::tls) ended.detail = why_not_secure(where, remote, *on.secured());
  co_return ended;
}

asio::awaitable<outcome<identity>> shake(stream& on, tcp::endpoint remote, const target& where, identity self,
                                         std::string cookie, challenge ours) {
  boost::system::error_code ignored;
  on.socket().set_option(tcp::no_delay(true), ignored);
  initiating_handshake handshake(std::move(self), where.name, std::move(cookie), std::move(ours),
                                 where.take_over);

  const auto failed_with = [&](boost::system::error_code code) {
    auto failure = failed(where, dial_step::handshake, remote, code);
    if (handshake.peer()) failure.peer = handshake.peer()->name;
    if (code == error::tls && on.secured() != nullptr) {
      failure.detail = why_not_secure(where, remote, *on.secured());
    }
    if (code == error::name_mismatch && handshake.peer()) {
      failure.detail =
          fmt::format("{} was dialled at {}, but the node there calls itself {}; {}", name_of(where),
                      to_string(remote), handshake.peer()->name.text(),
                      where.name ? otherwise_named(*where.name, handshake.peer()->name) : std::string());
    }
    return failure;
  };

  std::vector<byte_string> frames{handshake.opening()};
  bool first = true;
  while (true) {
    const auto written = co_await write_handshake_frames(on, frames);
    if (handshake.gave_way()) co_return failed_with(make_error_code(error::alive_refused));
    if (!written) co_return failed_with(written.error());
    if (std::exchange(first, false)) {
      std::string_view spoken;
      if (on.secured() == nullptr) spoken = co_await another_protocol(on);
      if (!spoken.empty()) {
        const auto what = spoken.starts_with("TLS") ? error::tls : error::unexpected_message;
        auto failure = failed_with(make_error_code(what));
        failure.detail = fmt::format("{}: {} speaks {}", name_of(where), to_string(remote), spoken);
        co_return failure;
      }
    }
    const auto frame = co_await read_handshake_frame(on);
    if (!frame) {
      // Closing is how a node refuses our digest; but one that dies just then closes as well.
      const bool closed = handshake.awaiting_ack() && frame.error() == error::closed;
      bool refused = false;
      if (closed) refused = co_await takes_connections(remote);
      co_return failed_with(refused ? make_error_code(error::cookie_refused) : frame.error());
    }
    auto step = handshake.receive(*frame);
    if (!step) co_return failed_with(step.error());
    if (step->finished) {
      const auto host = std::string(handshake.peer()->name.host());
      if (on.secured() != nullptr && !where.name && !on.secured()->shows(host)) {
        co_return failed_with(make_error_code(error::tls));
      }
      co_return *handshake.peer();
    }
    frames = std::move(step->send);
  }
}

}  // namespace rollcall::cnode
