// `rollcall check`: one round under a name of its own, a table of members, and what is wrong. Where the views
// say that all is well, the links are probed, too. --wait: again until it is whole, or until then.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <functional>
#include <iostream>

#include "app/commands.hpp"
#include "app/engine.hpp"
#include "app/findings.hpp"
#include "app/passer_by.hpp"
#include "app/table.hpp"
#include "http/json.hpp"
#include "membership/report.hpp"

namespace rollcall::app {
namespace {

namespace report = membership::report;

constexpr milliseconds look_again{50};
constexpr milliseconds round_again{1'000};  // with --wait

bool healthy(const membership::member& m) {
  return m.state == membership::member_state::up && m.fresh_view && m.links_missing == 0;
}

std::vector<std::string> names_of(const membership::snapshot& s) {
  std::vector<std::string> names;
  for (const auto& m : s.members) names.push_back(m.name.text());
  return names;
}

// Healthy ones in one line, the others in a table.
void print_members(const membership::snapshot& s, const short_names& shorten, const terminal& on) {
  std::string well;
  table others({"NODE", "STATE", "REASON", "SEES", "MISSING", "(PARTITION)", "(OTP)"});
  std::vector<const membership::member*> all;
  for (const auto& m : s.members) all.push_back(&m);
  std::ranges::sort(all, natural_less, [](const auto* m) -> std::string_view { return m->name.text(); });
  for (const auto* each : all) {
    const auto& m = *each;
    if (healthy(m)) {
      well += (well.empty() ? "" : " ") + shorten(m.name.text());
      continue;
    }
    const auto state = to_string(m.state);
    others.row({shorten(m.name.text()), cell(state, paint_of(state)),
                m.why == membership::reason::none ? std::string_view{} : to_string(m.why),
                m.fresh_view ? std::to_string(m.visible_peers) : "",
                m.fresh_view ? std::to_string(m.links_missing) : "",
                m.partition ? std::to_string(*m.partition) : "", m.otp_release.value_or("")});
  }
  table line({});
  if (!well.empty()) line.row({cell("up", paint::good), well});
  line.print(std::cout, on);
  if (!others.empty()) others.print(std::cout, on);
  if (!shorten.suffix().empty())
    std::cout << painted(on, paint::faint, "names end in " + shorten.suffix()) << '\n';
}

// Conditions that need more than one look (a grace of rounds) are judged here from the one picture there is.
bool whole(const membership::snapshot& s) {
  return s.up == s.expected && s.up > 0 && s.most_partitions() == 1 && s.links_missing == 0;
}

struct picture {
  membership::snapshot_ptr seen;
  link_survey links;  // of what looks whole
  bool whole() const { return app::whole(*seen) && links.dead.empty(); }
};

bool any_unnamed(const membership::snapshot& s,
                 const std::function<bool(const membership::unnamed_node&)>& which) {
  return std::ranges::any_of(s.sources,
                             [&](const auto& source) { return std::ranges::any_of(source.unnamed, which); });
}

// Nobody is listed by a name.
std::string why_no_members(const membership::snapshot& s) {
  if (s.hidden.empty())
    return any_unnamed(s, [](const auto&) { return true; }) ? "no address told a member's name"
                                                            : "no source lists a node";
  std::string names;
  for (const auto& each : s.hidden) names += (names.empty() ? "" : ", ") + each.text();
  return s.hidden.size() == 1
             ? "the one listed node is hidden and no member: " + names
             : fmt::format("{} listed nodes are hidden and no members: {}", s.hidden.size(), names);
}

std::string members(std::size_t count) {
  return fmt::format("{} member{}", count, count == 1 ? "" : "s");
}

std::pair<int, std::string> verdict(const picture& p) {
  const auto& s = *p.seen;
  const bool refused_unnamed =
      any_unnamed(s, [](const auto& each) { return each.why == membership::reason::cookie; });
  if (s.members.empty() && !refused_unnamed)
    return {exit_could_not_tell, "could not tell: " + why_no_members(s)};
  if (s.starting) return {exit_could_not_tell, "could not tell: not every node answered or refused in time"};
  // What refused us has answered: that is proven, and no silence.
  const auto refuses = [](const membership::member& m) {
    return m.why == membership::reason::cookie || m.why == membership::reason::name_mismatch ||
           m.why == membership::reason::incompatible;
  };
  if (s.up == 0 && (refused_unnamed || std::ranges::any_of(s.members, refuses))) {
    return {exit_not_whole, fmt::format("not whole: none of {} lets rollcall in", members(s.expected))};
  }
  if (s.isolated || s.up == 0) {
    return {exit_could_not_tell,
            fmt::format("could not tell: none of {} was reached from here", members(s.expected))};
  }
  if (p.whole() && p.links.probed == p.links.listed)
    return {exit_ok, fmt::format("whole: {}, all connected", members(s.up))};
  if (p.whole()) {
    return {exit_ok, fmt::format("whole: {}, all connected; of the {} ends of their links {} were probed",
                                 members(s.up), p.links.listed, p.links.probed)};
  }
  if (!p.links.dead.empty()) {
    return {exit_not_whole,
            fmt::format("not whole: {} of {} up; they list each other, but {} of {} ends of their "
                        "links carry nothing",
                        s.up, members(s.expected), p.links.dead.size(), p.links.probed)};
  }
  return {exit_not_whole, fmt::format("not whole: {} of {} up, partitions: {}, missing links: {}", s.up,
                                      members(s.expected), s.most_partitions(), s.links_missing)};
}

asio::awaitable<void> until_settled(asio::io_context& io, engine& cluster, milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  asio::steady_timer timer(io);
  const auto seen = [&] {
    const auto s = cluster.snapshot();
    return cluster.settled() && std::ranges::all_of(s->members, [](const auto& m) {
             return m.fresh_view || m.why != membership::reason::none;
           });
  };
  while (!seen() && std::chrono::steady_clock::now() < deadline) {
    timer.expires_after(look_again);
    boost::system::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

asio::awaitable<picture> until_whole(asio::io_context& io, engine& cluster, const configuration& c) {
  const auto deadline = std::chrono::steady_clock::now() + c.wait;
  asio::steady_timer pause(io);
  for (;;) {
    co_await until_settled(io, cluster, c.dns_timeout + c.connect_timeout * 2);
    picture found{cluster.snapshot(), {}};
    if (found.whole()) found.links = co_await cluster.survey();
    if (found.whole() || std::chrono::steady_clock::now() >= deadline) co_return found;
    pause.expires_after(round_again);
    boost::system::error_code ignored;
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    cluster.start_round();
  }
}

}  // namespace

int check(const configuration& asked, const environment& env) {
  const auto own = take_guest_name(asked);
  const auto c = passer_by(asked, own.name());
  log lines(std::max(asked.level, log_level::error), asked.format);
  asio::io_context io(1);
  metrics::exporter exporter({.version = ROLLCALL_VERSION, .revision = {}, .sources = source_labels(c)});
  engine cluster(io, c, env, cookie_jar(asked, env), lines, exporter);
  std::exception_ptr failure;
  picture found;
  const auto look = [&]() -> asio::awaitable<void> {
    co_await cluster.start();
    found = co_await until_whole(io, cluster, c);
    co_await cluster.stop();
  };
  asio::co_spawn(io, look(), [&](std::exception_ptr e) {
    failure = e;
    io.stop();
  });
  io.run();
  if (failure) std::rethrow_exception(failure);
  const auto [code, sentence] = verdict(found);
  const auto found_wrong = findings_of(*found.seen, found.links);
  if (asked.json) {
    constexpr std::string_view verdicts[] = {"whole", "not_whole", "unknown"};
    std::cout << boost::json::serialize(boost::json::object{
                     {"verdict", verdicts[code]},
                     {"text", sentence},
                     {"members", boost::json::parse(http::render(report::members(*found.seen)))},
                     {"findings", to_json(found_wrong)}})
              << '\n';
    return code;
  }
  const auto on = terminal_of(STDOUT_FILENO, env);
  const auto shorten = on.columns > 0 ? short_names(names_of(*found.seen)) : short_names();
  table summary({});
  summary.row({cell(sentence, code == exit_ok ? paint::good : paint::bad)});
  summary.print(std::cout, on);
  print_members(*found.seen, shorten, on);
  print_findings(found_wrong, shorten, on, std::cout);
  return code;
}

}  // namespace rollcall::app
