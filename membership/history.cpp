#include "membership/history.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace rollcall::membership {
namespace {

constexpr std::array<std::string_view, history::kind_count> labels{"own",     "netsplit", "down",
                                                                   "restart", "join",     "left"};
// Names of pods that are gone are dropped when there are so many more than are in use.
constexpr std::size_t spare_names = 4'096;

std::size_t size_of(const history::mark& m) {
  return sizeof(m) + m.text.size();
}

std::size_t size_of(const history::frame& f) {
  return sizeof(f) + f.members.size() * sizeof(history::place) +
         f.pairs.size() * sizeof(history::broken_pair);
}

std::optional<history::kind> kind_of(event_type type) {
  switch (type) {
    case event_type::member_down:
      return history::kind::down;
    case event_type::member_restarted:
      return history::kind::restart;
    case event_type::member_joined:
      return history::kind::join;
    case event_type::member_left:
      return history::kind::left;
    default:
      return std::nullopt;
  }
}

struct bit_rows {
  std::span<const std::uint64_t> bits;
  std::size_t row_words;

  bool has(std::size_t from, std::size_t to) const {
    const auto at = from * row_words + to / 64;
    return at < bits.size() && ((bits[at] >> (to % 64)) & 1U) != 0;
  }
};

}  // namespace

std::string_view history::label(kind what) noexcept {
  return labels[static_cast<std::size_t>(what)];
}

void history::add(mark m) {
  ++revision_;
  mark_bytes_ += size_of(m);
  marks_.push_back(std::move(m));
  while (mark_bytes_ > max_mark_bytes && marks_.size() > 1) {
    mark_bytes_ -= size_of(marks_.front());
    marks_.pop_front();
  }
}

void history::note_events(const snapshot& now) {
  for (const auto& e : now.events) {
    if (e.id <= last_event_) continue;
    last_event_ = e.id;
    const auto what = kind_of(e.type);
    if (what && !was_there_before(e)) add({.what = *what, .at = e.at, .text = e.text});
  }
}

// A Rollcall that starts meets everybody: those who were there when the last one stopped have not joined.
bool history::was_there_before(const event& e) {
  if (!e.node) return false;
  const bool known = there_before_.erase(e.node->text()) > 0;
  return known && e.type == event_type::member_joined;
}

// Incidents change after they were opened: their marks follow.
void history::note_incidents(const snapshot& now) {
  for (auto each = now.incidents->rbegin(); each != now.incidents->rend(); ++each) {
    if (now.at - each->closed_at.value_or(now.at) > kept) continue;
    // Of an earlier run only when it was opened is known; ids may have begun again since.
    const auto known = std::ranges::find_if(marks_, [&](const mark& m) {
      return m.what == kind::netsplit && (m.incident == 0 ? m.at == each->opened_at : m.incident == each->id);
    });
    if (known != marks_.end()) {
      if (known->until != each->closed_at) ++revision_;
      known->incident = each->id;
      known->until = each->closed_at;
      continue;
    }
    auto text = "netsplit " + std::to_string(each->id) + " (" + std::string(to_string(each->type)) + ")";
    if (each->cause) text += ", first between " + each->cause->from.text() + " and " + each->cause->to.text();
    add({.what = kind::netsplit,
         .at = each->opened_at,
         .until = each->closed_at,
         .text = std::move(text),
         .incident = each->id});
  }
}

std::uint32_t history::index_of(const std::string& name) {
  const auto [found, added] = indices_.try_emplace(name, static_cast<std::uint32_t>(names_.size()));
  if (added) names_.push_back(name);
  return found->second;
}

history::frame history::draw(const snapshot& now) {
  frame drawn{.first = now.at, .at = now.at};
  std::vector<std::pair<std::uint32_t, std::size_t>> known;  // by index into drawn.members, and in `now`
  for (std::size_t i = 0; i < now.members.size(); ++i) {
    const auto& m = now.members[i];
    if (m.state == member_state::left) continue;
    place here{.name = index_of(m.name.text()), .state = m.state};
    if (m.partition) here.partition = static_cast<std::uint32_t>(*m.partition);
    here.apart = !m.base.empty();
    if (m.fresh_view) known.emplace_back(static_cast<std::uint32_t>(drawn.members.size()), i);
    drawn.members.push_back(here);
  }
  if (now.links_missing == 0 && now.suspected_bits.empty()) return drawn;
  // Half a million pairs of a thousand members: what is linked is told by its bits.
  const bit_rows views{now.view_bits, now.row_words}, suspected{now.suspected_bits, now.row_words};
  for (auto one = known.begin(); one != known.end(); ++one) {
    for (auto other = one + 1; other != known.end(); ++other) {
      const auto a = one->second, b = other->second;
      if (views.has(a, b) && views.has(b, a) && !suspected.has(a, b)) continue;
      const auto state = now.pair(a, b);
      if (state == pair_state::connected || state == pair_state::unknown) continue;
      if (drawn.pairs.size() < max_pairs) {
        drawn.pairs.push_back({one->first, other->first, state});
      } else {
        ++drawn.pairs_omitted;
      }
    }
  }
  return drawn;
}

void history::note_frame(const snapshot& now) {
  auto drawn = draw(now);
  if (!frames_.empty()) {
    auto& last = frames_.back();
    if (last.members == drawn.members && last.pairs == drawn.pairs &&
        last.pairs_omitted == drawn.pairs_omitted)
      return;
    ++revision_;
    if (now.at - last.first < settles) {
      frame_bytes_ -= size_of(last);
      drawn.first = last.first;
      last = std::move(drawn);
      frame_bytes_ += size_of(last);
      return;
    }
  }
  ++revision_;
  frame_bytes_ += size_of(drawn);
  frames_.push_back(std::move(drawn));
}

// The frame that lasted shortest goes; never the first or the last.
void history::thin_out() {
  while (frame_bytes_ > max_frame_bytes && frames_.size() > 2) {
    auto shortest = frames_.begin() + 1;
    for (auto each = shortest; each + 1 != frames_.end(); ++each) {
      if ((each + 1)->first - each->first < (shortest + 1)->first - shortest->first) shortest = each;
    }
    frame_bytes_ -= size_of(*shortest);
    frames_.erase(shortest);
  }
}

void history::forget_old(wall_time now) {
  while (!marks_.empty() && marks_.front().at < now - kept &&
         (marks_.front().what != kind::netsplit || marks_.front().until)) {
    mark_bytes_ -= size_of(marks_.front());
    marks_.pop_front();
  }
  // The frame before the day's beginning is what the day began with.
  while (frames_.size() > 1 && frames_[1].first < now - kept) {
    frame_bytes_ -= size_of(frames_.front());
    frames_.pop_front();
  }
}

void history::drop_unused_names() {
  std::size_t in_use = frames_.empty() ? 0 : frames_.back().members.size();
  if (names_.size() <= 2 * in_use + spare_names) return;
  auto before = std::exchange(names_, {});
  indices_.clear();
  for (auto& f : frames_) {
    for (auto& m : f.members) m.name = index_of(before[m.name]);
  }
}

void history::restore(kept_day day) {
  since_ = day.since;
  until_ = day.until;
  names_ = std::move(day.names);
  indices_.clear();
  for (std::uint32_t i = 0; i < names_.size(); ++i) indices_.try_emplace(names_[i], i);
  for (auto& m : day.marks) {
    m.incident = 0;
    if (m.what == kind::netsplit && !m.until) m.until = std::max(m.at, day.until);
    add(std::move(m));
  }
  frames_ = std::move(day.frames);
  frame_bytes_ = 0;
  for (const auto& f : frames_) frame_bytes_ += size_of(f);
  thin_out();
  restored_ = true;
}

// The first moment of this run, after what an earlier one left.
void history::begin(wall_time now) {
  begun_ = true;
  const auto later = [&](const auto& each) { return each.at > now; };
  if (restored_ && (until_ < now - kept || since_ > now)) {
    const auto revision = revision_;
    *this = history();
    begun_ = true;
    revision_ = revision;
  }
  std::erase_if(marks_, later);
  std::erase_if(frames_, later);
  mark_bytes_ = frame_bytes_ = 0;
  for (const auto& m : marks_) mark_bytes_ += size_of(m);
  for (const auto& f : frames_) frame_bytes_ += size_of(f);
  if (!frames_.empty()) {
    for (const auto& m : frames_.back().members) there_before_.insert(names_[m.name]);
  }
  if (!since_) since_ = now;
  add({.what = kind::own, .at = now, .text = "Rollcall started"});
}

void history::note_stop(wall_time wall) {
  if (!begun_) return;
  until_ = wall;
  add({.what = kind::own, .at = wall, .text = "Rollcall stopped"});
}

void history::shrink(std::size_t max_marks, std::size_t max_frames) {
  while (mark_bytes_ > max_marks && !marks_.empty()) {
    mark_bytes_ -= size_of(marks_.front());
    marks_.pop_front();
  }
  if (frames_.size() < 2 || frame_bytes_ <= max_frames) return;
  // The last one first, then by how long each lasted.
  std::vector<std::size_t> order(frames_.size() - 1);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, std::greater{},
                           [&](std::size_t i) { return frames_[i + 1].first - frames_[i].first; });
  order.insert(order.begin(), frames_.size() - 1);
  std::set<std::size_t> stay;
  std::size_t bytes = 0;
  for (const auto i : order) {
    bytes += size_of(frames_[i]);
    if (bytes > max_frames) break;
    stay.insert(i);
  }
  std::deque<frame> left;
  frame_bytes_ = 0;
  for (const auto i : stay) {
    frame_bytes_ += size_of(frames_[i]);
    left.push_back(std::move(frames_[i]));
  }
  frames_ = std::move(left);
}

void history::note(const snapshot& now) {
  if (now.at == wall_time{}) return;
  if (!begun_) begin(now.at);
  until_ = now.at;
  note_incidents(now);
  note_events(now);
  if (!now.starting) there_before_.clear();
  if (!now.standing_by) note_frame(now);
  forget_old(now.at);
  thin_out();
  drop_unused_names();
}

const history::frame* history::frame_at(wall_time wall) const {
  if (frames_.empty()) return nullptr;
  const auto later = std::ranges::upper_bound(frames_, wall, {}, &frame::first);
  return later == frames_.begin() ? &frames_.front() : &*(later - 1);
}

}  // namespace rollcall::membership
