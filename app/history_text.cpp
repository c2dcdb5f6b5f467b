#include "app/history_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <stdexcept>
#include <unordered_map>

#include "app/kept_json.hpp"
#include "discovery/json_bounds.hpp"

namespace rollcall::app {
namespace {

namespace json = boost::json;
using membership::history;
using membership::member_state;
using membership::pair_state;

// What the budgets of a history can hold, and more.
constexpr std::size_t max_names = 100'000, max_marks = 50'000, max_frames = 50'000, max_members = 100'000;
constexpr discovery::json_bounds bounds{.max_bytes = max_history_text, .max_values = 1'500'000};

// One letter for each member and pair; in the order of the enums, `left` and `connected` are never drawn.
constexpr std::string_view member_letters = "jusld-", mesh_letters = "JUSLD-", pair_letters = "comsqu";
static_assert(member_letters.size() == membership::member_state_count);
static_assert(pair_letters.size() == membership::pair_state_count);

// ---- writing

// Only the names that are used, counted from 0.
class name_list {
 public:
  explicit name_list(const history& of) : of_(of) {}
  std::uint64_t index(std::uint32_t known) {
    const auto [found, added] = indices_.try_emplace(known, names_.size());
    if (added) names_.emplace_back(of_.name(known));
    return found->second;
  }
  json::array take() { return std::move(names_); }

 private:
  const history& of_;
  std::unordered_map<std::uint32_t, std::size_t> indices_;
  json::array names_;
};

json::object written(const history::frame& f, name_list& names) {
  json::array members, partitions, pairs;
  std::string states, kinds;
  for (const auto& m : f.members) {
    members.emplace_back(names.index(m.name));
    partitions.emplace_back(m.partition ? json::value(*m.partition) : json::value());
    states += (m.apart ? mesh_letters : member_letters)[static_cast<std::size_t>(m.state)];
  }
  for (const auto& p : f.pairs) {
    pairs.emplace_back(p.a);
    pairs.emplace_back(p.b);
    kinds += pair_letters[static_cast<std::size_t>(p.state)];
  }
  return {{"first", since_epoch(f.first)},
          {"at", since_epoch(f.at)},
          {"members", std::move(members)},
          {"partitions", std::move(partitions)},
          {"states", states},
          {"pairs", std::move(pairs)},
          {"kinds", kinds},
          {"pairs_omitted", f.pairs_omitted}};
}

// Cut where a character begins.
std::string_view within_limit(std::string_view text) {
  auto size = std::min(text.size(), max_kept_text);
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80U) --size;
  return text.substr(0, size);
}

json::object written(const history::mark& m) {
  json::object o{{"kind", history::label(m.what)}, {"at", since_epoch(m.at)}, {"text", within_limit(m.text)}};
  if (m.until) o["until"] = since_epoch(*m.until);
  return o;
}

std::string whole(const history& of) {
  name_list names(of);
  json::array marks, frames;
  for (const auto& m : of.marks()) marks.emplace_back(written(m));
  for (const auto& f : of.frames()) frames.emplace_back(written(f, names));
  return json::serialize(json::object{{"format", history_format},
                                      {"since", since_epoch(of.since())},
                                      {"until", since_epoch(of.until())},
                                      {"names", names.take()},
                                      {"marks", std::move(marks)},
                                      {"frames", std::move(frames)}}) +
         "\n";
}

// ---- reading

history::mark mark_in(const json::value& v) {
  const auto& o = object_in(v, "a mark");
  history::mark m;
  const auto label = text_in(o, "kind");
  bool known = false;
  for (int i = 0; i < history::kind_count && !known; ++i) {
    m.what = static_cast<history::kind>(i);
    known = history::label(m.what) == label;
  }
  if (!known) wrong("kind", "one of its labels");
  m.at = time_in(o, "at");
  if (o.contains("until")) m.until = time_in(o, "until");
  m.text = text_in(o, "text");
  return m;
}

// The place of a letter; one that is no letter of these, or never drawn, is an error.
std::size_t letter_in(std::string_view letters, char one, std::size_t never, std::string_view key) {
  const auto found = letters.find(one);
  if (found == std::string_view::npos || found == never) wrong(key, "made of its letters");
  return found;
}

std::uint32_t index_in(const json::value& v, std::string_view key, std::size_t count) {
  const auto index = count_in(v, key);
  if (index >= count) wrong(key, fmt::format("less than {}", count));
  return static_cast<std::uint32_t>(index);
}

history::place place_in(const json::value& name, const json::value& partition, char state,
                        std::size_t names) {
  history::place p{.name = index_in(name, "members", names)};
  p.apart = state >= 'A' && state <= 'Z';
  p.state = static_cast<member_state>(letter_in(p.apart ? mesh_letters : member_letters, state,
                                                static_cast<std::size_t>(member_state::left), "states"));
  if (!partition.is_null()) p.partition = index_in(partition, "partitions", max_members);
  return p;
}

std::string_view letters_of(const json::object& of, std::string_view key, std::size_t count) {
  const auto& v = field(of, key);
  if (!v.is_string() || v.get_string().size() != count) wrong(key, fmt::format("{} letters", count));
  return v.get_string();
}

history::frame frame_in(const json::value& v, std::size_t names) {
  const auto& o = object_in(v, "a frame");
  history::frame f{.first = time_in(o, "first"), .at = time_in(o, "at")};
  if (f.at < f.first) wrong("at", "later than first");
  const auto& members = array_in(o, "members", max_members);
  const auto& partitions = array_in(o, "partitions", max_members);
  if (partitions.size() != members.size()) wrong("partitions", fmt::format("{} of them", members.size()));
  const auto states = letters_of(o, "states", members.size());
  for (std::size_t i = 0; i < members.size(); ++i)
    f.members.push_back(place_in(members[i], partitions[i], states[i], names));
  const auto& pairs = array_in(o, "pairs", 2 * history::max_pairs);
  if (pairs.size() % 2 != 0) wrong("pairs", "pairs");
  const auto kinds = letters_of(o, "kinds", pairs.size() / 2);
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const auto kind =
        letter_in(pair_letters, kinds[i], static_cast<std::size_t>(pair_state::connected), "kinds");
    f.pairs.push_back({index_in(pairs[2 * i], "pairs", members.size()),
                       index_in(pairs[2 * i + 1], "pairs", members.size()), static_cast<pair_state>(kind)});
  }
  f.pairs_omitted = count_in(o, "pairs_omitted");
  return f;
}

}  // namespace

std::string to_json(const history& of, std::size_t most) {
  if (of.until() == membership::wall_time{}) return {};
  auto text = whole(of);
  for (auto budget = most; text.size() > most; budget /= 2) {
    if (budget < 1'024) return {};
    auto smaller = of;
    smaller.shrink(budget / 4, budget / 2);
    text = whole(smaller);
  }
  return text;
}

history::kept_day history_from_json(std::string_view text) {
  if (const auto problem = discovery::beyond(text, bounds); !problem.empty())
    throw std::runtime_error(problem);
  const auto parsed = parsed_in(text, history_format);
  const auto& o = parsed.get_object();
  history::kept_day day{.since = time_in(o, "since"), .until = time_in(o, "until")};
  if (day.until < day.since) wrong("until", "later than since");
  for (const auto& v : array_in(o, "names", max_names)) {
    if (!v.is_string() || v.get_string().size() > 1'024) wrong("names", "a list of names");
    day.names.emplace_back(v.get_string());
  }
  for (const auto& v : array_in(o, "marks", max_marks)) day.marks.push_back(mark_in(v));
  for (const auto& v : array_in(o, "frames", max_frames)) {
    day.frames.push_back(frame_in(v, day.names.size()));
    if (day.frames.size() > 1 && day.frames.back().first < day.frames[day.frames.size() - 2].at)
      wrong("frames", "in the order of time");
  }
  return day;
}

}  // namespace rollcall::app
