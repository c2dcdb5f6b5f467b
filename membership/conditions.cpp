// One rule per condition, worst first. What is an alarm and what is not: docs/membership.md.
#include "membership/conditions.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "membership/places.hpp"

namespace rollcall::membership {
namespace {

std::string some_of(const std::vector<std::string>& names) {
  const auto shown = std::min(names.size(), conditions::most_names);
  auto text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

std::string shown(const member& m) {
  return m.why == reason::none ? fmt::format("{} ({})", m.name.text(), to_string(m.state))
                               : fmt::format("{} ({})", m.name.text(), to_string(m.why));
}

template <class Predicate>
std::vector<std::string> names_where(const snapshot& s, Predicate&& holds) {
  std::vector<std::string> names;
  for (const auto& m : s.members) {
    if (holds(m)) names.push_back(shown(m));
  }
  return names;
}

// Of every mesh that has more than one.
std::string partitions_of(const snapshot& s) {
  std::map<std::string_view, std::vector<std::string>> by_base;
  for (std::size_t index = 0; index < s.partitions.size(); ++index) {
    const auto& part = s.partitions[index];
    by_base[s.base_of_partition(index)].push_back(
        part.size() == 1 ? part.front().text()
                         : fmt::format("{} with {} other{}", part.front().text(), part.size() - 1,
                                       part.size() == 2 ? "" : "s"));
  }
  std::string text;
  for (const auto& [base, groups] : by_base) {
    if (groups.size() < 2) continue;
    text += fmt::format("{}{} partitions{}{}: {}", text.empty() ? "" : "; ", groups.size(),
                        base.empty() ? "" : " of ", base, some_of(groups));
  }
  return text;
}

// As the end of a sentence.
template <class Predicate>
std::string along(const snapshot& s, Predicate&& holds) {
  std::vector<whereabouts> these, others;
  for (const auto& m : s.members) {
    if (m.listed) (holds(m) ? these : others).push_back({m.machine, m.zone});
  }
  const auto where = common_place(these, others);
  return where.empty() ? std::string() : "; " + where;
}

std::string last_word(const source_report& source) {
  return source.detail.empty() ? std::string(to_string(source.outcome)) : source.detail;
}

bool wanted(const member& m) {
  return m.listed && m.state != member_state::up && m.state != member_state::leaving &&
         m.state != member_state::left;
}

// Of what --mesh=base keeps apart, each may be set up in its own way: the next release, perhaps.
// `value` gives a number, if it is known, and `text` says it.
template <class Value, class Text>
void differs(const snapshot& s, std::string_view what, Value&& value, Text&& text,
             std::vector<std::string>& found) {
  std::map<std::string_view, std::map<std::int64_t, std::size_t>> by_base;
  // Mostly all say the same.
  const std::string* base_before = nullptr;
  std::optional<std::int64_t> known_before;
  std::size_t* said_alike = nullptr;
  for (const auto& m : s.members) {
    const auto known = m.state == member_state::up ? value(m) : std::optional<std::int64_t>();
    if (!known) continue;
    if (said_alike == nullptr || known != known_before || *base_before != m.base) {
      base_before = &m.base;
      known_before = known;
      said_alike = &by_base[m.base][*known];
    }
    ++*said_alike;
  }
  for (const auto& [base, counted] : by_base) {
    if (counted.size() < 2) continue;
    std::vector<std::string> parts;
    parts.reserve(counted.size());
    for (const auto& [known, count] : counted) parts.push_back(fmt::format("{} on {}", text(known), count));
    std::ranges::sort(parts);
    found.push_back(fmt::format("{}{}{} is {}", what, base.empty() ? "" : " in ", base, some_of(parts)));
  }
}

bool incident_open(const snapshot& s) {
  return std::ranges::any_of(*s.incidents, [](const incident& i) { return !i.closed_at; });
}

std::optional<std::int64_t> number_of(const std::optional<bool>& value) {
  if (!value) return std::nullopt;
  return *value ? 1 : 0;
}

std::string yes_or_no(std::int64_t value) {
  return value != 0 ? "true" : "false";
}

}  // namespace

void conditions::sources_told(const std::vector<source_report>& sources, moment now) {
  for (const auto& source : sources) {
    auto [at, fresh] =
        watched_.try_emplace(source.source, source_watch{.last_success = {}, .succeeded = now.steady});
    auto& watch = at->second;
    if (source.last_success && source.last_success != watch.last_success) {
      watch.last_success = source.last_success;
      watch.succeeded = now.steady;
      watch.ever = true;
    } else if (source.asked &&
               (source.outcome == query_outcome::ok || source.outcome == query_outcome::partial)) {
      watch.succeeded = now.steady;
      watch.ever = true;
    }
  }
}

bool conditions::lasts(condition name, bool holds, milliseconds grace, moment now, deadline& wake) {
  auto& since = since_[static_cast<std::size_t>(name)];
  if (!holds) {
    since.reset();
    return false;
  }
  if (!since) since = now.steady;
  wake.note(*since + grace);
  return now.steady - *since >= grace;
}

// What was raised stays raised for an interval after it was last true: nothing is over and raised again
// within a moment. A netsplit is over with its incident, which closes after an interval, too.
void conditions::linger(const snapshot& s, findings& found, moment now, deadline& wake) {
  for (const auto name : {condition::netsplit, condition::possible_split}) {
    auto& last = raised_last_[static_cast<std::size_t>(name)];
    const auto holds = std::ranges::find(found.raised, name, &raised_condition::name);
    if (holds != found.raised.end()) {
      const bool by_incident_only = name == condition::netsplit && s.most_partitions() < 2;
      last = {*holds, by_incident_only && last ? last->second : now.steady};
      continue;
    }
    if (!last) continue;
    if (name == condition::netsplit && !incident_open(s)) {
      last.reset();
      continue;
    }
    const auto ends = last->second + options_.interval;
    wake.note(ends);
    if (now.steady < ends) {
      found.raised.push_back(last->first);
    } else {
      last.reset();
    }
  }
}

std::vector<raised_condition> conditions::judge(const snapshot& s, moment now, deadline& wake) {
  findings found;
  discovered(s, found);
  split(s, found, now, wake);
  stale_sources(s, found, now, wake);
  missing(s, found, now, wake);
  refused(s, found);
  differing(s, found);
  // While many start at once on a busy machine a pair is tried by itself first, and in a moment later.
  if (lasts(condition::quarantine, !s.quarantine.empty(), 2 * options_.interval, now, wake)) {
    std::vector<std::string> sentences;
    for (const auto& out : s.quarantine) sentences.push_back(out.text);
    found.warning(condition::quarantine, some_of(sentences));
  }
  // A node may be linked before the answer that lists it is asked for.
  if (lasts(condition::unlisted_nodes, !s.unlisted.empty(), 2 * options_.interval, now, wake)) {
    std::vector<std::string> names;
    for (const auto& name : s.unlisted) names.push_back(name.text());
    found.warning(condition::unlisted_nodes,
                  fmt::format("linked to members, but listed by no source: {}; another cluster with the same "
                              "cookie, or a remote shell that is not hidden?",
                              some_of(names)));
  }
  if (s.paused_until) {
    found.warning(
        condition::healing_paused,
        fmt::format("no node is asked to connect or to leave for another {} s: `rollcall resume` ends it",
                    std::max<std::int64_t>(0, (*s.paused_until - s.at).count() + 999) / 1000));
  }
  expiring(s, found, now, wake);
  linger(s, found, now, wake);
  std::ranges::stable_sort(found.raised, std::ranges::greater{}, &raised_condition::how_bad);
  return std::move(found.raised);
}

namespace {

struct certificate_finding {
  severity how_bad;
  std::string text;
};

// One that is renewed by itself lives for weeks or a day, and is renewed with a third of its life left.
std::optional<certificate_finding> look_at(const fact::certificate& shown, moment now, deadline& wake) {
  constexpr milliseconds notice = std::chrono::days(14);
  const bool http = shown.shown_to == fact::certificate::of::http;
  const auto* const which =
      http ? "our certificate for HTTPS (--http-tls-cert)" : "our certificate for TLS distribution";
  const auto left = shown.ends - now.wall;
  const auto soon = std::min(notice, (shown.ends - shown.begins) / 6);
  if (left > soon) {
    wake.note(now.steady + std::min<milliseconds>(left - soon, std::chrono::hours(1)));
    return {};
  }
  if (left > milliseconds(0)) {
    wake.note(now.steady + std::min<milliseconds>(left, std::chrono::hours(1)));
    const auto end =
        fmt::gmtime(std::chrono::floor<std::chrono::seconds>(shown.ends.time_since_epoch()).count());
    return certificate_finding{severity::warning,
                               fmt::format("{} ends at {:%Y-%m-%d %H:%M} UTC: renew it; it is read again "
                                           "when its file changes",
                                           which, end)};
  }
  return certificate_finding{
      severity::error,
      fmt::format("{} has expired: {}; renew it, it is read again when its file changes", which,
                  http ? "a browser or a Prometheus that verifies it gets no answer"
                       : "nodes that verify it refuse new links")};
}

}  // namespace

// One condition, which says of each certificate when it ends; as bad as the worse of them.
void conditions::expiring(const snapshot& s, findings& found, moment now, deadline& wake) {
  std::optional<certificate_finding> said;
  for (const auto* shown : {&s.certificate, &s.http_certificate}) {
    if (!*shown) continue;
    auto one = look_at(**shown, now, wake);
    if (!one) continue;
    if (!said) {
      said = std::move(one);
      continue;
    }
    said->how_bad = std::max(said->how_bad, one->how_bad);
    said->text += ". And " + one->text;
  }
  if (said) found.raise(condition::certificate_expiring, said->how_bad, std::move(said->text));
}

void conditions::discovered(const snapshot& s, findings& found) {
  if (s.starting) found.warning(condition::starting, "not every listed node was dialled yet");
  if (!s.starting && s.listed == 0) {
    std::vector<std::string> hidden;
    for (const auto& name : s.hidden) hidden.push_back(name.text());
    found.error(
        condition::nothing_discovered,
        hidden.empty() ? "no source lists any node: see the sources' last answers, and the service's name"
        : hidden.size() == 1
            ? fmt::format("the one listed node is hidden and no member: {}", hidden.front())
            : fmt::format("{} listed nodes are hidden and no members: {}", hidden.size(), some_of(hidden)));
  }
  if (s.isolated) {
    found.error(
        condition::isolated,
        fmt::format("none of {} listed members can be reached: Rollcall itself may be cut off", s.listed));
  }
}

void conditions::split(const snapshot& s, findings& found, moment now, deadline& wake) {
  // Said only of what is on record, so that the two never contradict each other.
  const bool parted = lasts(condition::netsplit, s.most_partitions() > 1, 2 * options_.interval, now, wake);
  if (parted && incident_open(s)) {
    found.error(condition::netsplit, partitions_of(s));
  } else {
    bool full = false, partial = false;
    std::string text;
    for (const auto& i : *s.incidents) {
      if (i.closed_at || !i.confirmed) continue;
      full |= i.type == incident_type::full;
      partial |= i.type != incident_type::full;
      text += fmt::format("{}netsplit {} ({})", text.empty() ? "" : "; ", i.id, to_string(i.type));
      if (i.cause) text += fmt::format(" between {} and {}", i.cause->from.text(), i.cause->to.text());
    }
    if (full) {
      found.error(condition::netsplit, std::move(text));
    } else if (partial) {
      found.warning(condition::netsplit, std::move(text));
    }
  }
  // A dead zone and our own cut look alike, so this is said and not decided. Who falls silent with everybody
  // else does so within a moment, and that is `isolated`.
  const auto moment_of_silence = std::min(milliseconds(1'000), options_.interval / 4);
  if (!lasts(condition::possible_split, s.fell_silent, moment_of_silence, now, wake)) return;
  const auto silent = names_where(s, [](const member& m) { return m.silent; });
  found.error(condition::possible_split,
              fmt::format("{} of {} expected members fell silent and are still listed: {}{}", silent.size(),
                          s.expected, some_of(silent), along(s, [](const member& m) { return m.silent; })));
}

void conditions::stale_sources(const snapshot& s, findings& found, moment now, deadline& wake) {
  for (auto& [name, watch] : watched_) wake.note(watch.succeeded + options_.discovery_stale_after);
  std::vector<std::string> stale;
  bool in_force = false;
  for (const auto& source : s.sources) {
    const auto known = watched_.find(source.source);
    if (known == watched_.end() || !source.asked) continue;
    const auto& watch = known->second;
    if (!watch.ever) {
      stale.push_back(fmt::format("{} has not answered yet ({})", source.source, last_word(source)));
    } else if (now.steady - watch.succeeded >= options_.discovery_stale_after) {
      in_force = true;
      stale.push_back(fmt::format("{} gave no good answer for {} s ({})", source.source,
                                  (now.steady - watch.succeeded).count() / 1000, last_word(source)));
    }
  }
  if (stale.empty()) return;
  found.warning(condition::discovery_stale,
                some_of(stale) + (in_force ? "; the last good answer stays in force" : ""));
}

void conditions::missing(const snapshot& s, findings& found, moment now, deadline& wake) {
  const auto grace = 2 * options_.interval;
  auto absent = names_where(s, wanted);
  for (const auto& source : s.sources) {
    for (const auto& each : source.unnamed) {
      if (each.there) absent.push_back(each.address);
    }
  }
  const auto present = static_cast<std::size_t>(std::ranges::count_if(s.members, [](const member& m) {
    return m.state == member_state::up || m.state == member_state::leaving;
  }));
  // --expect may know of more than discovery lists; unlisted members that are up make up for those.
  const auto count =
      std::max(absent.size(), options_.expect > present ? options_.expect - present : std::size_t{0});
  if (lasts(condition::members_missing, !s.starting && count > 0, grace, now, wake)) {
    const auto who = absent.empty() ? std::string("no source lists the others") : some_of(absent);
    // Some are missing in every deploy; all of them, in none.
    found.raise(condition::members_missing, s.up == 0 ? severity::error : severity::warning,
                fmt::format("{} of {} expected members {} missing: {}{}", count, s.expected,
                            count == 1 ? "is" : "are", who, along(s, wanted)));
  }
  if (!lasts(condition::links_missing, s.links_missing > 0, grace, now, wake)) return;
  std::vector<std::string> ends;
  for (const auto& m : s.members) {
    if (m.links_missing > 0) ends.push_back(fmt::format("{} ({})", m.name.text(), m.links_missing));
  }
  found.warning(condition::links_missing,
                fmt::format("{} {} of members not connected, by member: {}", s.links_missing,
                            s.links_missing == 1 ? "pair" : "pairs", some_of(ends)));
}

void conditions::refused(const snapshot& s, findings& found) const {
  std::vector<std::string> refusing, misnamed;
  for (const auto& m : s.members) {
    if (m.state == member_state::up || m.state == member_state::left) continue;
    if (m.why == reason::cookie) refusing.push_back(m.name.text());
    if (m.why == reason::name_mismatch) {
      misnamed.push_back(m.detail.empty() ? m.name.text() : fmt::format("{} ({})", m.name.text(), m.detail));
    }
  }
  for (const auto& source : s.sources) {
    for (const auto& each : source.unnamed) {
      if (each.why == reason::cookie) refusing.push_back(each.address);
    }
  }
  if (!refusing.empty()) {
    found.warning(condition::cookie_refused,
                  fmt::format("our cookie is refused by {}; it is tried again when the cookie file changes, "
                              "and every {} s",
                              some_of(refusing), options_.cookie_retry.count() / 1000));
  }
  if (!misnamed.empty()) {
    found.warning(condition::name_mismatch,
                  fmt::format("another name answers where discovery lists: {}", some_of(misnamed)));
  }
}

void conditions::differing(const snapshot& s, findings& found) {
  std::vector<std::string> drift;
  differs(
      s, "prevent_overlapping_partitions",
      [](const member& m) { return number_of(m.prevent_overlapping_partitions); }, yes_or_no, drift);
  differs(
      s, "connect_all", [](const member& m) { return number_of(m.connect_all); }, yes_or_no, drift);
  differs(
      s, "net_ticktime",
      [](const member& m) -> std::optional<std::int64_t> {
        if (!m.net_ticktime) return std::nullopt;
        return m.net_ticktime->count() / 1000;
      },
      [](std::int64_t seconds) { return fmt::format("{} s", seconds); }, drift);
  differs(
      s, "the kind of name",
      [](const member& m) -> std::optional<std::int64_t> {
        return m.name.kind() == name_kind::long_name ? 1 : 0;
      },
      [](std::int64_t is_long) { return std::string(is_long != 0 ? "-name" : "-sname"); }, drift);
  const auto release = [](const member& m) {
    return fmt::format("{} (OTP {})", m.name.text(), m.otp_release.value_or("23"));
  };
  const auto up_and = [&](auto&& holds) {
    return std::ranges::find_if(s.members,
                                [&](const member& m) { return m.state == member_state::up && holds(m); });
  };
  const auto old = up_and([](const member& m) { return m.old_protocol; });
  const auto insisting = up_and([](const member& m) { return m.insists; });
  if (old != s.members.end() && insisting != s.members.end()) {
    drift.push_back(
        fmt::format("their releases refuse each other: {} and {}, which are never asked to connect",
                    release(*old), release(*insisting)));
  }
  if (drift.empty()) return;
  found.warning(condition::config_drift,
                fmt::format("members differ in their settings: {}", fmt::join(drift, "; ")));
}

}  // namespace rollcall::membership
