#include "app/reporter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>

#include "app/short_names.hpp"
#include "cnode/error.hpp"

namespace rollcall::app {
namespace {

// Handshakes of strangers that failed are logged once per address and cause; this many are remembered.
constexpr std::size_t max_remembered_strangers = 256;

constexpr std::size_t named_of_many = 3;
// What every start looks like is worth a warning once it has lasted for this.
constexpr membership::milliseconds start_may_take{60'000};

// What a dial finds while a node starts or stops: the next change of state will tell more.
bool to_be_expected(membership::reason why) {
  using membership::reason;
  return why == reason::dns || why == reason::epmd || why == reason::refused ||
         why == reason::not_registered || why == reason::timeout || why == reason::closed ||
         why == reason::handshake || why == reason::stopping;
}

// Something is wrong that somebody may have to see to. A node that closed its link by itself was stopped,
// most likely: if it was not, `down` says so half a minute later.
bool is_bad(const membership::event& e) {
  using membership::event_type;
  switch (e.type) {
    case event_type::member_suspect:
      return e.why != membership::reason::closed && e.why != membership::reason::stopping;
    case event_type::member_down:
    case event_type::isolated:
    case event_type::netsplit_opened:
    case event_type::netsplit_changed:
    case event_type::member_returned:
      return true;
    default:
      return false;
  }
}

bool failed(discovery::query_outcome outcome) {
  using enum discovery::query_outcome;
  return outcome != ok && outcome != empty && outcome != partial;
}

// That a lookup failed, or was answered in part.
bool tells_of_trouble(std::string_view change, const discovery::source_status& source) {
  if (!failed(source.outcome) && source.outcome != discovery::query_outcome::partial) return false;
  return change.starts_with(fmt::format("{}: {}: ", source.source, discovery::spoken(source.outcome)));
}

std::string likewise(const std::vector<const discovery::source_status*>& sources) {
  if (sources.size() < 2) return {};
  std::string others;
  for (std::size_t i = 1; i < std::min(sources.size(), named_of_many + 1); ++i)
    others += (i == 1 ? "" : ", ") + sources[i]->source;
  const auto more = sources.size() - 1;
  if (more > named_of_many) others += fmt::format(" and {} more", more - named_of_many);
  return fmt::format("; the same with {}", others);
}

std::string_view what_many_did(membership::event_type type) {
  using membership::event_type;
  switch (type) {
    case event_type::member_joined:
      return "members joined";
    case event_type::member_up:
      return "members are up";
    case event_type::member_suspect:
      return "members are suspect";
    case event_type::member_leaving:
      return "members are leaving";
    case event_type::member_down:
      return "members are down";
    case event_type::member_left:
      return "members have left";
    case event_type::member_restarted:
      return "members were restarted";
    case event_type::member_returned:
      return "members are back and ran on meanwhile: their data may differ";
    default:
      return {};
  }
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

// Of the runbook, as Rollcall serves it; a condition without one says what to do itself.
std::string section_of(membership::condition name) {
  std::string section = "/runbook#rollcall";
  std::ranges::copy_if(to_string(name), std::back_inserter(section), [](char c) { return c != '_'; });
  return section;
}

// It came, said nothing that is wrong, and went: what checks a port by opening it does so all the time.
bool said_nothing(boost::system::error_code code) {
  return code == cnode::make_error_code(cnode::error::closed) ||
         code == cnode::make_error_code(cnode::error::timed_out);
}

// A departure is one line: who was told as stopping, and is gone when its stop is over, is not told again.
bool is_told(const membership::event& e) {
  return e.type == membership::event_type::member_left && e.why == membership::reason::stopping;
}

}  // namespace

void reporter::happened(const std::vector<membership::event>& all) {
  std::vector<membership::event> events;
  std::ranges::copy_if(all, std::back_inserter(events), std::not_fn(is_told));
  std::map<std::pair<membership::event_type, membership::reason>, std::vector<const membership::event*>>
      alike;
  for (const auto& e : events) {
    if (e.node && !what_many_did(e.type).empty()) alike[{e.type, e.why}].push_back(&e);
  }
  for (const auto& e : events) {
    const auto found = alike.find({e.type, e.why});
    const bool one_of_many = e.node && found != alike.end() && found->second.size() >= many;
    if (!one_of_many) {
      tell(e);
    } else if (found->second.front() == &e) {
      happened_at_once(found->second);
    }
  }
}

void reporter::happened_at_once(const std::vector<const membership::event*>& alike) {
  const auto& first = *alike.front();
  std::string text = fmt::format("{} {}", alike.size(), what_many_did(first.type));
  if (first.why != membership::reason::none) text += fmt::format(" ({})", to_string(first.why));
  for (std::size_t i = 0; i < named_of_many; ++i) text += (i == 0 ? ": " : ", ") + alike[i]->node->text();
  text += fmt::format(" and {} more", alike.size() - named_of_many);
  const std::string type(to_string(first.type));
  limited(type, is_bad(first) ? log_level::warning : log_level::info, text,
          {{"event", type}, {"count", std::to_string(alike.size())}});
}

void reporter::tell(const membership::event& e) {
  using membership::event_type;
  // What the sources list is told by the sources themselves: see listed.
  if (e.type == event_type::discovery_changed && !e.node) return;
  if (e.type == event_type::netsplit_opened) ++netsplits_told_;
  if (e.type == event_type::netsplit_closed && netsplits_told_ > 0) --netsplits_told_;
  std::vector<log::field> fields{{"event", std::string(to_string(e.type))}};
  if (e.node) fields.emplace_back("node", e.node->text());
  if (e.why != membership::reason::none) fields.emplace_back("reason", std::string(to_string(e.why)));
  const auto level = is_bad(e) ? log_level::warning : log_level::info;
  if (e.node) {
    of_member(level, *e.node, e.text, fields);
  } else {
    log_.line(level, e.text, fields);
  }
}

void reporter::of_member(log_level level, const node_name& member, const std::string& text,
                         const std::vector<log::field>& fields) {
  limited(member.text(), level, name_once(text, member.text()), fields);
}

// What changes all the time does not fill the log.
bool reporter::limited(const std::string& subject, log_level level, const std::string& text,
                       const std::vector<log::field>& fields) {
  const auto verdict = line_limit_.ask(subject, std::chrono::steady_clock::now());
  if (verdict == line_limit::verdict::leave_out) return false;
  log_.line(level, text, fields);
  if (verdict == line_limit::verdict::write_and_say_so) {
    log_.warning(
        fmt::format("{}: it changes all the time, and nothing more is written of it for a minute; `rollcall "
                    "events` has all "
                    "of it",
                    subject));
  }
  return true;
}

void reporter::changed(const membership::snapshot& before, const membership::snapshot& after,
                       const std::vector<membership::event>& events) {
  new_reasons(before, after, events);
  without_names(before, after);
  lasting(after);
  conditions(after);
  planned(before, after);
}

// Addresses and local names that have not told who they are: what keeps them is said once, under the address;
// of many at once in one line.
void reporter::without_names(const membership::snapshot& before, const membership::snapshot& after) {
  std::map<membership::reason, std::vector<const membership::unnamed_node*>> alike;
  for (const auto& source : after.sources) {
    const auto old = std::ranges::find(before.sources, source.source, &membership::source_report::source);
    for (const auto& each : source.unnamed) {
      const auto same = [&](const membership::unnamed_node& known) {
        return known.address == each.address && known.why == each.why;
      };
      const bool told = old != before.sources.end() && std::ranges::any_of(old->unnamed, same);
      if (!told && each.why != membership::reason::none) alike[each.why].push_back(&each);
    }
  }
  for (const auto& [reason, places] : alike) {
    const bool acts = reason == membership::reason::cookie || reason == membership::reason::incompatible;
    const auto level = acts ? log_level::warning : log_level::info;
    const std::string why(to_string(reason));
    const auto said = [&](const membership::unnamed_node& each) {
      return each.address + ": " + (each.detail.empty() ? why : each.detail);
    };
    if (places.size() >= many) {
      limited("addresses without a name", level,
              fmt::format("{} addresses tell no name ({}); the first: {}", places.size(), why,
                          said(*places.front())),
              {{"count", std::to_string(places.size())}, {"reason", why}});
      continue;
    }
    for (const auto* each : places) limited(each->address, level, said(*each), {{"reason", why}});
  }
}

// A member that is not up for another reason than before, without a change of state: no event tells.
void reporter::new_reasons(const membership::snapshot& before, const membership::snapshot& after,
                           const std::vector<membership::event>& events) {
  std::map<membership::reason, std::vector<const membership::member*>> alike;
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
    if (!told) alike[m.why].push_back(&m);
  }
  for (const auto& [why, members] : alike) tell_reason(members);
}

// One reason, of the members that have it since this moment.
void reporter::tell_reason(const std::vector<const membership::member*>& members) {
  const auto is_start = [](const membership::member* m) {
    return m->state == membership::member_state::joining && to_be_expected(m->why);
  };
  for (const auto* m : members) {
    if (is_start(m)) waited_for_.insert(m->name);
  }
  const auto level_of = [&](const membership::member* m) {
    return is_start(m) || m->why == membership::reason::stopping ? log_level::info : log_level::warning;
  };
  const std::string why(to_string(members.front()->why));
  if (members.size() < many) {
    for (const auto* m : members) {
      const std::string state(to_string(m->state));
      of_member(level_of(m), m->name, m->detail.empty() ? m->name.text() + " is " + state : m->detail,
                {{"node", m->name.text()}, {"state", state}, {"reason", why}});
    }
    return;
  }
  std::string text = fmt::format("{} members are not up ({})", members.size(), why);
  for (std::size_t i = 0; i < named_of_many; ++i) text += (i == 0 ? ": " : ", ") + members[i]->name.text();
  text +=
      fmt::format(" and {} more; of the first: {}", members.size() - named_of_many, members.front()->detail);
  const bool worst =
      std::ranges::any_of(members, [&](const auto* m) { return level_of(m) == log_level::warning; });
  limited("members that are not up", worst ? log_level::warning : log_level::info, text,
          {{"count", std::to_string(members.size())}, {"reason", why}});
}

// A start that does not come to its end.
void reporter::lasting(const membership::snapshot& now) {
  for (auto at = waited_for_.begin(); at != waited_for_.end();) {
    const auto* m = now.find(at->text());
    const bool waits =
        m != nullptr && m->state == membership::member_state::joining && m->why != membership::reason::none;
    if (waits && now.at - m->since < start_may_take) {
      ++at;
      continue;
    }
    if (waits) {
      auto why = m->detail.empty() ? std::string(to_string(m->why)) : m->detail;
      if (const auto itself = m->name.text() + ": "; why.starts_with(itself)) why.erase(0, itself.size());
      of_member(log_level::warning, m->name,
                fmt::format("{} has been listed for {} s and does not join: {}", m->name.text(),
                            (now.at - m->since).count() / 1'000, why),
                {{"node", m->name.text()}, {"reason", std::string(to_string(m->why))}});
    }
    at = waited_for_.erase(at);
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

// Conditions that no event of a member tells: once when they begin, once when they end. What could not be
// written for a while is written then, so that the last line is true.
void reporter::conditions(const membership::snapshot& after) {
  using membership::condition;
  for (const auto name : {condition::links_missing, condition::netsplit, condition::possible_split,
                          condition::config_drift, condition::unlisted_nodes}) {
    const auto is = std::ranges::find(after.conditions, name, &membership::raised_condition::name);
    const bool held = raised_.contains(name), holds = is != after.conditions.end();
    const std::string label(to_string(name));
    // It lies in the members' own configuration, and seems over whenever one of them is away: said once.
    if (name == condition::config_drift && (!holds || std::exchange(drift_told_, true))) continue;
    // The incident's own line has said so: one cause is one line.
    const bool of_netsplit = name == condition::netsplit || name == condition::links_missing;
    if (of_netsplit && !held && netsplits_told_ > 0) continue;
    std::vector<log::field> fields{{"condition", label}};
    if (holds && name != condition::unlisted_nodes) fields.emplace_back("see", section_of(name));
    if (holds && !held && limited(label, log_level::warning, is->text, fields)) raised_.insert(name);
    if (held && !holds && limited(label, log_level::info, std::string(is_over(name)), {{"condition", label}}))
      raised_.erase(name);
  }
}

// One name server that fails is asked by every source: what went wrong with several of them in the same way
// is one line, the sentence of the first.
void reporter::listed(const discovery::round& round, std::chrono::steady_clock::time_point now) {
  std::map<discovery::query_outcome, std::vector<const discovery::source_status*>> troubled;
  std::map<discovery::query_outcome, std::string_view> first;
  const auto write = [this](log_level level, const std::string& text, std::vector<log::field> of) {
    of.emplace(of.begin(), "event", std::string(to_string(membership::event_type::discovery_changed)));
    log_.line(level, text, of);
  };
  const auto level_of = [](discovery::query_outcome outcome) {
    return failed(outcome) && outcome != discovery::query_outcome::nxdomain ? log_level::warning
                                                                            : log_level::info;
  };
  for (const auto& change : round.changes) {
    const auto source = std::ranges::find_if(
        round.sources, [&](const auto& s) { return std::string_view(change).starts_with(s.source + ": "); });
    if (source == round.sources.end()) {
      write(log_level::info, change, {});
    } else if (tells_of_trouble(change, *source)) {
      troubled[source->outcome].push_back(&*source);
      first.emplace(source->outcome, change);
    } else {
      write(level_of(source->outcome), change, {{"source", source->source}});
    }
  }
  for (const auto& [outcome, sources] : troubled) {
    std::vector<log::field> of{{"source", sources.front()->source}};
    std::string all;
    for (const auto* each : sources) all += (all.empty() ? "" : ", ") + each->source;
    if (sources.size() > 1) of.emplace_back("sources", all);
    write(level_of(outcome), std::string(first[outcome]) + likewise(sources), of);
  }
  lasting(round, now);
}

void reporter::lasting(const discovery::round& round, std::chrono::steady_clock::time_point now) {
  std::vector<const discovery::source_status*> due;
  for (const auto& source : round.sources) {
    if (source.outcome != discovery::query_outcome::nxdomain) {
      absent_names_.erase(source.source);
      continue;
    }
    auto& its = absent_names_.try_emplace(source.source, absent_name{now}).first->second;
    if (now - its.since >= start_may_take && !std::exchange(its.told, true)) due.push_back(&source);
  }
  if (due.empty()) return;
  const auto& first = *due.front();
  const auto since = absent_names_[first.source].since;
  log_.warning(fmt::format("{}: for {} s now: {}{}", first.source,
                           std::chrono::duration_cast<std::chrono::seconds>(now - since).count(),
                           first.detail, likewise(due)),
               {{"source", first.source}, {"see", "/runbook#rollcallnothingdiscovered"}});
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
  const auto [seen, first] = strangers_.emplace(from, code.value());
  if (!first) return;
  const bool harmless = !peer && said_nothing(code);
  const bool told =
      limited("nodes that dialled us and were turned away", harmless ? log_level::info : log_level::warning,
              harmless ? "a connection came to nothing" : "a node that dialled us was turned away",
              {{"from", from},
               {"node", peer ? peer->text() : std::string("unknown")},
               {"why", detail.empty() ? code.message() : detail}});
  if (!told) strangers_.erase(seen);  // told when there is room for it
}

}  // namespace rollcall::app
