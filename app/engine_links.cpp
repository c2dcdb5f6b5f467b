// What links say becomes facts.
#include "app/engine_implementation.hpp"

namespace rollcall::app {

using namespace std::chrono_literals;

namespace {

constexpr milliseconds memory_line_pause = 60'000ms;

}  // namespace

void engine::implementation::link_up(const cnode::peer& peer) {
  exporter_.links(node_->links());
  log_.debug("link up",
             {{"node", peer.name.text()},
              {"direction", peer.direction == cnode::direction::incoming ? "incoming" : "outgoing"},
              {"creation", std::to_string(peer.creation)},
              {"visible", peer.visible ? "true" : "false"}});
  if (standing_by_) {
    // Of a dial that was under way; the one that looks for our turn deals with its own.
    if (probed_ != peer.name) node_->hang_up(peer.name);
    return;
  }
  succession_.linked(peer.name, peer.local_port);
  lookouts_.linked(peer.name, peer.remote.address());
  constexpr auto insisted_on = cnode::flags::v4_nc | cnode::flags::unlink_id;  // by OTP 26 and later
  tell(fact::link_up{peer.name, peer.creation, peer.visible, (peer.flags & insisted_on) != insisted_on});
  if (roster_.linked(peer.name)) review();
}

void engine::implementation::link_down(const cnode::peer& peer, boost::system::error_code code,
                                       const std::string& detail) {
  exporter_.links(node_->links());
  log_.debug("link down", {{"node", peer.name.text()}, {"why", code.message()}, {"detail", detail}});
  const bool took_too_much = code == cnode::make_error_code(cnode::error::memory_exhausted);
  if (took_too_much) warn_of_memory(peer.name, detail);
  tell(fact::link_down{peer.name, reason_of(code), detail.empty() ? code.message() : detail, took_too_much});
}

// One line a minute, however often and from however many it comes.
void engine::implementation::warn_of_memory(const node_name& node, const std::string& detail) {
  ++memory_closed_;
  const auto now = std::chrono::steady_clock::now();
  if (memory_told_ && now - *memory_told_ < memory_line_pause) return;
  memory_told_ = now;
  log_.warning("a link is closed: " + detail + "; see what runs on that node",
               {{"node", node.text()}, {"closed_since_start", std::to_string(memory_closed_)}});
}

void engine::implementation::handshake_ended(cnode::direction direction, const std::optional<node_name>& peer,
                                             const asio::ip::tcp::endpoint& remote,
                                             boost::system::error_code code, const std::string& detail) {
  exporter_.handshake(
      direction == cnode::direction::incoming ? metrics::direction::incoming : metrics::direction::outgoing,
      code && reason_of(code) == membership::reason::closed ? membership::reason::handshake
                                                            : reason_of(code));
  if (direction == cnode::direction::outgoing) return;  // its dial tells
  reporter_.dialled_us(peer, remote.address(), code, detail);
}

void engine::implementation::port_mapper_changed(boost::system::error_code code, const std::string& detail) {
  port_mapper_problem_ = code ? detail : std::string();
  name_taken_ = code == cnode::make_error_code(cnode::error::name_taken);
  if (code) {
    log_.warning("port mapper: " + detail);
  } else {
    log_.info("port mapper: " + detail);
  }
}

void engine::implementation::unexpected(const node_name& from, const std::string& what) {
  log_.debug("nobody waits for this message", {{"from", from.text()}, {"what", what}});
}

}  // namespace rollcall::app
