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

// The handshake fails in one of several ways that ask for different cures.
void record_handshake_failure(recorder& record, const cnode::failure& failure) {
  const auto is = [&](cnode::error e) { return failure.code == cnode::make_error_code(e); };
  if (failure.step < cnode::dial_step::tls) {
    record.fail(step_name::tcp, failure.detail);
    return;
  }
  record.pass(step_name::tcp, "connected");
  if (failure.step == cnode::dial_step::tls || is(cnode::error::tls)) {
    record.fail(step_name::tls, failure.detail);
    return;
  }
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

// One node; each step says whether the next one makes sense.
class examinee {
 public:
  examinee(cnode::node& node, discovery::resolver& resolver, discovery::entry entry, diagnosis_limits limits)
      : node_(node), resolver_(resolver), entry_(std::move(entry)), limits_(limits) {}

  asio::awaitable<bool> find_addresses();
  asio::awaitable<bool> find_port(std::uint16_t port_mapper_port, std::optional<std::uint16_t> known);
  asio::awaitable<bool> link();
  asio::awaitable<void> ask_view();

  diagnosis take() { return std::move(found_); }

 private:
  asio::awaitable<void> record_unknown_port(const asio::ip::tcp::endpoint& asked,
                                            boost::system::error_code why);
  std::string host() const { return entry_.host.empty() ? std::string(entry_.name.host()) : entry_.host; }

  cnode::node& node_;
  discovery::resolver& resolver_;
  discovery::entry entry_;
  diagnosis_limits limits_;
  diagnosis found_{.node = entry_.name, .steps = {}, .visible = {}, .hidden = false, .answered_as = {}};
  recorder record_{found_};
  std::vector<asio::ip::address> addresses_;
  std::optional<std::uint16_t> port_;
};

asio::awaitable<bool> examinee::find_addresses() {
  if (entry_.address) {
    addresses_.push_back(*entry_.address);
    co_return record_.pass(step_name::dns, "known by address: " + joined(addresses_));
  }
  auto answer = co_await resolver_.addresses(host());
  if (answer.records.empty()) co_return record_.fail(step_name::dns, answer.detail);
  addresses_ = std::move(answer.records);
  co_return record_.pass(step_name::dns, fmt::format("{} is {}", host(), joined(addresses_)));
}

asio::awaitable<bool> examinee::find_port(std::uint16_t port_mapper_port,
                                          std::optional<std::uint16_t> known) {
  port_ = entry_.port ? entry_.port : known;
  if (port_)
    co_return record_.pass(step_name::port_mapper, fmt::format("not needed: port {} is known", *port_));
  boost::system::error_code last;
  asio::ip::address asked;
  for (const auto& address : addresses_) {
    asked = address;
    auto answer = co_await cnode::ask_port({address, port_mapper_port}, std::string(entry_.name.alive()),
                                           limits_.connect);
    if (answer) {
      port_ = *answer;
      co_return record_.pass(step_name::port_mapper, fmt::format("port {}", *port_));
    }
    last = answer.error();
  }
  co_await record_unknown_port({asked, port_mapper_port}, last);
  co_return false;
}

asio::awaitable<void> examinee::record_unknown_port(const asio::ip::tcp::endpoint& asked,
                                                    boost::system::error_code why) {
  if (why != cnode::make_error_code(cnode::error::not_registered)) {
    record_.fail(step_name::port_mapper,
                 fmt::format("epmd on {}:{}: {}; nodes without epmd need --peer-port",
                             asked.address().to_string(), asked.port(), why.message()));
    co_return;
  }
  std::string instead;
  const auto names = co_await cnode::ask_names(asked, limits_.connect);
  if (names) instead = "; " + cnode::registered_instead(entry_.name.alive(), *names);
  record_.fail(step_name::port_mapper,
               fmt::format("epmd on {} has no node named \"{}\": is it started, with that name, "
                           "and -start_epmd true?{}",
                           asked.address().to_string(), entry_.name.alive(), instead));
}

asio::awaitable<bool> examinee::link() {
  cnode::target target{.name = entry_.pattern.empty() ? std::optional(entry_.name) : std::nullopt,
                       .alive = std::string(entry_.name.alive()),
                       .host = host(),
                       .address = entry_.address,
                       .port = port_};
  auto linked = co_await node_.dial(std::move(target), limits_.connect);
  if (!linked) {
    record_handshake_failure(record_, linked.error());
    found_.answered_as = linked.error().peer;
    found_.ended_by_peer = found_.steps.back().name == step_name::handshake &&
                           linked.error().code != cnode::make_error_code(cnode::error::timed_out);
    co_return false;
  }
  const auto& peer = *linked;
  found_.node = peer.name;
  record_.pass(step_name::tcp, fmt::format("{}:{}", peer.remote.address().to_string(), peer.remote.port()));
  if (!peer.tls.empty()) record_.pass(step_name::tls, peer.tls);
  record_.pass(step_name::handshake, fmt::format("version 6, creation {}", peer.creation));
  record_.pass(step_name::cookie, "accepted");
  found_.hidden = !peer.visible;
  if (!found_.hidden) co_return record_.pass(step_name::name, peer.name.text());
  record_.pass(step_name::name, peer.name.text() + ", a hidden node (a remote shell, another rollcall)");
  co_return false;
}

asio::awaitable<void> examinee::ask_view() {
  const auto begun = std::chrono::steady_clock::now();
  const auto view =
      co_await node_.call(found_.node, "erlang", "nodes", cnode::term_writer().nil().bytes(), limits_.call);
  const auto took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun);
  if (!view) {
    record_.fail(step_name::call, view.error().detail);
    co_return;
  }
  record_.pass(step_name::call, fmt::format("erlang:nodes/0 answered in {:.1f} ms", took.count()));
  auto names = names_in(*view);
  if (!names) {
    record_.fail(step_name::view, "erlang:nodes/0 did not answer a list of nodes");
    co_return;
  }
  found_.visible = std::move(*names);
  record_.pass(step_name::view, fmt::format("sees {} other visible node{}", found_.visible.size(),
                                            found_.visible.size() == 1 ? "" : "s"));
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
    case step_name::tls:
      return "tls";
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
  examinee one(node, resolver, std::move(entry), limits);
  if (co_await one.find_addresses() && co_await one.find_port(port_mapper_port, peer_port) &&
      co_await one.link()) {
    co_await one.ask_view();
  }
  co_return one.take();
}

}  // namespace rollcall::app
