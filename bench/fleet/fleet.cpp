#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <random>
#include <sstream>

#include "bench/fleet/played_node.hpp"
#include "bench/fleet/session.hpp"
#include "cnode/connection.hpp"
#include "cnode/epmd.hpp"

namespace rollcall::bench {

using namespace std::chrono_literals;
using namespace rollcall::cnode;

namespace {

constexpr mesh::index per_block = 250;
constexpr auto join_pace = 1ms;  // between two nodes that global joins

tcp::acceptor listener(asio::io_context& io, std::uint16_t port) {
  return {io, tcp::endpoint(asio::ip::address_v4::any(), port)};
}

std::optional<mesh::index> index_at(const asio::ip::address& address, std::size_t size) {
  const auto bytes = address.to_v4().to_bytes();
  if (bytes[0] != 127 || bytes[1] != 20 || bytes[3] == 0) return {};
  const mesh::index at = bytes[2] * per_block + bytes[3] - 1;
  if (at >= size) return {};
  return at;
}

}  // namespace

std::string played_address(mesh::index at) {
  return fmt::format("127.20.{}.{}", at / per_block, at % per_block + 1);
}
std::string played_name(mesh::index at) {
  return "n@" + played_address(at);
}

fleet::fleet(asio::io_context& io, settings s)
    : io_(io),
      settings_(std::move(s)),
      mesh_(settings_.size, settings_.linked,
            [this](mesh::index on, mesh::index peer, bool up, std::string_view why) {
              changed(on, peer, up, why);
            }),
      links_(listener(io, settings_.port)),
      mapper_(listener(io, epmd::default_port)),
      sessions_(settings_.size) {
  for (mesh::index at = 0; at < settings_.size; ++at) {
    encoded_names_.push_back(term_writer().atom(played_name(at)).bytes());
    indices_.emplace(played_name(at), at);
  }
}

void fleet::listen() {
  asio::co_spawn(io_, accept(), asio::detached);
  asio::co_spawn(io_, map_ports(), asio::detached);
  asio::co_spawn(io_, tick(), asio::detached);
}

std::optional<mesh::index> fleet::index_of(std::string_view name) const {
  const auto found = indices_.find(name);
  if (found == indices_.end()) return {};
  return found->second;
}

asio::awaitable<void> fleet::accept() {
  while (true) {
    auto [code, socket] = co_await links_.async_accept(as_result);
    if (code) continue;
    boost::system::error_code ignored;
    const auto at = index_at(socket.local_endpoint(ignored).address(), settings_.size);
    if (!at || !mesh_.runs(*at)) continue;
    asio::co_spawn(io_, session::run(std::make_shared<session>(*this, std::move(socket), *at)),
                   asio::detached);
  }
}

// The port mapper of every address at once; real nodes may register, too.
asio::awaitable<void> fleet::map_ports() {
  const auto serve = [this](tcp::socket socket) -> asio::awaitable<void> {
    std::array<std::uint8_t, 2> prefix{};
    const auto [code, size] = co_await asio::async_read(socket, asio::buffer(prefix), as_result);
    if (code) co_return;
    std::string body(std::size_t{prefix[0]} << 8U | prefix[1], '\0');
    const auto [failed, read] = co_await asio::async_read(socket, asio::buffer(body), as_result);
    const auto request = epmd::decode_request(body);
    if (failed || !request) co_return;
    boost::system::error_code ignored;
    const auto at = index_at(socket.local_endpoint(ignored).address(), settings_.size);
    std::string reply;
    epmd::registration entry{.alive = "n", .port = settings_.port, .node_type = 77, .extra = {}};
    if (const auto* asked = std::get_if<epmd::port_please>(&*request)) {
      const auto real = registered_.find(asked->alive);
      const bool played = at && asked->alive == "n" && mesh_.runs(*at);
      if (real != registered_.end()) {
        entry.alive = real->first;
        entry.port = real->second.second;
      }
      reply = epmd::encode_port_reply(played || real != registered_.end() ? &entry : nullptr);
    } else if (std::get_if<epmd::names>(&*request) != nullptr) {
      std::vector<epmd::name_entry> names;
      if (at && mesh_.runs(*at)) names.push_back({"n", settings_.port});
      reply = epmd::encode_names_reply(epmd::default_port, names);
    } else {
      const auto& wanted = std::get<epmd::registration>(*request);
      registered_.insert_or_assign(wanted.alive, std::pair(std::string(), wanted.port));
      reply = epmd::encode_alive_reply(true, 7);
    }
    co_await asio::async_write(socket, asio::buffer(reply), as_result);
    if (const auto* real = std::get_if<epmd::registration>(&*request)) {
      co_await asio::async_read(socket, asio::buffer(prefix), as_result);
      registered_.erase(real->alive);
    }
  };
  while (true) {
    auto [code, socket] = co_await mapper_.async_accept(as_result);
    if (!code) asio::co_spawn(io_, serve(std::move(socket)), asio::detached);
  }
}

asio::awaitable<void> fleet::tick() {
  asio::steady_timer timer(io_);
  while (true) {
    timer.expires_after(settings_.net_ticktime / 4);
    co_await timer.async_wait(as_result);
    for (const auto& each : sessions_) {
      for (const auto& [name, one] : each) one->tick();
    }
  }
}

void fleet::attached(const std::shared_ptr<session>& one) {
  auto& held = sessions_[one->node()][one->watcher()];
  if (held) held->close();
  held = one;
}

void fleet::detached(const session& one) {
  const auto found = sessions_[one.node()].find(one.watcher());
  if (found != sessions_[one.node()].end() && found->second.get() == &one) sessions_[one.node()].erase(found);
}

std::shared_ptr<session> fleet::session_of(mesh::index on, std::string_view watcher) const {
  const auto found = sessions_[on].find(watcher);
  return found == sessions_[on].end() ? nullptr : found->second;
}

void fleet::changed(mesh::index on, mesh::index peer, bool up, std::string_view why) {
  for (const auto& [name, one] : sessions_[on]) one->tell(peer, up, why);
}

bool fleet::connect(mesh::index a, mesh::index b) {
  if (!mesh_.connect(a, b)) return false;
  if (!std::exchange(joining_, true)) asio::co_spawn(io_, join(), asio::detached);
  return true;
}

asio::awaitable<void> fleet::join() {
  asio::steady_timer pause(io_);
  while (mesh_.join_some()) {
    pause.expires_after(join_pace);
    co_await pause.async_wait(as_result);
  }
  joining_ = false;
}

asio::awaitable<void> fleet::notice_later(mesh::index node, std::chrono::milliseconds after) {
  const auto of = cuts_;
  asio::steady_timer timer(io_, after);
  co_await timer.async_wait(as_result);
  if (of == cuts_) mesh_.notice(node);
}

void fleet::hang_up(mesh::index node) {
  for (const auto& [name, one] : sessions_[node]) one->close();
}

std::string fleet::counts() {
  std::string line = fmt::format("{{\"whole\":{},\"watchers\":{{", mesh_.whole());
  bool first = true;
  for (const auto& [name, of] : traffic_) {
    std::string asked;
    for (const auto& [what, times] : of.asked) {
      asked += fmt::format("{}\"{}\":{}", asked.empty() ? "" : ",", what, times);
    }
    std::size_t links = 0;
    for (const auto& each : sessions_) links += each.contains(name);
    line += fmt::format(
        "{}\"{}\":{{\"links\":{},\"connections\":{},\"frames_in\":{},\"bytes_in\":{},\"frames_out\":{},"
        "\"bytes_out\":{},\"asked\":{{{}}}}}",
        first ? "" : ",", name, links, of.connections, of.frames_in, of.bytes_in, of.frames_out, of.bytes_out,
        asked);
    first = false;
  }
  return line + "}}";
}

std::string fleet::command(const std::string& line) {
  std::istringstream words(line);
  std::string what;
  std::size_t a = 0, b = 0;
  words >> what >> a >> b;
  const auto last = static_cast<mesh::index>(settings_.size);
  const auto most = static_cast<mesh::index>(std::min(a, settings_.size));
  if (what == "counts") return counts();
  if (what == "cut") {
    ++cuts_;
    mesh_.cut(most);
    std::mt19937 random(1);
    std::uniform_int_distribution<std::int64_t> at(settings_.net_ticktime.count() * 3 / 4,
                                                   settings_.net_ticktime.count() * 5 / 4);
    for (mesh::index node = 0; node < most; ++node) {
      asio::co_spawn(io_, notice_later(node, std::chrono::milliseconds(at(random))), asio::detached);
    }
  } else if (what == "pair") {
    ++cuts_;
    mesh_.cut_pair(most, static_cast<mesh::index>(std::min(b, settings_.size - 1)));
  } else if (what == "repair") {
    ++cuts_;
    mesh_.repair();
  } else if (what == "stop") {
    for (auto node = last - most; node < last; ++node) mesh_.stop(node);
    for (auto node = last - most; node < last; ++node) hang_up(node);
  } else if (what == "start") {
    for (auto node = last - most; node < last; ++node) mesh_.start(node);
  } else if (what == "delay") {
    settings_.delay = std::chrono::milliseconds(a);
  } else {
    return "unknown command " + what;
  }
  return "ok";
}

}  // namespace rollcall::bench
