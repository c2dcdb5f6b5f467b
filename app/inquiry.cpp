#include "app/inquiry.hpp"

#include "app/guest_name.hpp"
#include "app/silent_observer.hpp"

namespace rollcall::app {
namespace {

cnode::node_options guest_like(cnode::node_options options, const node_name& own) {
  options.name = own;
  options.port_mapper = cnode::port_mapper_mode::none;
  options.listen_port = 0;
  return options;
}

}  // namespace

std::optional<peer_address> address_in(const cnode::term& answer) {
  const auto parts = [](const cnode::term& t, std::size_t least) {
    const auto* found = t.as<cnode::tuple>();
    return found != nullptr && found->items.size() >= least ? &found->items : nullptr;
  };
  const auto* ok = parts(answer, 2);
  const auto* address = ok != nullptr && ok->front().is_atom("ok") ? parts((*ok)[1], 2) : nullptr;
  const auto* at =
      address != nullptr && address->front().is_atom("net_address") ? parts((*address)[1], 2) : nullptr;
  const auto* port = at == nullptr ? nullptr : (*at)[1].as<std::int64_t>();
  if (port == nullptr || *port < 0 || *port > 65'535) return {};
  return peer_address{to_string(at->front(), 200), static_cast<std::uint16_t>(*port)};
}

struct inquiry::implementation {
  implementation(asio::io_context& io, const cnode::node_options& like, cnode::resolve_function resolve)
      : own(guest_name::take(like.name.host())) {
    if (!own) return;
    node.emplace(io, guest_like(like, own->name()), observer, std::move(resolve), [](const cnode::request&) {
      return cnode::answer{cnode::answer_kind::undefined, nullptr};
    });
  }

  silent_observer observer;
  std::optional<guest_name> own;
  std::optional<cnode::node> node;  // absent: all guest names are taken
};

inquiry::inquiry(asio::io_context& io, const cnode::node_options& like, cnode::resolve_function resolve)
    : implementation_(std::make_unique<implementation>(io, like, std::move(resolve))) {}
inquiry::~inquiry() = default;

asio::awaitable<std::optional<holder>> inquiry::ask(cnode::target where, node_name our_name,
                                                    milliseconds limit, std::string& why) {
  if (!implementation_->node) {
    why = "all names for questions are taken";
    co_return std::nullopt;
  }
  auto& node = *implementation_->node;
  const auto address_of = [&node](node_name on, const std::string& of, milliseconds wait) {
    cnode::term_writer arguments;
    arguments.list_header(2).atom(of).atom("address").nil();
    return node.call(std::move(on), "net_kernel", "node_info", arguments.bytes(), wait);
  };
  const auto linked = co_await node.dial(std::move(where), limit);
  if (!linked) {
    why = linked.error().detail;
    co_return std::nullopt;
  }
  const auto on = linked->name;
  const auto held = co_await address_of(on, our_name.text(), limit);
  if (!held) {
    why = held.error().detail;
    co_return std::nullopt;
  }
  const auto ours = co_await address_of(on, node.name().text(), limit);
  if (!ours) {
    why = ours.error().detail;
    co_return std::nullopt;
  }
  co_return holder{address_in(*held), address_in(*ours)};
}

}  // namespace rollcall::app
