#include "app/reporter.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rollcall::app {
namespace {

// Handshakes of strangers that failed are logged once per address and cause; this many are remembered.
constexpr std::size_t max_remembered_strangers = 256;

// What a dial finds after a loss: the next change of state will tell it.
bool to_be_expected(membership::reason why) {
  using membership::reason;
  return why == reason::refused || why == reason::not_registered || why == reason::timeout ||
         why == reason::closed || why == reason::handshake;
}

bool failed(discovery::query_outcome outcome) {
  using enum discovery::query_outcome;
  return outcome != ok && outcome != empty && outcome != partial;
}

// Not in the words of the moment before: five pairs that were missing are not "over: 1 pair".
std::string_view is_over(membership::condition name) {
  using membership::condition;
  switch (name) {
    case condition::links_missing:
      return "over: every pair of members that are up is connected";
    case condition::netsplit:
      return "over: the members that are up are one partition";
    case condition::possible_split:
      return "over: those that had fallen silent are back, or are known to be gone";
    case condition::unlisted_nodes:
      return "over: every visible node that members see is listed";
    default:
      return "over";
  }
}

}  // namespace

void reporter::happened(const membership::event& e) {
  using membership::event_type;
  // What the sources list is told by the sources themselves: see listed.
  if (e.type == event_type::discovery_changed && !e.node) return;
  const bool bad = e.type == event_type::member_suspect || e.type == event_type::member_down ||
                   e.type == event_type::isolated || e.type == event_type::netsplit_opened ||
                   e.type == event_type::netsplit_changed || e.type == event_type::member_returned;
  std::vector<log::field> fields{{"event", std::string(to_string(e.type))}};
  if (e.node) fields.emplace_back("node", e.node->text());
  if (e.why != membership::reason::none) fields.emplace_back("reason", std::string(to_string(e.why)));
  const auto level = bad ? log_level::warning : log_level::info;
  if (e.node) {
    of_member(level, *e.node, e.text, fields);
  } else {
    log_.line(level, e.text, fields);
  }
}

// One that changes all the time does not fill the log.
void reporter::of_member(log_level level, const node_name& member, const std::string& text,
                         const std::vector<log::field>& fields) {
  const auto verdict = line_limit_.ask(member.text(), std::chrono::steady_clock::now());
  if (verdict == line_limit::verdict::leave_out) return;
  log_.line(level, text, fields);
  if (verdict == line_limit::verdict::write_and_say_so) {
    log_.warning(
        fmt::format("{} changes all the time: nothing more is written of it for a minute", member.text()),
        {{"node", member.text()}});
  }
}

void reporter::changed(const membership::snapshot& before, const membership::snapshot& after,
                       const std::vector<membership::event>& events) {
  new_reasons(before, after, events);
  conditions(before, after);
  planned(before, after);
}

// A member that is not up for another reason than before, without a change of state: no event tells.
void reporter::new_reasons(const membership::snapshot& before, const membership::snapshot& after,
                           const std::vector<membership::event>& events) {
  for (const auto& m : after.members) {
    if (m.why == membership::reason::none || m.state == membership::member_state::down ||
        m.state == membership::member_state::left) {
      continue;  // nobody waits for it: an event has told why it went
    }
    if (m.state == membership::member_state::suspect && to_be_expected(m.why)) continue;
    const auto* old = before.find(m.name.text());
    if (old != nullptr && old->why == m.why) continue;
    const bool told =
        std::ranges::any_of(events, [&](const auto& e) { return e.node == m.name && e.why == m.why; });
    if (told) continue;
    of_member(log_level::warning, m.name,
              m.detail.empty() ? fmt::format("{} is {}", m.name.text(), to_string(m.state)) : m.detail,
              {{"node", m.name.text()},
               {"state", std::string(to_string(m.state))},
               {"reason", std::string(to_string(m.why))}});
  }
}

// --heal=plan: what would be asked, once for each pair.
void reporter::planned(const membership::snapshot& before, const membership::snapshot& after) {
  for (const auto& pair : after.would_ask) {
    if (std::ranges::find(before.would_ask, pair) != before.would_ask.end()) continue;
    log_.info(fmt::format("would ask {} to connect to {}; --heal=plan asks nothing", pair.first.text(),
                          pair.second.text()),
              {{"node", pair.first.text()}, {"to", pair.second.text()}});
  }
}

// Conditions that no event of a member tells: once when they begin, once when they end.
void reporter::conditions(const membership::snapshot& before, const membership::snapshot& after) {
  using membership::condition;
  for (const auto name : {condition::links_missing, condition::netsplit, condition::possible_split,
                          condition::config_drift, condition::unlisted_nodes}) {
    const auto was = std::ranges::find(before.conditions, name, &membership::raised_condition::name);
    const auto is = std::ranges::find(after.conditions, name, &membership::raised_condition::name);
    const bool held = was != before.conditions.end(), holds = is != after.conditions.end();
    const std::string label(to_string(name));
    // It lies in the members' own configuration, and seems over whenever one of them is away: said once.
    if (name == condition::config_drift && (!holds || std::exchange(drift_told_, true))) continue;
    if (holds && !held) log_.warning(is->text, {{"condition", label}});
    if (held && !holds) log_.info(is_over(name), {{"condition", label}});
  }
}

void reporter::listed(const discovery::round& round) {
  for (const auto& change : round.changes) {
    const auto source = std::ranges::find_if(
        round.sources, [&](const auto& s) { return std::string_view(change).starts_with(s.source + ": "); });
    const bool bad = source != round.sources.end() && failed(source->outcome);
    std::vector<log::field> fields{
        {"event", std::string(to_string(membership::event_type::discovery_changed))}};
    if (source != round.sources.end()) fields.emplace_back("source", source->source);
    log_.line(bad ? log_level::warning : log_level::info, change, fields);
  }
}

void reporter::dialled_us(const std::optional<node_name>& peer, const boost::asio::ip::address& address,
                          boost::system::error_code code, const std::string& detail) {
  const bool mapped = address.is_v6() && address.to_v6().is_v4_mapped();  // the listener is dual-stack
  const auto from =
      mapped ? boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6()).to_string()
             : address.to_string();
  if (!code) {
    std::erase_if(strangers_, [&](const auto& seen) { return seen.first == from; });
    return;
  }
  if (strangers_.size() >= max_remembered_strangers) strangers_.clear();
  if (!strangers_.emplace(from, code.value()).second) return;
  log_.warning("a node that dialled us was turned away",
               {{"from", from},
                {"node", peer ? peer->text() : std::string("unknown")},
                {"why", detail.empty() ? code.message() : detail}});
}

}  // namespace rollcall::app
