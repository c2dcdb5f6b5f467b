#include "http/pictures.hpp"

#include <fmt/format.h>

#include <iterator>

#include "http/json.hpp"

namespace rollcall::http {
namespace {

using membership::pair_state;
using membership::snapshot;

// `mesh`: what keeps it apart from others; empty: nothing.
void append_member(std::string& out, std::string_view name, membership::member_state state,
                   membership::reason why, std::optional<std::size_t> partition, std::string_view mesh) {
  out += "{\"node\":";
  append_string(out, name);
  fmt::format_to(std::back_inserter(out), ",\"state\":\"{}\",\"reason\":", to_string(state));
  out += why == membership::reason::none ? "null" : fmt::format("\"{}\"", to_string(why));
  out += ",\"partition\":" + (partition ? std::to_string(*partition) : std::string("null"));
  if (!mesh.empty()) {
    out += ",\"mesh\":";
    append_string(out, mesh);
  }
  out += '}';
}

// Nodes that are no members, beside them.
void append_names(std::string& out, std::string_view key, const std::vector<node_name>& names) {
  fmt::format_to(std::back_inserter(out), ",\"{}\":[", key);
  for (const auto& name : names) {
    if (out.back() != '[') out += ',';
    append_string(out, name.text());
  }
  out += ']';
}

void append_pair(std::string& out, bool first, std::size_t a, std::size_t b, pair_state state) {
  fmt::format_to(std::back_inserter(out), "{}[{},{},\"{}\"]", first ? "" : ",", a, b, to_string(state));
}

// First the members, then a row of pairs a piece, then a row of views a piece.
class writer {
 public:
  explicit writer(membership::snapshot_ptr of) : of_(std::move(of)) {}

  bool operator()(std::string& out) {
    const auto count = of_->members.size();
    if (at_ == 0) members(out);
    if (at_ < count) pairs(out, at_);
    if (at_ == count) between(out);
    if (at_ > count) view(out, at_ - count - 1);
    ++at_;
    const bool more = at_ <= count || (shows_views() && at_ <= 2 * count);
    if (!more) out += shows_views() ? "]}\n" : "}\n";
    return more;
  }

 private:
  bool shows_views() const { return of_->members.size() <= max_shown_views; }
  void members(std::string& out) const {
    fmt::format_to(std::back_inserter(out), "{{\"at\":{},\"members\":[", since_epoch(of_->at));
    bool first = true;
    for (const auto& m : of_->members) {
      if (!first) out += ',';
      first = false;
      append_member(out, m.name.text(), m.state, m.why, m.partition, m.base);
    }
    out += ']';
    append_names(out, "hidden", of_->hidden);
    append_names(out, "unlisted", of_->unlisted);
    out += ",\"pairs\":[";
  }
  void pairs(std::string& out, std::size_t a) {
    const auto gone = [&](std::size_t i) { return of_->members[i].state == membership::member_state::left; };
    if (gone(a) || (of_->links_missing == 0 && of_->suspected_bits.empty())) return;
    for (auto b = a + 1; b < of_->members.size(); ++b) {
      if (gone(b)) continue;
      const auto state = of_->pair(a, b);
      if (state == pair_state::connected || state == pair_state::unknown) continue;
      if (shown_ < max_shown_pairs) {
        append_pair(out, shown_ == 0, a, b, state);
        ++shown_;
      } else {
        ++omitted_;
      }
    }
  }
  void between(std::string& out) const {
    fmt::format_to(std::back_inserter(out), "],\"pairs_omitted\":{},\"views\":", omitted_);
    out += shows_views() ? "[" : "null";
  }
  void view(std::string& out, std::size_t row) const {
    if (row > 0) out += ',';
    if (!of_->members[row].fresh_view) {
      out += "null";
      return;
    }
    out += '"';
    for (std::size_t to = 0; to < of_->members.size(); ++to) {
      const auto seen = of_->sees(row, to);
      out += !seen ? '-' : *seen ? '1' : '0';
    }
    out += '"';
  }

  membership::snapshot_ptr of_;
  std::size_t at_ = 0, shown_ = 0, omitted_ = 0;
};

}  // namespace

std::function<bool(std::string& out)> picture_of(membership::snapshot_ptr of) {
  return writer(std::move(of));
}

void append_picture(std::string& out, const membership::history& from,
                    const membership::history::frame& frame) {
  fmt::format_to(std::back_inserter(out), "{{\"at\":{},\"members\":[", since_epoch(frame.at));
  bool first = true;
  for (const auto& m : frame.members) {
    if (!first) out += ',';
    first = false;
    const std::string_view name = from.name(m.name);
    append_member(out, name, m.state, membership::reason::none, m.partition,
                  m.apart ? name.substr(0, name.find('@')) : std::string_view());
  }
  out += "],\"pairs\":[";
  first = true;
  for (const auto& p : frame.pairs) {
    append_pair(out, first, p.a, p.b, p.state);
    first = false;
  }
  fmt::format_to(std::back_inserter(out), "],\"pairs_omitted\":{},\"views\":null}}\n", frame.pairs_omitted);
}

void append_history(std::string& out, const membership::history& from) {
  fmt::format_to(std::back_inserter(out), "{{\"since_at\":{},\"restored\":{},\"marks\":[",
                 since_epoch(from.since()), from.restored());
  bool first = true;
  for (const auto& m : from.marks()) {
    fmt::format_to(std::back_inserter(out), "{}{{\"kind\":\"{}\",\"at\":{},", first ? "" : ",",
                   membership::history::label(m.what), since_epoch(m.at));
    first = false;
    if (m.what == membership::history::kind::netsplit) {
      out += "\"until\":" + (m.until ? std::to_string(since_epoch(*m.until)) : std::string("null")) + ',';
    }
    out += "\"text\":";
    append_string(out, m.text);
    out += '}';
  }
  out += "],\"frames\":[";
  first = true;
  for (const auto& f : from.frames()) {
    fmt::format_to(std::back_inserter(out), "{}{}", first ? "" : ",", since_epoch(f.first));
    first = false;
  }
  out += "]}\n";
}

}  // namespace rollcall::http
