#include "http/event_stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "http/json.hpp"
#include "membership/report.hpp"

namespace rollcall::http {

namespace {

namespace report = membership::report;

std::uint64_t newest(const membership::snapshot& now) {
  return now.events.empty() ? 0 : now.events.back().id;
}

// Without an id: a client that comes back asks for what follows the last event that has one. JSON escapes
// line ends, so data is one line.
void append_missed(std::string& out, std::optional<std::uint64_t> count, std::string why) {
  membership::event told;
  told.type = membership::event_type::missed;
  told.text = std::move(why);
  auto document = report::event(told);
  auto& fields = std::get<report::object>(document.value);
  for (auto& [key, value] : fields) {
    if (key == "id" || key == "at") value = {};
  }
  fields.push_back(
      {"count", count ? report::document{static_cast<std::int64_t>(*count)} : report::document{}});
  out += "event: missed\ndata: ";
  http::append(out, document);
  out += "\n\n";
}

}  // namespace

event_stream event_stream::from_now(const membership::snapshot& now, std::size_t before) {
  const auto shown = std::min(before, now.events.size());
  return event_stream(shown == 0 ? newest(now) : now.events[now.events.size() - shown].id - 1);
}

event_stream event_stream::after(std::string_view last_event_id) {
  std::uint64_t id = 0;
  const auto* end = last_event_id.data() + last_event_id.size();
  const auto [stopped, error] = std::from_chars(last_event_id.data(), end, id);
  if (error != std::errc() || stopped != end) return event_stream(std::nullopt);
  return event_stream(id);
}

void event_stream::append(const membership::snapshot& now, std::string& out) {
  if (last_ && *last_ == newest(now)) return;
  if (!last_ || *last_ > newest(now)) {
    append_missed(out, {},
                  "Rollcall was started again since; what happened before that is not known any more");
    last_ = now.events.empty() ? 0 : now.events.front().id - 1;
  }
  if (!now.events.empty() && now.events.front().id > *last_ + 1) {
    const auto count = now.events.front().id - *last_ - 1;
    append_missed(out, count, fmt::format("{} events are too long ago to be told", count));
  }
  const auto first =
      std::ranges::find_if(now.events, [this](const membership::event& e) { return e.id > *last_; });
  const auto documents = report::events(now, static_cast<std::size_t>(now.events.end() - first));
  auto each = first;
  for (const auto& document : std::get<report::array>(documents.value)) {
    fmt::format_to(std::back_inserter(out), "id: {}\nevent: {}\ndata: ", each->id, to_string(each->type));
    http::append(out, document);
    out += "\n\n";
    ++each;
  }
  last_ = newest(now);
}

}  // namespace rollcall::http
