#include "app/watch_screen.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "app/answer_readers.hpp"
#include "app/answer_tables.hpp"
#include "app/printable.hpp"
#include "app/short_names.hpp"
#include "app/table.hpp"

namespace rollcall::app {
namespace {

namespace json = boost::json;

// Of a small terminal, what is wrong takes a third, so that members are seen; a sentence is cut to so many
// lines.
constexpr std::size_t share_of_trouble = 3, lines_of_a_sentence = 2;

struct line {
  std::string text;
  paint how = paint::plain;
};

// At most `columns`; what was cut is said by an ellipsis.
std::string cut(std::string_view text, std::size_t columns) {
  if (columns == 0 || display_width(text) <= columns) return std::string(text);
  std::string out;
  std::size_t width = 0;
  for (const auto byte : text) {
    const bool begins = (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
    if (begins && ++width == columns) break;
    out += byte;
  }
  return out + "…";
}

// The lines of a sentence behind its heading, the last one cut where it goes on.
std::vector<line> lines_of(const std::string& heading, std::string_view sentence, paint how,
                           std::size_t columns, std::size_t most) {
  const auto whole = printable(heading + std::string(sentence));
  std::vector<line> lines;
  for (const auto& each : wrapped(whole, columns)) {
    if (lines.size() == most) {
      lines.back().text = cut(lines.back().text + " " + each, columns);
      break;
    }
    lines.push_back({each, how});
  }
  return lines;
}

std::string count(const json::object& status, std::string_view key, std::string_view one,
                  std::string_view many) {
  const auto value = text_of(status, key);
  return value.empty() || value == "0" ? "" : fmt::format(", {} {}", value, value == "1" ? one : many);
}

// "12:03:04" is the caller's; "20 members, 17 up: 2 suspect, 1 down; 2 partitions, 12 links missing".
std::string summary(const json::object& status) {
  const auto* states = member_of(status, "members");
  std::string others;
  if (states != nullptr && states->is_object()) {
    for (const auto* state : {"down", "suspect", "joining", "leaving"}) {
      const auto value = text_of(states->get_object(), state);
      if (!value.empty() && value != "0") others += fmt::format(", {} {}", value, state);
    }
  }
  auto text =
      fmt::format("{} of {} members up{}", text_of(status, "up"), text_of(status, "expected"), others);
  if (const auto partitions = text_of(status, "partitions"); partitions != "0" && partitions != "1")
    text += count(status, "partitions", "partition", "partitions");
  return text + count(status, "links_missing", "link missing", "links missing");
}

bool is_set(const json::object& status, std::string_view key) {
  const auto* value = member_of(status, key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

// Each is a sentence with its heading, gravest first as the server has them.
struct trouble {
  std::string heading, sentence;
  paint how;
};

std::vector<trouble> troubles(const watched& what, const short_names& shorten, milliseconds now) {
  std::vector<trouble> found;
  const auto& status = object(what.status);
  if (is_set(status, "standing_by")) found.push_back({"", std::string(standing_by_text), paint::warning});
  if (const auto* details = member_of(status, "details"); details != nullptr && details->is_array()) {
    for (const auto& element : details->get_array()) {
      const auto* of = element.if_object();
      if (of == nullptr) {
        found.push_back({"", shorten(text_of(element)), paint::plain});
        continue;
      }
      found.push_back({fmt::format("{} {}: ", text_of(*of, "severity"), text_of(*of, "name")),
                       shorten(text_of(*of, "text")), paint_of(text_of(*of, "severity"))});
    }
  }
  for (const auto& element : list(what.netsplits)) {
    if (time_of(object(element), "closed_at").count() != 0) continue;
    found.push_back({"open: ", shorten(netsplit_in_a_line(object(element), now)), paint::bad});
  }
  return found;
}

std::vector<line> trouble_lines(const std::vector<trouble>& all, std::size_t columns, std::size_t room) {
  std::vector<line> lines;
  // Two lines each where all fit, else one.
  for (auto most = lines_of_a_sentence; most > 0; --most) {
    lines.clear();
    for (const auto& each : all) {
      const auto its = lines_of(each.heading, each.sentence, each.how, columns, most);
      lines.insert(lines.end(), its.begin(), its.end());
    }
    if (lines.size() <= room) return lines;
  }
  const auto left_out = lines.size() - std::min(room, lines.size()) + 1;
  lines.resize(room);
  if (room > 0) lines.back() = {fmt::format("and {} more: rollcall status", left_out), paint::plain};
  return lines;
}

// Members that left are shown for as long as in `rollcall members`.
int rank(const json::object& member) {
  constexpr std::array states{"down", "suspect", "joining", "leaving", "up", "left"};
  const auto state = text_of(member, "state");
  const auto at = std::ranges::find(states, state);
  const auto missing = text_of(member, "missing");
  const bool lacks = state == "up" && !missing.empty() && missing != "0";
  return lacks ? 3 : 2 * static_cast<int>(at - states.begin());
}

std::vector<const json::object*> worst_first(const json::array& all, milliseconds now) {
  std::vector<const json::object*> members;
  for (const auto& element : all) {
    if (!left_long_ago(object(element), now)) members.push_back(&object(element));
  }
  std::ranges::stable_sort(members, natural_less, [](const auto* m) { return text_of(*m, "node"); });
  std::ranges::stable_sort(members, {}, [](const auto* m) { return rank(*m); });
  return members;
}

std::vector<std::string> table_of(std::span<const json::object* const> members, const short_names& shorten,
                                  milliseconds now, const terminal& on) {
  table rows({"NODE", "STATE", "(REASON)", "(SINCE)", "SEES", "MISSING", "(PARTITION)"});
  // A name so long that it would be broken is cut: a member is a line.
  constexpr std::size_t beside = 48, least = 16;
  for (const auto* each : members) {
    const auto& m = *each;
    const auto state = text_of(m, "state");
    rows.row({cut(shorten(text_of(m, "node")), std::max(on.columns, beside + least) - beside),
              {state, paint_of(state)},
              text_of(m, "reason"),
              age(now, time_of(m, "since_at")),
              text_of(m, "visible"),
              text_of(m, "missing"),
              text_of(m, "partition")});
  }
  std::ostringstream out;
  rows.print(out, on);
  std::vector<std::string> lines;
  std::istringstream text(out.str());
  for (std::string each; std::getline(text, each);) lines.push_back(each);
  return lines;
}

std::string how_many_more(std::span<const json::object* const> members) {
  std::map<std::string, std::size_t> states;
  for (const auto* each : members) ++states[text_of(*each, "state")];
  std::string counts;
  for (const auto& [state, number] : states)
    counts += fmt::format("{}{}", counts.empty() ? "" : ", ",
                          states.size() == 1 ? state : fmt::format("{} {}", number, state));
  return fmt::format("and {} more, {}{}", members.size(), states.size() == 1 ? "all " : "", counts);
}

// As many as there is room for, and below them how many more, and what all names end in.
std::vector<std::string> member_lines(const json::array& all, milliseconds now, const terminal& on,
                                      std::size_t room) {
  const auto members = worst_first(all, now);
  if (members.empty()) return {"no members"};
  const short_names shorten(names_of(all, "node"));
  const auto note = [&](std::size_t shown) {
    auto text = shown < members.size() ? how_many_more(std::span(members).subspan(shown)) : std::string();
    if (!shorten.suffix().empty())
      text += (text.empty() ? "" : "; ") + ("names end in " + printable(shorten.suffix()));
    return text;
  };
  for (auto shown = std::min(members.size(), room);; --shown) {
    const auto below = note(shown);
    auto lines =
        shown == 0 ? std::vector<std::string>() : table_of({members.data(), shown}, shorten, now, on);
    if (lines.size() + (below.empty() ? 0 : 1) > room && shown > 0) continue;
    if (!below.empty()) lines.push_back(painted(on, paint::faint, cut(below, on.columns)));
    return lines;
  }
}

}  // namespace

std::vector<std::string> watch_screen(const watched& what, milliseconds now, const terminal& on) {
  const auto& status = object(what.status);
  const auto& members = list(what.members);
  const auto health = text_of(status, "health");
  std::vector<std::string> lines{painted(on, paint_of(health), health) + ": " +
                                 cut(summary(status), on.columns - std::min(on.columns, health.size() + 2))};
  const auto rows = std::max<std::size_t>(on.rows, 6) - 1;
  // A heading, each member, a line below; an empty line before.
  const auto wanted = 3 + members.size();
  const auto room = rows - lines.size();
  const auto for_trouble = std::max(room / share_of_trouble, room - std::min(room, wanted));
  const short_names shorten(names_of(members, "node"));
  for (const auto& each : trouble_lines(troubles(what, shorten, now), on.columns, for_trouble))
    lines.push_back(painted(on, each.how, each.text));
  lines.emplace_back();
  const auto below = member_lines(members, now, on, rows - lines.size());
  lines.insert(lines.end(), below.begin(), below.end());
  return lines;
}

}  // namespace rollcall::app
