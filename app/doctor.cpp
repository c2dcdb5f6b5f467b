// `rollcall doctor`: for each node, step by step, what keeps it out. --wait: again until nothing does, or
// until then.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iostream>
#include <set>
#include <sstream>
#include <thread>

#include "app/commands.hpp"
#include "app/diagnosis.hpp"
#include "app/engine.hpp"
#include "app/link_survey.hpp"
#include "app/network.hpp"
#include "app/passer_by.hpp"
#include "app/silent_observer.hpp"
#include "app/table.hpp"
#include "cnode/mistakes.hpp"
#include "cnode/port_mapper.hpp"

namespace rollcall::app {
namespace {

constexpr std::chrono::milliseconds again{1'000};  // with --wait, after one that found something

struct examination {
  examination(const configuration& c, const environment& env)
      : asked(c),
        mapper_port(port_mapper_port(env)),
        resolver(io, resolver_options(c)),
        roster(io, roster_options(c), resolver,
               [this] { return local_names(mapper_port, std::string(asked.name->alive())); }),
        node(
            io, node_options(c, cookie_jar(c, env).cookies(), mapper_port), observer,
            [this](std::string host) { return addresses_of(resolver, std::move(host)); },
            [](const cnode::request&) {
              return cnode::answer{cnode::answer_kind::undefined, nullptr};
            },
            [this](const node_name&, const cnode::term& message) { return probes.answered(message); }),
        probes(
            io, [this] { return &node; },
            [this](node_name on, std::string module, std::string function, cnode::byte_string arguments,
                   milliseconds limit) {
              return node.call(on, std::move(module), std::move(function), std::move(arguments), limit);
            }) {}

  asio::awaitable<void> run() {
    if (const auto started = co_await node.start(); !started) throw startup_error(started.error().message());
    auto round = co_await roster.refresh();
    sources = std::move(round.sources);
    auto pending = round.entries.size();
    asio::steady_timer all(io, asio::steady_timer::time_point::max());
    for (const auto& entry : round.entries) {
      asio::co_spawn(io, examine(entry), [&](std::exception_ptr failure) {
        if (failure) std::rethrow_exception(failure);
        if (--pending == 0) all.cancel();
      });
    }
    boost::system::error_code ignored;
    if (pending > 0) co_await all.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    for (const auto& entry : round.entries) {
      if (disturbed(entry.name)) co_await examine(entry);
    }
    links = co_await survey_links(io, probes, listed(), asked.probe_timeout);
    co_await node.stop();
  }

  // Of the nodes that passed every step, who sees which.
  listed_peers listed() const {
    listed_peers peers;
    for (const auto& d : found) {
      if (!d.passed()) continue;
      const std::set<node_name> visible(d.visible.begin(), d.visible.end());
      for (const auto& other : found) {
        if (other.passed() && other.node != d.node && visible.contains(other.node))
          peers[d.node].push_back(other.node);
      }
    }
    return peers;
  }

  asio::awaitable<void> examine(discovery::entry entry, bool learned = false) {
    const auto peer_port =
        asked.peer_port == peer_port_mode::fixed ? std::optional(asked.fixed_peer_port) : std::nullopt;
    if (!entry.pattern.empty()) {
      co_await examine_place(std::move(entry), peer_port);
      co_return;
    }
    found.push_back(co_await diagnose(node, resolver, std::move(entry), mapper_port, peer_port,
                                      {.connect = asked.connect_timeout, .call = asked.connect_timeout}));
    auto& last = found.back();
    if (learned && asked.mesh == mesh_mode::base) last.base = last.node.alive();
  }

  // An address: every name its port mapper has and the pattern takes; with a known port the node that answers
  // there.
  asio::awaitable<void> examine_place(discovery::entry place, std::optional<std::uint16_t> peer_port) {
    const auto pattern = std::exchange(place.pattern, {});
    place.host_is_guess = true;
    if (place.port || peer_port) {
      co_await examine(std::move(place), true);
      co_return;
    }
    diagnosis nobody{
        .node = place.name, .steps = {}, .visible = {}, .hidden = false, .answered_as = {}, .nobody = true};
    if (!place.address) {
      auto answer = co_await resolver.addresses(place.host);
      if (!answer.records.empty()) place.address = answer.records.front();
      nobody.steps.push_back({step_name::dns, !answer.records.empty(),
                              answer.records.empty() ? answer.detail : place.address->to_string()});
    }
    if (!place.address) {
      found.push_back(std::move(nobody));
      co_return;
    }
    const auto names = co_await cnode::ask_names({*place.address, mapper_port}, asked.connect_timeout);
    bool any = false;
    for (const auto& each : names ? *names : std::vector<cnode::epmd::name_entry>{}) {
      auto name = node_name::make(each.alive, place.host);
      if (!name || each.alive == asked.name->alive() || !discovery::glob_matches(pattern, each.alive))
        continue;
      any = true;
      auto one = place;
      one.name = std::move(*name);
      one.port = each.port;
      co_await examine(std::move(one), true);
    }
    if (any) co_return;
    nobody.steps.push_back(
        {step_name::port_mapper, false,
         !names ? "no port mapper (epmd) answers there: " + names.error().message()
                : "no name that " + pattern + " takes: " + cnode::registered_instead(pattern, *names)});
    found.push_back(std::move(nobody));
  }

  // Our handshakes for two names of one node met there, and it ended this one. Forgets that diagnosis.
  bool disturbed(const node_name& name) {
    const auto other = std::ranges::find(found, std::optional(name), &diagnosis::answered_as);
    return other != found.end() && std::erase_if(found, [&](const diagnosis& d) {
                                     return d.node == name && !d.answered_as && !d.steps.empty() &&
                                            d.steps.back().name == step_name::handshake &&
                                            !d.steps.back().passed;
                                   }) > 0;
  }

  const configuration& asked;
  std::uint16_t mapper_port;
  asio::io_context io{1};
  silent_observer observer;
  discovery::resolver resolver;
  discovery::roster roster;
  cnode::node node;
  link_probes probes;
  std::vector<discovery::source_status> sources;
  std::vector<diagnosis> found;
  link_survey links;
};

// The nodes that answered and do not see each other.
std::string missing_in_view(const diagnosis& of, const std::vector<diagnosis>& all) {
  const std::set<node_name> visible(of.visible.begin(), of.visible.end());
  std::string missing;
  for (const auto& other : all) {
    if (other.node == of.node || !other.passed() || other.node.kind() != of.node.kind()) continue;
    if (other.base != of.base) continue;
    if (!visible.contains(other.node)) missing += (missing.empty() ? "" : ", ") + other.node.text();
  }
  return missing;
}

std::string dead_for(const diagnosis& of, const link_survey& links) {
  std::string dead;
  for (const auto& each : links.dead) {
    if (each.from == of.node) dead += (dead.empty() ? "" : ", ") + each.to.text();
  }
  return dead;
}

// The node that answered is itself listed, under the name it gave.
bool is_other_name(const diagnosis& of, const std::vector<diagnosis>& all) {
  return of.answered_as && !of.steps.empty() && of.steps.back().name == step_name::name &&
         std::ranges::any_of(
             all, [&](const diagnosis& other) { return other.node == *of.answered_as && &other != &of; });
}

// What is printed of one node. False: something is wrong with it.
bool describe(diagnosis& d, bool no_member, const examination& e, std::ostream& out) {
  if (no_member && !d.hidden) {
    d.steps.back() = {
        step_name::name, true,
        "another name of " + d.answered_as->text() + ", which is listed as well: no member of its own"};
  }
  out << '\n' << discovery::shown(d.node) << '\n';
  table steps(std::vector<std::string>{});
  for (const auto& s : d.steps)
    steps.row({"  " + std::string(to_string(s.name)), s.passed ? "ok" : "FAILED", s.text});
  bool linked = true;
  if (const auto missing = d.passed() ? missing_in_view(d, e.found) : std::string(); !missing.empty()) {
    steps.row({"  links", "MISSING", "it does not see " + missing});
    linked = false;
  }
  if (const auto dead = dead_for(d, e.links); !dead.empty()) {
    steps.row({"  links", "DEAD", "it lists " + dead + ", and nothing it sends there arrives"});
    linked = false;
  }
  out << steps;
  return linked;
}

int report(examination& e, std::ostream& out) {
  for (const auto& source : e.sources) {
    out << source.source << ": " << discovery::spoken(source.outcome) << ", " << source.nodes.size()
        << (source.nodes.size() == 1 ? " node" : " nodes")
        << (source.detail.empty() ? "" : "; " + source.detail) << '\n';
  }
  bool well = true, answered = false;
  std::ranges::sort(e.found, {}, &diagnosis::node);
  for (auto& d : e.found) {
    const bool no_member = d.hidden || is_other_name(d, e.found);
    well = describe(d, no_member, e, out) && well;
    if (no_member || d.nobody) continue;
    well = well && d.passed();
    answered = answered || d.passed();
  }
  if (e.found.empty()) {
    out << "\nno source lists a node: nothing to examine\n";
    return exit_could_not_tell;
  }
  if (well && !answered) {
    out << "\nno member among them\n";
    return exit_could_not_tell;
  }
  return well ? exit_ok : answered ? exit_not_whole : exit_could_not_tell;
}

int examine_once(const configuration& c, const environment& env, std::ostream& out) {
  examination e(c, env);
  std::exception_ptr failure;
  asio::co_spawn(e.io, e.run(), [&](std::exception_ptr f) {
    failure = f;
    e.io.stop();
  });
  e.io.run();
  if (failure) std::rethrow_exception(failure);
  return report(e, out);
}

}  // namespace

int doctor(const configuration& asked, const environment& env) {
  const auto own = take_guest_name(asked);
  const auto c = passer_by(asked, own.name());
  const auto deadline = std::chrono::steady_clock::now() + c.wait;
  for (;;) {
    std::ostringstream text;
    const auto code = examine_once(c, env, text);
    if (code == exit_ok || std::chrono::steady_clock::now() >= deadline) {
      std::cout << text.str();
      return code;
    }
    std::this_thread::sleep_for(again);
  }
}

}  // namespace rollcall::app
