#include "http/routes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <exception>
#include <utility>

#include "http/event_stream.hpp"
#include "http/json.hpp"
#include "http/page.hpp"
#include "http/pictures.hpp"
#include "http/runbook.hpp"
#include "http/target.hpp"
#include "membership/verdict.hpp"

namespace rollcall::http {

namespace {

namespace report = membership::report;

constexpr std::string_view json_type = "application/json";
constexpr std::string_view text_type = "text/plain; charset=utf-8";
constexpr std::string_view event_stream_type = "text/event-stream";
constexpr std::string_view html_type = "text/html; charset=utf-8";

answer json(const report::document& document, unsigned status = 200) {
  auto body = render(document);
  body += '\n';
  return {.status = status, .content_type = json_type, .body = std::move(body), .fields = {}, .next = {}};
}

answer plain(std::string body, unsigned status = 200) {
  return {.status = status, .content_type = text_type, .body = std::move(body), .fields = {}, .next = {}};
}

report::document text(std::string_view of) {
  return {report::text{std::string(of)}};
}

answer wrong_parameter(std::string_view name, std::string_view value, std::string_view allowed) {
  return json({report::object{{"error", text(fmt::format("{} must be {}", name, allowed))},
                              {"parameter", text(name)},
                              {"value", text(value)}}},
              400);
}

// The value of an enumeration by its text; `allowed` lists them all.
template <class Enum>
std::optional<Enum> parse(std::string_view value, int count, std::string& allowed) {
  allowed = "one of";
  for (int each = 0; each < count; ++each) {
    const auto name = to_string(static_cast<Enum>(each));
    if (name == value) return static_cast<Enum>(each);
    allowed += each == 0 ? " " : ", ";
    allowed += name;
  }
  return {};
}

using membership::snapshot_ptr;

answer document(std::string html) {
  answer made{.status = 200, .content_type = html_type, .body = std::move(html), .fields = {}, .next = {}};
  made.fields.emplace_back("Content-Security-Policy", page_policy);
  return made;
}

answer show_page(const content& from, const target&) {
  return document(render_page(from.version));
}

answer show_runbook(const content&, const target&) {
  return document(render_runbook());
}

answer show_resource(const content&, const target& asked) {
  const auto& name = asked.segments.back();
  const auto found = find_resource(name);
  if (!found)
    return json({report::object{{"error", text("the page has no such file")}, {"file", text(name)}}}, 404);
  return {.status = 200,
          .content_type = found->content_type,
          .body = std::string(found->text),
          .fields = {},
          .next = {}};
}

answer show_metrics(const content& from, const target&) {
  return {.status = 200,
          .content_type = metrics::exporter::content_type,
          .body = from.metrics(),
          .fields = {},
          .next = {}};
}

answer show_health(const content&, const target&) {
  return plain("alive\n");
}

answer show_readiness(const content& from, const target&) {
  auto [ready, why] = from.ready();
  return plain(std::move(why) + "\n", ready ? 200 : 503);
}

answer show_version(const content& from, const target&) {
  return json(text(from.version));
}

answer show_status(const content& from, const target&) {
  return json(report::status(*from.snapshot(), from.others ? from.others() : std::vector<node_name>()));
}

answer show_members(const content& from, const target& asked) {
  std::optional<membership::member_state> only;
  if (const auto state = asked.parameter("state")) {
    std::string allowed;
    only = parse<membership::member_state>(*state, membership::member_state_count, allowed);
    if (!only) return wrong_parameter("state", *state, allowed);
  }
  return json(report::members(*from.snapshot(), only));
}

answer show_member(const content& from, const target& asked) {
  const auto& name = asked.segments.back();
  const auto now = from.snapshot();
  if (!now->find(name)) {
    return json({report::object{{"error", text("no such member")}, {"node", text(name)}}}, 404);
  }
  return json(report::member(*now, name));
}

answer show_nodes(const content& from, const target& asked) {
  auto state = membership::member_state::up;
  if (const auto given = asked.parameter("state")) {
    std::string allowed;
    const auto known = parse<membership::member_state>(*given, membership::member_state_count, allowed);
    if (!known) return wrong_parameter("state", *given, allowed);
    state = *known;
  }
  return json(report::nodes(*from.snapshot(), state));
}

answer show_partitions(const content& from, const target&) {
  return json(report::partitions(*from.snapshot()));
}

// A list with elements for pairs of members, of which there may be half a million: written a row at a time.
// `write(of, row, out, next)` appends the row's elements, and says next() before each.
template <typename Write>
answer in_rows(const content& from, Write write) {
  answer made{.status = 200, .content_type = json_type, .body = {}, .fields = {}, .next = {}};
  made.next = [of = from.snapshot(), write, row = std::size_t{0}, first = true](std::string& out) mutable {
    if (row == 0) out += '[';
    const auto next = [&] {
      if (!std::exchange(first, false)) out += ',';
    };
    if (row < of->members.size()) write(*of, row, out, next);
    ++row;
    if (row < of->members.size()) return true;
    out += "]\n";
    return false;
  };
  return made;
}

// The same elements as report::links.
answer show_links(const content& from, const target& asked) {
  std::optional<membership::pair_state> only;
  if (const auto state = asked.parameter("state")) {
    std::string allowed;
    only = parse<membership::pair_state>(*state, membership::pair_state_count, allowed);
    if (!only) return wrong_parameter("state", *state, allowed);
  }
  return in_rows(from, [only](const auto& of, std::size_t row, std::string& out, const auto& next) {
    const auto& members = of.members;
    const auto gone = [&](std::size_t at) { return members[at].state == membership::member_state::left; };
    for (auto other = row + 1; other < members.size() && !gone(row); ++other) {
      if (gone(other)) continue;
      const auto state = of.pair(row, other);
      if (only && state != *only) continue;
      next();
      out += "{\"a\":";
      append_string(out, members[row].name.text());
      out += ",\"b\":";
      append_string(out, members[other].name.text());
      out += ",\"state\":";
      append_string(out, to_string(state));
      out += '}';
    }
  });
}

// The same elements as report::missing_links.
answer show_missing_links(const content& from, const target&) {
  return in_rows(from, [](const auto& of, std::size_t row, std::string& out, const auto& next) {
    using membership::pair_state;
    const auto& members = of.members;
    const auto misses = [&](std::size_t at) { return members[at].links_missing != 0; };
    for (auto other = row + 1; other < members.size() && misses(row); ++other) {
      if (!misses(other)) continue;
      const auto state = of.pair(row, other);
      if (state != pair_state::missing && state != pair_state::suspected && state != pair_state::quarantined)
        continue;
      next();
      out += '[';
      append_string(out, members[row].name.text());
      out += ',';
      append_string(out, members[other].name.text());
      out += ']';
    }
  });
}

// Each member's own view: what it sees, null while that view is stale or there is none.
answer show_views(const content& from, const target&) {
  return in_rows(from, [](const auto& of, std::size_t row, std::string& out, const auto& next) {
    const auto& members = of.members;
    if (members[row].state == membership::member_state::left) return;
    next();
    out += "{\"node\":";
    append_string(out, members[row].name.text());
    out += ",\"sees\":";
    bool known = false, first_seen = true;
    for (std::size_t other = 0; other < members.size(); ++other) {
      if (other == row) continue;
      const auto seen = of.sees(row, other);
      if (!seen) continue;
      if (!known) out += '[';
      known = true;
      if (!*seen) continue;
      if (!std::exchange(first_seen, false)) out += ',';
      append_string(out, members[other].name.text());
    }
    // A member all by itself has nobody to see: its view is known when it is fresh.
    if (!known && members[row].fresh_view) {
      out += '[';
      known = true;
    }
    out += known ? "]}" : "null}";
  });
}

answer show_discovery(const content& from, const target&) {
  return json(report::discovery(*from.snapshot()));
}

// Of ?last=N; false when it is no number.
bool read_last(const target& asked, std::size_t& last) {
  const auto given = asked.parameter("last");
  if (!given) return true;
  const auto* end = given->data() + given->size();
  const auto [stopped, error] = std::from_chars(given->data(), end, last);
  return error == std::errc() && stopped == end;
}

answer wrong_last(const target& asked) {
  return wrong_parameter("last", *asked.parameter("last"), "a number, 0 or more");
}

answer show_events(const content& from, const target& asked) {
  std::size_t last = SIZE_MAX;
  if (!read_last(asked, last)) return wrong_last(asked);
  const auto now = from.snapshot();
  return json(report::events(*now, std::min(last, now->events.size())));
}

answer show_event_stream(const content& from, const target& asked) {
  std::size_t last = 0;
  if (!read_last(asked, last)) return wrong_last(asked);
  answer made{.status = 200, .content_type = event_stream_type, .body = {}, .fields = {}, .next = {}};
  made.fields.emplace_back("X-Accel-Buffering",
                           "no");  // a proxy is not to collect events before it passes them on
  made.follow = [snapshot = from.snapshot, stream = asked.last_event_id.empty()
                                                        ? event_stream::from_now(*from.snapshot(), last)
                                                        : event_stream::after(asked.last_event_id)](
                    std::string& out) mutable { stream.append(*snapshot(), out); };
  return made;
}

// What the page draws.
answer show_picture(const content& from, const target&) {
  return {.status = 200,
          .content_type = json_type,
          .body = {},
          .fields = {},
          .next = picture_of(from.snapshot())};
}

answer show_history(const content& from, const target&) {
  answer made{.status = 200, .content_type = json_type, .body = {}, .fields = {}, .next = {}};
  append_history(made.body, from.history());
  return made;
}

answer show_moment(const content& from, const target& asked) {
  const auto& given = asked.segments.back();
  std::int64_t wall = 0;
  const auto* end = given.data() + given.size();
  const auto [stopped, error] = std::from_chars(given.data(), end, wall);
  if (error != std::errc() || stopped != end || wall < 0) {
    return wrong_parameter("at", given, "a time in milliseconds since the epoch");
  }
  const auto& history = from.history();
  const auto* frame = history.frame_at(membership::wall_time(membership::milliseconds(wall)));
  if (frame == nullptr) {
    return json({report::object{{"error", text("nothing is remembered of that time")}, {"at", text(given)}}},
                404);
  }
  answer made{.status = 200, .content_type = json_type, .body = {}, .fields = {}, .next = {}};
  append_picture(made.body, history, *frame);
  return made;
}

answer show_why(const content& from, const target& asked) {
  const auto& name = asked.segments.back();
  auto found = report::why(*from.snapshot(), name);
  if (std::holds_alternative<report::nil>(found.value)) {
    return json({report::object{{"error", text("no such member")}, {"node", text(name)}}}, 404);
  }
  return json(found);
}

answer show_netsplits(const content& from, const target&) {
  return json(report::netsplits(*from.snapshot()));
}

answer show_netsplit(const content& from, const target& asked) {
  const auto& given = asked.segments.back();
  std::uint64_t id = 0;
  const auto* end = given.data() + given.size();
  const auto [stopped, error] = std::from_chars(given.data(), end, id);
  const auto now = from.snapshot();
  const bool known = error == std::errc() && stopped == end &&
                     std::ranges::any_of(*now->incidents, [&](const auto& i) { return i.id == id; });
  if (!known) {
    return json(
        {report::object{{"error", text("no such netsplit, or it is too long ago")}, {"id", text(given)}}},
        404);
  }
  return json(report::netsplit(*now, id));
}

// A gate that fails open: only what is proven closes it, unless ?strict=1 asks for more.
answer show_node_ready(const content& from, const target& asked) {
  const auto& name = asked.segments.back();
  bool strict = false;
  if (const auto given = asked.parameter("strict")) {
    if (*given != "0" && *given != "1") return wrong_parameter("strict", *given, "0 or 1");
    strict = *given == "1";
  }
  const auto now = from.snapshot();
  const auto found = membership::judge(*now, name);
  // One that stands by knows nothing: it is not the one to keep anybody waiting.
  const bool ready =
      now->standing_by || (strict ? found.whole : found.verdict != membership::verdict::minority);
  return json({report::object{{"node", text(name)},
                              {"ready", {ready}},
                              {"verdict", text(to_string(found.verdict))},
                              {"partition_size", {static_cast<std::int64_t>(found.partition_size)}},
                              {"expected", {static_cast<std::int64_t>(found.expected)}},
                              {"linked_to_all", {found.whole}},
                              {"text", text(found.text)}}},
              ready ? 200 : 503);
}

struct route {
  std::string_view path;  // a segment in braces stands for any
  answer (*show)(const content&, const target&);
};

constexpr std::array routes{
    route{"/", show_page},
    route{"/page/{file}", show_resource},
    route{"/runbook", show_runbook},
    route{"/metrics", show_metrics},
    route{"/healthz", show_health},
    route{"/readyz", show_readiness},
    route{"/api/v1/status", show_status},
    route{"/api/v1/members", show_members},
    route{"/api/v1/members/{node}", show_member},
    route{"/api/v1/nodes", show_nodes},
    route{"/api/v1/partitions", show_partitions},
    route{"/api/v1/links", show_links},
    route{"/api/v1/missing_links", show_missing_links},
    route{"/api/v1/views", show_views},
    route{"/api/v1/picture", show_picture},
    route{"/api/v1/history", show_history},
    route{"/api/v1/history/{at}", show_moment},
    route{"/api/v1/why/{node}", show_why},
    route{"/api/v1/netsplits", show_netsplits},
    route{"/api/v1/netsplits/{id}", show_netsplit},
    route{"/api/v1/ready/{node}", show_node_ready},
    route{"/api/v1/discovery", show_discovery},
    route{"/api/v1/events", show_events},
    route{"/api/v1/events/stream", show_event_stream},
    route{"/api/v1/version", show_version},
};

bool matches(std::string_view path, const std::vector<std::string>& segments) {
  path.remove_prefix(1);
  for (const auto& segment : segments) {
    const auto end = std::min(path.find('/'), path.size());
    const auto expected = path.substr(0, end);
    if (expected.empty()) return false;
    if (expected.front() == '{' ? segment.empty() : expected != segment) return false;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return path.empty();
}

answer no_such_path(std::string_view asked) {
  report::array known;
  for (const auto& one : routes) known.push_back(text(one.path));
  return json({report::object{{"error", text("no such path")}, {"path", text(asked)}, {"paths", {known}}}},
              404);
}

answer find_and_show(const content& from, std::string_view method, std::string_view asked,
                     std::string_view last_event_id) {
  if (method != "GET" && method != "HEAD") {
    auto refused = problem(405,
                           "only GET and HEAD are answered here: whatever changes the cluster is asked for "
                           "from an Erlang shell");
    refused.fields.emplace_back("Allow", "GET, HEAD");
    return refused;
  }
  auto parsed = target::parse(asked);
  if (!parsed) return problem(400, "the target of the request cannot be read");
  parsed->last_event_id = last_event_id;
  for (const auto& one : routes) {
    if (matches(one.path, parsed->segments)) return one.show(from, *parsed);
  }
  return no_such_path(asked.substr(0, asked.find('?')));
}

}  // namespace

answer problem(unsigned status, std::string_view sentence) {
  return json({report::object{{"error", text(sentence)}}}, status);
}

answer respond(const content& from, std::string_view method, std::string_view asked,
               std::string_view last_event_id) noexcept {
  std::string what = "unknown";
  try {
    auto made = find_and_show(from, method, asked, last_event_id);
    // In every answer of the API: a list that is empty since nothing is known here looks like one of an empty
    // cluster. Not in those of the probes, which cost nothing.
    if (asked.starts_with("/api/") && from.snapshot && from.snapshot()->standing_by)
      made.fields.emplace_back("Rollcall-Standing-By", "true");
    return made;
  } catch (const std::exception& thrown) {
    what = thrown.what();
  } catch (...) {  // NOLINT(bugprone-empty-catch): told below
  }
  if (from.failed) from.failed(fmt::format("{} {}: {}", method, asked, what));
  return problem(500, "the answer could not be made");
}

}  // namespace rollcall::http
