#include "app/answer_tables.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <sstream>
#include <stdexcept>

#include "app/answer_readers.hpp"
#include "app/options.hpp"
#include "app/printable.hpp"
#include "app/short_names.hpp"
#include "app/table.hpp"

namespace rollcall::app {
namespace {

namespace json = boost::json;

// A member that left is of no interest after this, unless it is asked for.
constexpr milliseconds left_is_shown{600'000};

void collect_names(const json::value& value, std::vector<std::string>& names) {
  if (const auto* all = value.if_array()) {
    for (const auto& each : *all) collect_names(each, names);
  } else if (const auto* of = value.if_object()) {
    for (const auto& [key, each] : *of) {
      if (key == "groups" || key == "nodes" || key == "left_out" || key == "from" || key == "to" ||
          key == "node")
        collect_names(each, names);
    }
  } else if (const auto* name = value.if_string(); name != nullptr && name->find('@') != json::string::npos) {
    names.emplace_back(*name);
  }
}

// Into a pipe names are written in full.
short_names shortener_of(const json::value& answer, const terminal& on) {
  if (on.columns == 0) return {};
  std::vector<std::string> names;
  if (const auto* all = answer.if_array()) {
    for (const auto& each : *all) collect_names(each, names);
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return short_names(names);
}

void tell_suffix(const short_names& shorten, const terminal& on, std::ostream& out) {
  if (!shorten.suffix().empty())
    out << painted(on, paint::faint, "names end in " + printable(shorten.suffix())) << '\n';
}

cell colored(std::string word) {
  const auto how = paint_of(word);
  return {std::move(word), how};
}

void show_members(const configuration& asked, const json::value& answer, milliseconds now, const terminal& on,
                  std::ostream& out) {
  const auto& all = list(answer);
  std::vector<const json::object*> shown;
  std::size_t gone = 0;
  for (const auto& element : all) {
    const auto& member = object(element);
    const bool is_old = asked.state.empty() && left_long_ago(member, now);
    if (is_old)
      ++gone;
    else
      shown.push_back(&member);
  }
  std::ranges::stable_sort(shown, natural_less, [](const auto* m) { return text_of(*m, "node"); });
  const auto shorten = on.columns > 0 ? short_names(names_of(all, "node")) : short_names();
  table members({"NODE", "STATE", "REASON", "SINCE", "(LISTED)", "SEES", "MISSING", "(PARTITION)", "(OTP)"});
  for (const auto* each : shown) {
    const auto& m = *each;
    members.row({shorten(text_of(m, "node")), colored(text_of(m, "state")), text_of(m, "reason"),
                 age(now, time_of(m, "since_at")), text_of(m, "listed"), text_of(m, "visible"),
                 text_of(m, "missing"), text_of(m, "partition"), text_of(m, "otp_release")});
  }
  if (members.empty()) {
    out << (asked.state.empty() ? "no members\n" : "no member is " + asked.state + "\n");
  } else {
    members.print(out, on);
    tell_suffix(shorten, on, out);
  }
  if (gone > 0)
    out << fmt::format("{} that left more than {} ago: --state left\n", gone, span(left_is_shown));
}

void show_member(const json::value& answer, milliseconds now, const terminal& on, std::ostream& out) {
  table facts({});
  for (const auto& [key, value] : object(answer)) {
    if (value.is_null()) continue;
    const std::string name(key);
    if (name.ends_with("_at") && value.is_number()) {
      facts.row({name.substr(0, name.size() - 3), age(now, time_of(object(answer), name))});
    } else {
      facts.row({name, colored(text_of(value))});
    }
  }
  facts.print(out, on);
}

void show_why(const json::value& answer, const terminal& on, std::ostream& out) {
  const auto& found = object(answer);
  const auto state = text_of(found, "state");
  out << printable(text_of(found, "node")) << (state.empty() ? "" : ": ")
      << painted(on, paint_of(state), state) << '\n';
  table steps({});
  const auto* all = member_of(found, "steps");
  if (all == nullptr || !all->is_array()) throw std::runtime_error("the answer has no steps");
  for (const auto& element : all->get_array()) {
    const auto& step = object(element);
    const auto* ok = member_of(step, "ok");
    const bool known = ok != nullptr && ok->is_bool();
    steps.row({"  " + text_of(step, "step"),
               colored(!known           ? "-"
                       : ok->get_bool() ? "ok"
                                        : "FAILED"),
               text_of(step, "text")});
  }
  steps.print(out, on);
  const auto text = text_of(found, "text");
  if (const auto* stuck = member_of(found, "stuck_at");
      !text.empty() && (stuck == nullptr || stuck->is_null()))
    out << printable(text) << '\n';
}

// Names that sentences hold, for what all of them end in.
short_names shortener_of_sentences(const json::value& details, const terminal& on) {
  if (on.columns == 0) return {};
  std::vector<std::string> names;
  std::istringstream words(text_of(details));
  for (std::string word; words >> word;) {
    if (word.find('@') == std::string::npos) continue;
    const auto begin = word.find_first_not_of('(');
    names.push_back(word.substr(begin, word.find_last_not_of(",;:)") + 1 - begin));
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return short_names(names);
}

// A detail is an object with a name, or only a text.
std::vector<cell> detail_row(const json::value& detail, const short_names& shorten) {
  const auto* parts = detail.if_object();
  if (parts == nullptr) return {"", shorten(text_of(detail))};
  std::string rest;
  for (const auto& [key, value] : *parts) {
    if (key == "name" || key == "severity" || value.is_null()) continue;
    const auto text = text_of(value);
    const bool sentence = key == "text" || key == "detail" || key == "message";
    rest += fmt::format("{}{}", rest.empty() ? "" : " ",
                        sentence ? text : fmt::format("{}={}", std::string_view(key), text));
  }
  return {"", colored(text_of(*parts, "severity")), text_of(*parts, "name"), shorten(rest)};
}

int show_status(const json::value& answer, milliseconds now, const terminal& on, std::ostream& out) {
  const auto& status = object(answer);
  const auto health = text_of(status, "health");
  if (health.empty()) throw std::runtime_error("the answer has no health");
  table facts({});
  table details({});
  const auto* sentences = member_of(status, "details");
  const auto shorten = sentences == nullptr ? short_names() : shortener_of_sentences(*sentences, on);
  const auto* standing_by = member_of(status, "standing_by");
  if (standing_by != nullptr && standing_by->is_bool() && standing_by->get_bool())
    out << standing_by_text << '\n';
  facts.row({"health", colored(health)});
  for (const auto& [key, value] : status) {
    const std::string name(key);
    if (name == "health") continue;
    if (name == "details" && value.is_array()) {
      for (const auto& detail : value.get_array()) details.row(detail_row(detail, shorten));
    } else if (name == "meshes" && value.is_array()) {
      for (const auto& mesh : value.get_array()) facts.row({"mesh", text_of(mesh)});
    } else if (name == "quarantine" && value.is_array() && !value.get_array().empty()) {
      // The details say why.
      facts.row({name, shorten(fmt::format("{}", fmt::join(names_of(value.get_array(), "node"), ", ")))});
    } else if (name == "at") {
      facts.row({"changed", age(now, time_of(status, name))});
    } else if (name == "paused_until_at" && value.is_number()) {
      facts.row({"paused, ends", ahead(now, time_of(status, name))});
    } else if (name.ends_with("_at") && value.is_number()) {
      facts.row({name.substr(0, name.size() - 3), age(now, time_of(status, name))});
    } else if (!value.is_null() && !(value.is_array() && value.get_array().empty())) {
      facts.row({name, text_of(value)});
    }
  }
  facts.print(out, on);
  if (!details.empty()) {
    out << "\ndetails\n";
    details.print(out, on);
  }
  tell_suffix(shorten, on, out);
  return health == "ok" ? answered : not_well;
}

void show_partitions(const json::value& answer, const terminal& on, std::ostream& out) {
  // Of deploys that are kept apart, each partition says which mesh it is of.
  const auto& all = list(answer);
  const bool apart = !all.empty() && all.front().is_object();
  const auto shorten = shortener_of(answer, on);
  table partitions(apart ? std::vector<std::string>{"MESH", "PARTITION", "SIZE", "NODES"}
                         : std::vector<std::string>{"PARTITION", "SIZE", "NODES"});
  std::size_t index = 0;
  for (const auto& element : all) {
    const auto* of = element.if_object();
    const auto* nodes = of != nullptr ? of->if_contains("nodes") : &element;
    if (nodes == nullptr) continue;
    auto sorted = list(*nodes);
    std::ranges::sort(sorted, natural_less, [](const json::value& name) { return text_of(name); });
    std::vector<cell> row{std::to_string(index++), std::to_string(sorted.size()),
                          shorten(text_of(json::value(sorted)))};
    if (apart) row.insert(row.begin(), of != nullptr ? text_of(*of, "mesh") : std::string());
    partitions.row(std::move(row));
  }
  if (partitions.empty()) {
    out << "no partitions: no member is up\n";
    return;
  }
  partitions.print(out, on);
  tell_suffix(shorten, on, out);
}

// A group by its size, its first names, and how many more there are.
std::string short_group(const json::value& group, const short_names& shorten) {
  constexpr std::size_t most = 3;
  const auto& nodes = list(group);
  std::string names;
  for (std::size_t i = 0; i < nodes.size() && i < most; ++i)
    names += (i == 0 ? "" : " ") + shorten(text_of(nodes[i]));
  if (nodes.size() > most) names += fmt::format(" +{}", nodes.size() - most);
  return fmt::format("{}: {}", nodes.size(), names);
}

std::string groups_of(const json::object& incident, const short_names& shorten) {
  std::string groups;
  const auto* all = member_of(incident, "groups");
  // One group: nobody is cut off from all others, pairs are dark.
  if (all == nullptr || !all->is_array() || all->get_array().size() < 2) return groups;
  for (const auto& group : all->get_array())
    groups += fmt::format("{}{}", groups.empty() ? "" : " | ", short_group(group, shorten));
  return groups;
}

std::string first_broken_pair(const json::object& incident, const short_names& shorten) {
  const auto* cause = member_of(incident, "cause");
  if (cause == nullptr || !cause->is_object()) return {};
  const auto& c = cause->get_object();
  const auto path = text_of(c, "path");
  return fmt::format("{} - {} ({}{})", shorten(text_of(c, "from")), shorten(text_of(c, "to")),
                     text_of(c, "reason"), path.empty() ? "" : ", path: " + path);
}

// A line for each, and under it what does not fit into a column.
void show_netsplits(const json::value& answer, milliseconds now, const terminal& on, std::ostream& out) {
  const auto shorten = shortener_of(answer, on);
  for (const auto& element : list(answer)) {
    const auto& incident = object(element);
    const auto opened = time_of(incident, "opened_at"), closed = time_of(incident, "closed_at");
    const auto ended = text_of(incident, "ended");
    const bool open = closed.count() == 0;
    out << fmt::format(
        "{}  {}  {}, opened {}, {}\n", text_of(incident, "id"),
        painted(on, paint_of(open ? "error" : "-"), open ? "OPEN" : "over"),
        printable(text_of(incident, "type")), age(now, opened),
        open ? "still open" : fmt::format("lasted {}, {}", span(closed - opened), printable(ended)));
    table more({});
    if (const auto pair = first_broken_pair(incident, shorten); !pair.empty())
      more.row({"   first broken pair", pair});
    if (const auto groups = groups_of(incident, shorten); !groups.empty()) more.row({"   groups", groups});
    if (const auto pairs = text_of(incident, "pairs_broken"); open && !pairs.empty())
      more.row({"   pairs cut", pairs});
    more.print(out, on);
  }
  if (list(answer).empty()) {
    out << "no netsplits\n";
  } else {
    tell_suffix(shorten, on, out);
  }
}

// The sentence names node and reason where it matters; without one, what there is.
std::string event_text(const json::object& event) {
  auto text = text_of(event, "text");
  if (!text.empty()) return name_once(std::move(text), text_of(event, "node"));
  json::object rest;
  for (const auto& [key, value] : event) {
    if (key != "id" && key != "at" && key != "type") rest[key] = value;
  }
  return text_of(json::value(rest));
}

void show_events(const json::value& answer, milliseconds now, const terminal& on, std::ostream& out) {
  const auto shorten = shortener_of(answer, on);
  table events({"ID", "WHEN", "(TYPE)", "WHAT"});
  for (const auto& element : list(answer)) {
    const auto& event = object(element);
    events.row({text_of(event, "id"), age(now, time_of(event, "at")), text_of(event, "type"),
                shorten(event_text(event))});
  }
  if (events.empty()) {
    out << "no events\n";
    return;
  }
  events.print(out, on);
  tell_suffix(shorten, on, out);
}

}  // namespace

bool left_long_ago(const json::object& member, milliseconds now) {
  return text_of(member, "state") == "left" && now - time_of(member, "since_at") > left_is_shown;
}

std::string netsplit_in_a_line(const json::object& incident, milliseconds now) {
  const short_names whole;
  const auto pair = first_broken_pair(incident, whole), groups = groups_of(incident, whole);
  return fmt::format("netsplit {}, {}, {}{}{}{}{}", text_of(incident, "id"), text_of(incident, "type"),
                     age(now, time_of(incident, "opened_at")), pair.empty() ? "" : ": first broken pair ",
                     pair, groups.empty() ? "" : ", groups ", groups);
}

std::string health_in(const json::value& status) {
  const auto* of = status.if_object();
  return of == nullptr ? std::string() : text_of(*of, "health");
}

void show_event(const json::value& answer, const terminal& on, std::ostream& out) {
  const auto& event = object(answer);
  const auto at = std::chrono::system_clock::time_point(time_of(event, "at"));
  const auto lines = wrapped(printable(event_text(event)), on.columns > 9 ? on.columns - 9 : 0);
  out << fmt::format("{:%H:%M:%S}", fmt::localtime(std::chrono::system_clock::to_time_t(at)));
  for (std::size_t i = 0; i < lines.size(); ++i) out << (i == 0 ? " " : "         ") << lines[i] << '\n';
}

int show(const configuration& asked, const json::value& answer, milliseconds now, const terminal& on,
         std::ostream& out) {
  switch (asked.command) {
    case command::members:
      if (asked.subject.empty())
        show_members(asked, answer, now, on, out);
      else
        show_member(answer, now, on, out);
      return answered;
    case command::why:
      show_why(answer, on, out);
      return answered;
    case command::status:
      return show_status(answer, now, on, out);
    case command::partitions:
      show_partitions(answer, on, out);
      return answered;
    case command::netsplits:
      show_netsplits(answer, now, on, out);
      return answered;
    case command::events:
      show_events(answer, now, on, out);
      return answered;
    default:
      break;
  }
  throw std::runtime_error("has no answer to show");
}

}  // namespace rollcall::app
