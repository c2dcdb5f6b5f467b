#include "cnode/arrivals.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cnode/flags.hpp"

namespace rollcall::cnode {
namespace {

constexpr milliseconds accept_pause{100};

// `<12 letters>@host`, for a peer that wants to be given a name.
std::optional<node_name> made_up_name(std::string_view host) {
  static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::string alive;
  for (int i = 0; i < 12; ++i) alive.push_back(letters[random_word() % letters.size()]);
  auto made = node_name::make(alive, host);
  if (!made) return {};
  return *std::move(made);
}

// What came wrong, and what to do about it.
std::string mistake_of(boost::system::error_code code) {
  if (code == error::cookie_refused)
    return "came with another cookie than ours: give it ours, or keep it away";
  if (code == error::not_allowed) return "came with our own name: give one of the two another";
  if (code == error::reflected) {
    return "sent our own challenge back as its own, so it does not know the cookie: find out what it is";
  }
  if (code == error::stopping) return "came while this program takes no links";
  if (code == error::too_many_links) {
    return "came while as many links are there as may come in; close some remote shells";
  }
  if (code == error::truncated) {
    return "came and closed the connection in the middle of a message of the handshake; see its log, and "
           "whether a proxy or a firewall between ends connections";
  }
  if (code == error::incompatible) return "lacks a capability that OTP 23 and later have: upgrade it";
  if (code == error::unexpected_message || code == error::frame_too_large) {
    return fmt::format(
        "came and did not finish the handshake: {}; what dialled this port may be no Erlang "
        "node (a browser, a scanner): HTTP is served on another",
        code.message());
  }
  if (code == error::closed || code == error::timed_out) {
    return fmt::format(
        "came and did not finish the handshake: {}; for a health check, ask /healthz on the "
        "port for HTTP",
        code.message());
  }
  return fmt::format("came and did not finish the handshake: {}; see its log", code.message());
}

std::string explain_incoming(const std::optional<node_name>& name, const tcp::endpoint& remote,
                             boost::system::error_code code) {
  if (!code) return {};
  const auto who = name ? fmt::format("{} from {}", name->text(), to_string(remote)) : to_string(remote);
  return fmt::format("{} {}", who, mistake_of(code));
}

std::string explain_insecure(const std::optional<node_name>& name, const tcp::endpoint& remote,
                             const stream& on) {
  const auto who = name ? fmt::format("{} from {}", name->text(), to_string(remote)) : to_string(remote);
  if (on.secured() == nullptr)
    return fmt::format("{} came with TLS, and we do not speak it: give --tls on", who);
  return fmt::format("{} came, and TLS with it fails: {}", who, on.secured()->why());
}

}  // namespace

arrivals::arrivals(node_services& node, dials& dialled)
    : node_(node), dials_(dialled), acceptor_(node.io()) {}

boost::system::error_code arrivals::listen(std::uint16_t port) {
  if (const auto code = listen_on(acceptor_, port)) return code;
  boost::system::error_code ignored;
  port_ = acceptor_.local_endpoint(ignored).port();
  return {};
}

void arrivals::stop() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  close_all();
}

void arrivals::close_all() {
  for (const auto& one : incoming_) one->connection->close();
}

bool arrivals::coming_in(const node_name& name) const {
  return std::any_of(incoming_.begin(), incoming_.end(),
                     [&](const incoming_pointer& one) { return one->name == name; });
}

asio::awaitable<void> arrivals::accept(std::shared_ptr<arrivals> self) {
  auto& node = self->node_;
  while (!node.stopping()) {
    auto [code, socket] = co_await self->acceptor_.async_accept(as_result);
    if (node.stopping()) co_return;
    if (code) {
      asio::steady_timer pause(node.io(), accept_pause);
      co_await pause.async_wait(as_result);
      continue;
    }
    // None of them has shown the cookie: nobody keeps others out by standing still.
    if (self->incoming_.size() >= node.options().max_incoming_handshakes) {
      self->incoming_.front()->connection->expire();
      self->incoming_.pop_front();
    }
    const auto one = std::make_shared<incoming>();
    one->connection = timed_stream::make(std::move(socket), node.options().handshake_limit);
    self->incoming_.push_back(one);
    node.spawn("a connection that came in", answer(self, one));
  }
}

asio::awaitable<void> arrivals::answer(std::shared_ptr<arrivals> self, incoming_pointer one) {
  auto& node = self->node_;
  auto& stream = one->connection->socket;
  boost::system::error_code ignored;
  const auto remote = stream.socket().remote_endpoint(ignored);
  stream.socket().set_option(tcp::no_delay(true), ignored);
  // A peer that asks for a name goes on only if both sides have NAME_ME (dist_util.erl, adjust_flags).
  auto identity = node.own_identity();
  identity.flags |= flags::name_me;
  accepting_handshake handshake(std::move(identity), node.options().cookies,
                                node.options().challenges->issue());

  // Held: it may be replaced meanwhile.
  const auto with = node.options().tls;
  boost::system::error_code code;
  if (with) code = co_await secure(self, one, *with);
  if (!code) code = co_await shake_hands(self, one, handshake);
  const auto& other = handshake.peer();
  const auto name = other ? std::optional(other->name) : std::nullopt;
  auto detail =
      code == error::tls ? explain_insecure(name, remote, stream) : explain_incoming(name, remote, code);
  node.tell_handshake(direction::incoming, name, remote, code, std::move(detail));
  if (!code) {
    one->connection->forever();
    node.install(std::move(stream), *other, direction::incoming, remote);
  }
  one->connection->close();
  std::erase(self->incoming_, one);
  if (name) self->dials_.came_in(*name);
}

asio::awaitable<boost::system::error_code> arrivals::secure(std::shared_ptr<arrivals> self,
                                                            incoming_pointer one, const tls::context& with) {
  auto& connection = *one->connection;
  connection.socket.secure(with, tls::role::accepting, {}, false);
  const auto code = co_await shake_tls(connection.socket);
  if (code && self->node_.stopping()) co_return make_error_code(error::stopping);
  if (!code) co_return code;
  co_return connection.failure(code);
}

asio::awaitable<boost::system::error_code> arrivals::shake_hands(std::shared_ptr<arrivals> self,
                                                                 incoming_pointer one,
                                                                 accepting_handshake& handshake) {
  using verdict = accepting_handshake::verdict;
  auto& node = self->node_;
  auto& connection = *one->connection;
  const auto ended_by = [&](boost::system::error_code code) {
    if (node.stopping()) return make_error_code(error::stopping);
    return connection.failure(code);
  };
  bool named = false;
  while (true) {
    const auto frame = co_await read_handshake_frame(connection.socket);
    if (!frame) co_return ended_by(frame.error());
    auto step = handshake.receive(*frame);
    if (!step) co_return step.error();
    auto decided = verdict::ok;
    boost::system::error_code refused;
    if (!std::exchange(named, true)) {
      std::optional<node_name> given;
      if (handshake.wants_name()) {
        given = made_up_name(handshake.proposed_host());
        if (!given) co_return make_error_code(error::unexpected_message);
      }
      refused = self->refusal(handshake);
      if (refused) {
        decided = verdict::not_allowed;
      } else if (!given) {
        decided = self->decide(one, handshake.peer()->name);
      }
      step = handshake.answer_name(decided, std::move(given));
    }
    const auto written = co_await write_handshake_frames(connection.socket, step->send);
    if (!written) co_return ended_by(written.error());
    if (decided == verdict::nok) co_return make_error_code(error::lost_simultaneous);
    if (refused) co_return refused;
    if (step->finished) co_return boost::system::error_code{};
  }
}

boost::system::error_code arrivals::refusal(const accepting_handshake& handshake) const {
  const auto& other = handshake.peer();
  if (node_.standing_by()) return make_error_code(error::stopping);
  if (other && other->name == node_.options().name) return make_error_code(error::not_allowed);
  const bool another = !other || !node_.linked(other->name);
  if (another && node_.links_that_came_in() >= node_.options().max_incoming_links) {
    return make_error_code(error::too_many_links);
  }
  return {};
}

accepting_handshake::verdict arrivals::decide(const incoming_pointer& one, const node_name& name) {
  using verdict = accepting_handshake::verdict;
  one->name = name;
  if (node_.linked(name)) return verdict::alive;
  const auto decided = dials_.meet(name);
  if (decided == verdict::nok) one->name.reset();
  return decided;
}

}  // namespace rollcall::cnode
