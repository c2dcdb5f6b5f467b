#include "app/diagnosis.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/settings.hpp"
#include "cnode/mistakes.hpp"
#include "cnode/port_mapper.hpp"

namespace rollcall::app {
namespace {

struct recorder {
  diagnosis& into;
  bool pass(step_name name, std::string text) {
    into.steps.push_back({name, true, std::move(text)});
    return true;
  }
  bool fail(step_name name, std::string text) {
    into.steps.push_back({name, false, std::move(text)});
    return false;
  }
};

std::string joined(const std::vector<asio::ip::address>& addresses) {
  std::vector<std::string> texts;
  texts.reserve(addresses.size());
  for (const auto& a : addresses) texts.push_back(a.to_string());
  return fmt::format("{}", fmt::join(texts, ", "));
}

// The handshake fails in one of three ways that ask for three different cures.
void record_handshake_failure(recorder& record, const cnode::failure& failure) {
  const auto is = [&](cnode::error e) { return failure.code == cnode::make_error_code(e); };
  if (failure.step != cnode::dial_step::handshake) {
    record.fail(step_name::tcp, failure.detail);
    return;
  }
  record.pass(step_name::tcp, "connected");
  if (is(cnode::error::cookie_refused)) {
    record.pass(step_name::handshake, "version 6");
    record.fail(step_name::cookie, failure.detail);
  } else if (is(cnode::error::name_mismatch)) {
    record.pass(step_name::handshake, "version 6");
    record.fail(step_name::name, failure.detail);
  } else {
    record.fail(step_name::handshake, failure.detail);
  }
}

}  // namespace

std::string_view to_string(step_name name) noexcept {
  switch (name) {
    case step_name::dns:
      return "dns";
    case step_name::port_mapper:
      return "port mapper";
    case step_name::tcp:
      return "tcp";
    case step_name::handshake:
      return "handshake";
    case step_name::cookie:
      return "cookie";
    case step_name::name:
      return "name";
    case step_name::call:
      return "call";
    case step_name::view:
      return "view";
  }
  return "";
}

asio::awaitable<diagnosis> diagnose(cnode::node& node, discovery::resolver& resolver, discovery::entry entry,
                                    std::uint16_t port_mapper_port, std::optional<std::uint16_t> peer_port,
                                    diagnosis_limits limits) {
  diagnosis found{.node = entry.name, .steps = {}, .visible = {}, .hidden = false, .answered_as = {}};
  recorder record{found};
  const auto host = entry.host.empty() ? std::string(entry.name.host()) : entry.host;

  std::vector<asio::ip::address> addresses;
  if (entry.address) {
    addresses.push_back(*entry.address);
    record.pass(step_name::dns, "known by address: " + joined(addresses));
  } else {
    auto answer = co_await resolver.addresses(host);
    if (answer.records.empty()) {
      record.fail(step_name::dns, answer.detail);
      co_return found;
    }
    addresses = std::move(answer.records);
    record.pass(step_name::dns, fmt::format("{} is {}", host, joined(addresses)));
  }

  auto port = entry.port ? entry.port : peer_port;
  if (port) {
    record.pass(step_name::port_mapper, fmt::format("not needed: port {} is known", *port));
  } else {
    boost::system::error_code last;
    asio::ip::address asked;
    for (const auto& address : addresses) {
      asked = address;
      auto answer = co_await cnode::ask_port({address, port_mapper_port}, std::string(entry.name.alive()),
                                             limits.connect);
      if (answer) {
        port = *answer;
        break;
      }
      last = answer.error();
    }
    if (!port) {
      const bool unknown = last == cnode::make_error_code(cnode::error::not_registered);
      std::string instead;
      if (unknown) {
        const auto names = co_await cnode::ask_names({asked, port_mapper_port}, limits.connect);
        if (names) instead = "; " + cnode::registered_instead(entry.name.alive(), *names);
      }
      record.fail(step_name::port_mapper,
                  unknown ? fmt::format("epmd on {} has no node named \"{}\": is it started, with that name, "
                                        "and -start_epmd true?{}",
                                        asked.to_string(), entry.name.alive(), instead)
                          : fmt::format("epmd on {}:{}: {}; nodes without epmd need --peer-port",
                                        asked.to_string(), port_mapper_port, last.message()));
      co_return found;
    }
    record.pass(step_name::port_mapper, fmt::format("port {}", *port));
  }

  cnode::target target{.name = entry.pattern.empty() ? std::optional(entry.name) : std::nullopt,
                       .alive = std::string(entry.name.alive()),
                       .host = host,
                       .address = entry.address,
                       .port = port};
  auto linked = co_await node.dial(std::move(target), limits.connect);
  if (!linked) {
    record_handshake_failure(record, linked.error());
    found.answered_as = linked.error().peer;
    co_return found;
  }
  const auto& peer = *linked;
  found.node = peer.name;
  record.pass(step_name::tcp, fmt::format("{}:{}", peer.remote.address().to_string(), peer.remote.port()));
  record.pass(step_name::handshake, fmt::format("version 6, creation {}", peer.creation));
  record.pass(step_name::cookie, "accepted");
  if (!peer.visible) {
    record.pass(step_name::name,
                peer.name.text() + ", a hidden node (a remote shell, another rollcall): no member");
    found.hidden = true;
    co_return found;
  }
  record.pass(step_name::name, peer.name.text());

  const auto begun = std::chrono::steady_clock::now();
  const auto view =
      co_await node.call(peer.name, "erlang", "nodes", cnode::term_writer().nil().bytes(), limits.call);
  const auto took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun);
  if (!view) {
    record.fail(step_name::call, view.error().detail);
    co_return found;
  }
  record.pass(step_name::call, fmt::format("erlang:nodes/0 answered in {:.1f} ms", took.count()));
  auto names = names_in(*view);
  if (!names) {
    record.fail(step_name::view, "erlang:nodes/0 did not answer a list of nodes");
    co_return found;
  }
  found.visible = std::move(*names);
  record.pass(step_name::view, fmt::format("sees {} other visible node{}", found.visible.size(),
                                           found.visible.size() == 1 ? "" : "s"));
  co_return found;
}

}  // namespace rollcall::app
