// `rollcall doctor`: for each node, step by step, what keeps it out. --wait: again until nothing does, or
// until then.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "app/bundle.hpp"
#include "app/commands.hpp"
#include "app/diagnosis.hpp"
#include "app/engine.hpp"
#include "app/findings.hpp"
#include "app/link_survey.hpp"
#include "app/network.hpp"
#include "app/passer_by.hpp"
#include "app/printable.hpp"
#include "app/silent_observer.hpp"
#include "app/table.hpp"
#include "app/tls_files.hpp"
#include "cnode/mistakes.hpp"
#include "cnode/port_mapper.hpp"

namespace rollcall::app {
namespace {

constexpr std::chrono::milliseconds again{1'000};  // with --wait, after one that found something

struct examination {
  examination(const configuration& c, const environment& env)
      : asked(c),
        cookies(cookie_jar(c, env).cookies()),
        tls(c),
        mapper_port(port_mapper_port(env)),
        resolver(io, resolver_options(c)),
        roster(io, roster_options(c), resolver,
               [this] { return local_names(mapper_port, std::string(asked.name->alive())); }),
        node(
            io, node_options(c, cookies, mapper_port, tls.current()), observer,
            [this](std::string host) { return addresses_of(resolver, std::move(host)); },
            [](const cnode::request&) {
              return cnode::answer{cnode::answer_kind::undefined, nullptr};
            },
            [this](const node_name& from, cnode::byte_view message) {
              return probes.answered(from, message);
            }),
        probes(
            io, [this] { return &node; },
            [this](node_name on, std::string module, std::string function, cnode::byte_string arguments,
                   milliseconds limit) {
              return node.call(std::move(on), std::move(module), std::move(function), std::move(arguments),
                               limit);
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
    co_await try_a_newline();
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

  asio::awaitable<void> examine(discovery::entry entry) {
    if (entry.pattern.empty()) {
      co_await examine_node(std::move(entry));
    } else {
      co_await examine_place(std::move(entry));
    }
  }

  // One that is there, by its name or by where it listens.
  asio::awaitable<void> examine_node(discovery::entry entry) {
    const bool by_base = discovery::is_pattern(entry.pattern) && asked.mesh == mesh_mode::base;
    const auto as_listed = entry;
    found.push_back(co_await diagnose(node, resolver, std::move(entry), mapper_port, fixed_port(),
                                      {.connect = asked.connect_timeout, .call = asked.connect_timeout}));
    if (by_base) found.back().base = found.back().node.alive();
    dialled.insert_or_assign(found.back().node, as_listed);
  }

  std::optional<std::uint16_t> fixed_port() const {
    return asked.peer_port == peer_port_mode::fixed ? std::optional(asked.fixed_peer_port) : std::nullopt;
  }

  // An address: every name its port mapper has and the pattern takes; with a known port the node that answers
  // there.
  asio::awaitable<void> examine_place(discovery::entry place) {
    const auto pattern = place.pattern;
    if (place.port || fixed_port()) {
      if (auto half = node_name::make(pattern, place.host); half && !discovery::is_pattern(pattern))
        place.name = std::move(*half);
      co_await examine_node(std::move(place));
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
      co_await examine_node(std::move(one));
    }
    if (any) co_return;
    nobody.steps.push_back(
        {step_name::port_mapper, false,
         !names ? "no port mapper (epmd) answers there: " + names.error().message()
                : "no name that " + pattern + " takes: " + cnode::registered_instead(pattern, *names)});
    found.push_back(std::move(nobody));
  }

  // A program that takes all of a file for its cookie takes the newline at its end, too. As each attempt is
  // an error in a node's log, the first that refuses this as well ends it.
  asio::awaitable<void> try_a_newline() {
    auto longer = cookies;
    for (auto& each : longer) each += '\n';
    node.cookies(std::move(longer));
    for (auto& d : found) {
      if (d.steps.empty() || d.steps.back().name != step_name::cookie || d.steps.back().passed) continue;
      const auto& entry = dialled.at(d.node);
      auto target = target_of(entry, asked);
      if (!entry.pattern.empty()) target.name.reset();
      const auto linked = co_await node.dial(std::move(target), asked.connect_timeout);
      if (!linked) break;
      node.hang_up(linked->name);
      d.steps.back().text +=
          "; it takes ours with a newline at its end: write the nodes' file with printf %s, or trim what "
          "they read";
    }
    node.cookies(cookies);
  }

  // Our handshakes for two names of one node may meet there, and it ends either. Forgets that diagnosis.
  bool disturbed(const node_name& name) {
    const auto is_other_name = [&](const diagnosis& d) {
      return d.node != name &&
             (d.answered_as == name || (d.node.alive() == name.alive() && !d.ended_by_peer));
    };
    return std::ranges::any_of(found, is_other_name) &&
           std::erase_if(found, [&](const diagnosis& d) { return d.node == name && d.ended_by_peer; }) > 0;
  }

  const configuration& asked;
  std::vector<std::string> cookies;
  tls_files tls;
  std::uint16_t mapper_port;
  asio::io_context io{1};
  silent_observer observer;
  discovery::resolver resolver;
  discovery::roster roster;
  cnode::node node;
  link_probes probes;
  std::vector<discovery::source_status> sources;
  std::vector<diagnosis> found;
  std::map<node_name, discovery::entry> dialled;  // as what is in `found`
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

struct outcome {
  int code = exit_could_not_tell;
  std::string text;  // the summary
  std::vector<std::string> well, no_members;
  std::vector<finding> wrong;
};

// Of one node: which list it belongs to. A name of a node that is listed as well becomes a line of its own.
void judge(diagnosis& d, const examination& e, outcome& all) {
  const bool other_name = is_other_name(d, e.found);
  if (other_name) {
    d.steps.back() = {step_name::name, true,
                      "another name of " + d.answered_as->text() + ", which is listed as well"};
  }
  const auto name = discovery::shown(d.node);
  if (d.hidden || other_name) {
    all.no_members.push_back(d.hidden ? d.steps.back().text : name + ": " + d.steps.back().text);
    return;
  }
  if (!d.passed()) {
    all.wrong.push_back(d.nobody ? make_finding("node-unnamed", name, d.steps.back().text) : finding_of(d));
    return;
  }
  const auto missing = missing_in_view(d, e.found), dead = dead_for(d, e.links);
  if (!missing.empty())
    all.wrong.push_back(make_finding("links-missing", name, name + " does not see " + missing));
  if (!dead.empty())
    all.wrong.push_back(
        make_finding("links-dead", name, name + " lists " + dead + ", and nothing it sends there arrives"));
  if (missing.empty() && dead.empty()) all.well.push_back(name);
}

// Something answered there: what it said is proven, where silence may be our own.
bool is_proof(const finding& f) {
  static const std::set<std::string_view> proofs{"node-cookie", "node-name",     "node-call",
                                                 "node-view",   "links-missing", "links-dead"};
  return proofs.contains(f.kind->code);
}

outcome judge(examination& e) {
  outcome all;
  std::ranges::sort(e.found, natural_less,
                    [](const diagnosis& d) -> std::string_view { return d.node.text(); });
  for (const auto& source : e.sources) {
    const bool empty = source.outcome == discovery::query_outcome::empty;
    if (source.outcome == discovery::query_outcome::ok || source.outcome == discovery::query_outcome::partial)
      continue;
    all.wrong.push_back(make_finding(empty ? "source-empty" : "source-failed", source.source, source.detail));
  }
  for (auto& d : e.found) judge(d, e, all);
  const auto nodes =
      std::ranges::count_if(all.wrong, [](const finding& f) { return f.kind->category == "node"; });
  const auto members = all.well.size() + static_cast<std::size_t>(nodes);
  if (e.found.empty()) {
    all.text = "could not tell: no source lists a node";
  } else if (all.wrong.empty() && all.well.empty()) {
    all.text = "could not tell: no member among the nodes that are listed";
  } else if (all.wrong.empty()) {
    all.code = exit_ok;
    all.text =
        all.well.size() == 1 ? "the one node is well" : fmt::format("all {} nodes are well", all.well.size());
  } else if (!all.well.empty() || std::ranges::any_of(all.wrong, is_proof)) {
    all.code = exit_not_whole;
    all.text = fmt::format("{} finding{}; {} of {} nodes are well", all.wrong.size(),
                           all.wrong.size() == 1 ? "" : "s", all.well.size(),
                           std::max(members, e.found.size() - all.no_members.size()));
  } else {
    all.text = fmt::format("could not tell: none of {} node{} was reached from here", e.found.size(),
                           e.found.size() == 1 ? "" : "s");
  }
  return all;
}

void print_steps(const diagnosis& d, const short_names& shorten, const terminal& on, std::ostream& out) {
  out << '\n' << shorten(discovery::shown(d.node)) << '\n';
  table steps({});
  for (const auto& s : d.steps) {
    const std::string_view how = s.passed ? "ok" : "FAILED";
    steps.row({"  " + std::string(to_string(s.name)), cell(how, paint_of(how)), shorten(s.text)});
  }
  steps.print(out, on);
}

void print(const examination& e, const outcome& all, const configuration& c, const terminal& on,
           std::ostream& out) {
  std::vector<std::string> names;
  for (const auto& d : e.found) names.push_back(d.node.text());
  const auto shorten = on.columns > 0 ? short_names(names) : short_names();
  out << painted(on, all.code == exit_ok ? paint::good : paint::bad, all.text) << '\n';
  table lines({});
  for (const auto& source : e.sources) {
    lines.row({source.source, fmt::format("{}, {} node{}{}", discovery::spoken(source.outcome),
                                          source.nodes.size(), source.nodes.size() == 1 ? "" : "s",
                                          source.detail.empty() ? "" : "; " + source.detail)});
  }
  std::string well;
  for (const auto& name : all.well) well += (well.empty() ? "" : " ") + shorten(name);
  if (!well.empty()) lines.row({cell("well", paint::good), well});
  for (const auto& one : all.no_members) lines.row({"no member", shorten(one)});
  lines.print(out, on);
  if (!shorten.suffix().empty()) out << painted(on, paint::faint, "names end in " + shorten.suffix()) << '\n';
  for (const auto& d : e.found) {
    const bool failed = !d.steps.empty() && !d.steps.back().passed;
    if (c.all || (failed && !d.nobody)) print_steps(d, shorten, on, out);
  }
  print_findings(all.wrong, shorten, on, out);
}

boost::json::object to_json(const examination& e, const outcome& all) {
  namespace json = boost::json;
  json::array nodes;
  for (const auto& d : e.found) {
    json::array steps;
    for (const auto& s : d.steps)
      steps.push_back(json::object{{"step", to_string(s.name)}, {"ok", s.passed}, {"text", s.text}});
    nodes.push_back(json::object{{"node", discovery::shown(d.node)}, {"steps", std::move(steps)}});
  }
  constexpr std::string_view verdicts[] = {"well", "not_well", "unknown"};
  return {{"verdict", verdicts[all.code]},
          {"text", all.text},
          {"nodes", std::move(nodes)},
          {"findings", app::to_json(all.wrong)}};
}

struct examined {
  int code = exit_could_not_tell;
  std::string text, json;
};

examined examine_once(const configuration& c, const environment& env, const terminal& on) {
  examination e(c, env);
  std::exception_ptr failure;
  asio::co_spawn(e.io, e.run(), [&](std::exception_ptr f) {
    failure = f;
    e.io.stop();
  });
  e.io.run();
  if (failure) std::rethrow_exception(failure);
  const auto all = judge(e);
  std::ostringstream text;
  print(e, all, c, on, text);
  return {all.code, text.str(), boost::json::serialize(to_json(e, all))};
}

}  // namespace

int doctor(const configuration& asked, const environment& env) {
  const auto own = take_guest_name(asked);
  const auto c = passer_by(asked, own.name());
  const auto on = terminal_of(STDOUT_FILENO, env);
  const auto deadline = std::chrono::steady_clock::now() + c.wait;
  for (;;) {
    const auto found = examine_once(c, env, on);
    if (found.code == exit_ok || std::chrono::steady_clock::now() >= deadline) {
      std::cout << (asked.json ? found.json + "\n" : found.text);
      if (!asked.bundle.empty()) {
        write_bundle(asked, env, found.json);
        std::cerr << "rollcall: written: " << printable(asked.bundle) << '\n';
      }
      return found.code;
    }
    std::this_thread::sleep_for(again);
  }
}

}  // namespace rollcall::app
