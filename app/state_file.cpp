#include "app/state_file.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>
#include <stdexcept>

#include "app/kept_json.hpp"

namespace rollcall::app {
namespace {

namespace json = boost::json;
using namespace membership;

constexpr std::size_t max_incidents_read = 1'000, max_kept_out = 100'000;

// ---- writing

json::value written(const std::vector<node_name>& names) {
  json::array items;
  for (const auto& name : names) items.emplace_back(name.text());
  return items;
}

json::value written(const incident& i) {
  json::object o{{"id", i.id},
                 {"type", to_string(i.type)},
                 {"counted_as", to_string(i.counted_as)},
                 {"confirmed", i.confirmed},
                 {"opened_at", since_epoch(i.opened_at)},
                 {"closed_at", nullptr},
                 {"ended", to_string(i.ended)},
                 {"left_out", written(i.left_out)},
                 {"broken_pairs", i.broken_pairs},
                 {"most_broken_pairs", i.most_broken_pairs},
                 {"cause", nullptr},
                 {"connects_asked", i.connects_asked},
                 {"connects_succeeded", i.connects_succeeded}};
  if (i.closed_at) o["closed_at"] = since_epoch(*i.closed_at);
  json::array groups, pairs, actions;
  for (const auto& group : i.groups) groups.emplace_back(written(group));
  for (const auto& [a, b] : i.pairs) pairs.emplace_back(json::array{a.text(), b.text()});
  for (const auto& act : i.actions) {
    actions.emplace_back(json::object{{"at", since_epoch(act.at)}, {"text", act.text}});
  }
  o["groups"] = std::move(groups);
  o["pairs"] = std::move(pairs);
  o["actions"] = std::move(actions);
  if (i.cause) {
    o["cause"] = json::object{{"from", i.cause->from.text()},
                              {"to", i.cause->to.text()},
                              {"reason", i.cause->reason},
                              {"path", i.cause->path},
                              {"at", since_epoch(i.cause->at)}};
  }
  return o;
}

template <class Numbers>
json::array numbers(const Numbers& all) {
  json::array items;
  for (const auto n : all) items.emplace_back(n);
  return items;
}

// ---- reading

node_name name_in(const json::value& v) {
  if (v.is_string()) {
    if (auto name = node_name::parse(std::string_view(v.get_string()))) return *std::move(name);
  }
  throw std::runtime_error(fmt::format("{} is not a node's name", json::serialize(v).substr(0, 300)));
}
std::vector<node_name> names_in(const json::array& items) {
  std::vector<node_name> names;
  for (const auto& item : items) names.push_back(name_in(item));
  return names;
}
template <class Enum>
Enum label_in(const json::object& of, std::string_view key, int count) {
  const auto text = text_in(of, key);
  for (int i = 0; i < count; ++i) {
    if (to_string(static_cast<Enum>(i)) == text) return static_cast<Enum>(i);
  }
  wrong(key, "one of its labels");
}

// 0 stands for never.
std::optional<membership::wall_time> moment_in(const json::object& of, std::string_view key) {
  const auto at = time_in(of, key);
  return at == membership::wall_time{} ? std::nullopt : std::optional(at);
}

incident incident_in(const json::value& v) {
  const auto& o = object_in(v, "an incident");
  incident i;
  i.id = count_in(o, "id");
  i.type = label_in<incident_type>(o, "type", incident_type_count);
  i.counted_as = label_in<incident_type>(o, "counted_as", incident_type_count);
  const auto& confirmed = field(o, "confirmed");
  if (!confirmed.is_bool()) wrong("confirmed", "true or false");
  i.confirmed = confirmed.get_bool();
  i.opened_at = time_in(o, "opened_at");
  if (!field(o, "closed_at").is_null()) i.closed_at = time_in(o, "closed_at");
  i.ended = label_in<incident_end>(o, "ended", membership::incident_end_count);
  if (i.closed_at.has_value() == (i.ended == incident_end::open)) wrong("ended", "what closed_at says");
  for (const auto& group : array_in(o, "groups", max_incident_names)) {
    if (!group.is_array()) wrong("groups", "a list of lists");
    i.groups.push_back(names_in(group.get_array()));
  }
  i.left_out = names_in(array_in(o, "left_out", max_incident_names));
  for (const auto& pair : array_in(o, "pairs", max_incident_pairs)) {
    if (!pair.is_array() || pair.get_array().size() != 2) wrong("pairs", "a list of pairs");
    i.pairs.emplace_back(name_in(pair.get_array()[0]), name_in(pair.get_array()[1]));
  }
  i.broken_pairs = count_in(o, "broken_pairs");
  i.most_broken_pairs = count_in(o, "most_broken_pairs");
  if (const auto& cause = field(o, "cause"); !cause.is_null()) {
    const auto& c = object_in(cause, "cause");
    i.cause = incident_cause{.from = name_in(field(c, "from")),
                             .to = name_in(field(c, "to")),
                             .reason = text_in(c, "reason"),
                             .path = text_in(c, "path"),
                             .at = time_in(c, "at")};
  }
  for (const auto& act : array_in(o, "actions", max_incident_acts)) {
    const auto& a = object_in(act, "an action");
    i.actions.push_back({.at = time_in(a, "at"), .text = text_in(a, "text")});
  }
  i.connects_asked = count_in(o, "connects_asked");
  i.connects_succeeded = count_in(o, "connects_succeeded");
  return i;
}

template <std::size_t Count>
void counts_in(const json::object& of, std::string_view key, std::array<std::uint64_t, Count>& into) {
  const auto& items = array_in(of, key, Count);
  if (items.size() != Count) wrong(key, fmt::format("{} numbers", Count));
  for (std::size_t i = 0; i < Count; ++i) into[i] = count_in(items[i], key);
}

}  // namespace

std::string to_json(const remembered_state& state) {
  json::array incidents;
  for (const auto& i : state.incidents) incidents.emplace_back(written(i));
  const json::object totals{{"detected", numbers(state.totals.detected)},
                            {"healed", numbers(state.totals.healed)},
                            {"duration_buckets", numbers(state.totals.duration_buckets)},
                            {"duration_sum", state.totals.duration_sum},
                            {"duration_count", state.totals.duration_count},
                            {"last_start", since_epoch(state.totals.last_start)},
                            {"last_end", since_epoch(state.totals.last_end)}};
  return json::serialize(json::object{{"format", state_file::format},
                                      {"incidents", std::move(incidents)},
                                      {"totals", totals},
                                      {"kept_out", written(state.kept_out)}}) +
         "\n";
}

remembered_state from_json(std::string_view text) {
  const auto parsed = parsed_in(text, state_file::format);
  const auto& o = parsed.get_object();
  remembered_state state;
  for (const auto& v : array_in(o, "incidents", max_incidents_read))
    state.incidents.push_back(incident_in(v));
  const auto& totals = object_in(field(o, "totals"), "totals");
  counts_in(totals, "detected", state.totals.detected);
  counts_in(totals, "healed", state.totals.healed);
  const auto& buckets = array_in(totals, "duration_buckets", duration_bounds.size());
  for (const auto& v : buckets) state.totals.duration_buckets.push_back(count_in(v, "duration_buckets"));
  if (!buckets.empty() && buckets.size() != duration_bounds.size()) {
    wrong("duration_buckets", fmt::format("{} numbers", duration_bounds.size()));
  }
  const auto& sum = field(totals, "duration_sum");
  if (!sum.is_number()) wrong("duration_sum", "a number");
  state.totals.duration_sum = sum.to_number<double>();
  if (!std::isfinite(state.totals.duration_sum) || state.totals.duration_sum < 0) {
    wrong("duration_sum", "a number, 0 or more");
  }
  state.totals.duration_count = count_in(totals, "duration_count");
  state.totals.last_start = moment_in(totals, "last_start");
  state.totals.last_end = moment_in(totals, "last_end");
  state.kept_out = names_in(array_in(o, "kept_out", max_kept_out));
  return state;
}

state_file::reading state_file::read() {
  reading result;
  result.problems = file_.read([&](std::string_view text) { result.found = from_json(text); });
  return result;
}

std::string state_file::write(const remembered_state& state) {
  return file_.write(to_json(state));
}

}  // namespace rollcall::app
