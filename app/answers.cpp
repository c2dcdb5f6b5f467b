#include "app/answers.hpp"

#include <array>
#include <charconv>
#include <optional>

namespace rollcall::app {
namespace {

namespace report = membership::report;
using membership::member_state;
using membership::snapshot;

// Distinct arguments make distinct cache entries (member/1); a caller cannot grow the cache beyond this.
constexpr std::size_t max_cached_answers = 256;
constexpr std::size_t max_events_asked = 100'000;

std::optional<member_state> state_named(const cnode::term& argument) {
  for (int i = 0; i < membership::member_state_count; ++i) {
    const auto state = static_cast<member_state>(i);
    if (argument.is_atom(to_string(state))) return state;
  }
  return {};
}

// A node's name as a shell may write it: an atom, a binary, a charlist.
std::optional<std::string> name_in(const cnode::term& argument) {
  if (const auto* a = argument.as<cnode::atom>()) return a->text;
  if (const auto* b = argument.as<cnode::binary>(); b != nullptr && b->data.size() <= node_name::max_length) {
    return b->data;
  }
  if (const auto* l = argument.as<cnode::list>();
      l != nullptr && !l->tail && l->items.size() <= node_name::max_length) {
    std::string text;
    for (const auto& item : l->items) {
      const auto* c = item.as<std::int64_t>();
      if (c == nullptr || *c < 1 || *c > 126) return {};
      text.push_back(static_cast<char>(*c));
    }
    return text;
  }
  return {};
}

constexpr std::string_view help_text =
    "rollcall answers these, by :rpc.call(node, :rollcall, function, arguments), :erpc.call,\n"
    "or GenServer.call({:rollcall, node}, function) and {function, arguments...}:\n"
    "\n"
    "  members()          every member as a map: node, state, reason, since_at, listed, visible,\n"
    "                     missing, partition, creation, otp_release\n"
    "  members(State)     those that are joining, up, suspect, leaving, down or left\n"
    "  member(Node)       one of them, or nil\n"
    "  nodes()            names of the members that are up\n"
    "  nodes(State)       names of the members in that state\n"
    "  status()           health (ok, warning, error), what is behind it, and counts\n"
    "  partitions()       lists of nodes that are connected to each other, largest first\n"
    "  links()            every pair of members with its state\n"
    "  missing_links()    the pairs that should be connected and are not\n"
    "  netsplits()          what split, between whom, why, and how it ended; netsplit(Id): one\n"
    "  leave(Node)          keep a node out of the mesh from now on; rejoin(Node): let it in again\n"
    "  discovery()        the sources of nodes with their last answers\n"
    "  events()           what changed lately; events(N): the last N\n"
    "  reconnect()        start a round now\n"
    "  version()          the version of rollcall\n"
    "  help()             this text\n"
    "\n"
    "Times named *_at are milliseconds since the epoch, durations named *_ms milliseconds.\n";

cnode::answer value(std::shared_ptr<const cnode::byte_string> bytes) {
  return {cnode::answer_kind::value, std::move(bytes)};
}

cnode::answer value(const report::document& document) {
  cnode::term_writer writer;
  encode(writer, document);
  return value(std::make_shared<const cnode::byte_string>(writer.bytes()));
}

cnode::answer failed(cnode::answer_kind kind) {
  return {kind, nullptr};
}

}  // namespace

void encode(cnode::term_writer& out, const report::document& document) {
  struct visitor {
    cnode::term_writer& out;
    void operator()(const report::nil&) const { out.atom("nil"); }
    void operator()(bool b) const { out.boolean(b); }
    void operator()(std::int64_t i) const { out.integer(i); }
    void operator()(double d) const { out.real(d); }
    void operator()(const report::symbol& s) const { out.atom(s.text); }
    void operator()(const report::text& t) const { out.binary(t.utf8); }
    void operator()(const report::array& items) const {
      out.list_header(items.size());
      for (const auto& item : items) encode(out, item);
      out.nil();
    }
    void operator()(const report::object& pairs) const {
      out.map_header(pairs.size());
      for (const auto& [key, item] : pairs) {
        out.atom(key);
        encode(out, item);
      }
    }
  };
  std::visit(visitor{out}, document.value);
}

answers::answers(std::string version, actions given)
    : version_(std::move(version)), actions_(std::move(given)) {}

cnode::answer answers::cached(const std::string& key, const builder& build) {
  const auto snapshot = actions_.snapshot();
  if (snapshot->version != cached_version_) {
    cache_.clear();
    cached_version_ = snapshot->version;
  }
  if (const auto found = cache_.find(key); found != cache_.end()) return value(found->second);
  cnode::term_writer writer;
  encode(writer, build(*snapshot));
  auto bytes = std::make_shared<const cnode::byte_string>(writer.bytes());
  if (cache_.size() < max_cached_answers) cache_.emplace(key, bytes);
  return value(std::move(bytes));
}

cnode::answer answers::operator()(const cnode::request& request) {
  using kind = cnode::answer_kind;
  if (request.module != "rollcall" && request.module != "Elixir.Rollcall") return failed(kind::undefined);

  const auto arguments = request.arguments;
  const auto is = [&](std::string_view function, std::size_t arity) {
    return request.function == function && arguments.size() == arity;
  };

  if (is("members", 0)) return cached("members", [](const snapshot& s) { return report::members(s); });
  if (is("nodes", 0)) return cached("nodes", [](const snapshot& s) { return report::nodes(s); });
  if (is("status", 0)) return cached("status", report::status);
  if (is("partitions", 0)) return cached("partitions", report::partitions);
  if (is("links", 0)) return cached("links", report::links);
  if (is("missing_links", 0)) return cached("missing_links", report::missing_links);
  if (is("netsplits", 0)) return cached("netsplits", report::netsplits);
  if (is("netsplit", 1)) {
    const auto* id = arguments[0].as<std::int64_t>();
    if (id == nullptr || *id < 0) return failed(kind::function_clause);
    const auto number = static_cast<std::uint64_t>(*id);
    return cached("netsplit " + std::to_string(number),
                  [&](const snapshot& s) { return report::netsplit(s, number); });
  }
  if (is("leave", 1) || is("rejoin", 1)) {
    const auto name = name_in(arguments[0]);
    if (!name) return failed(kind::function_clause);
    const auto node = node_name::parse(*name);
    if (!node) return failed(kind::bad_argument);
    if (actions_.snapshot()->find(*name) == nullptr) {
      cnode::term_writer refusal;
      refusal.tuple_header(2).atom("error").atom("unknown_node");
      return value(std::make_shared<const cnode::byte_string>(refusal.bytes()));
    }
    (request.function == "leave" ? actions_.leave : actions_.rejoin)(*node);
    return value(report::document{report::symbol{"ok"}});
  }
  if (is("discovery", 0)) return cached("discovery", report::discovery);
  if (is("events", 0)) {
    return cached("events", [](const snapshot& s) { return report::events(s, s.events.size()); });
  }
  if (is("members", 1) || is("nodes", 1)) {
    const auto state = state_named(arguments[0]);
    if (!state) return failed(kind::function_clause);
    const bool whole = request.function == "members";
    return cached(
        std::string(request.function) + ' ' + std::string(to_string(*state)),
        [&](const snapshot& s) { return whole ? report::members(s, state) : report::nodes(s, *state); });
  }
  if (is("member", 1)) {
    const auto name = name_in(arguments[0]);
    if (!name) return failed(kind::function_clause);
    return cached("member " + *name, [&](const snapshot& s) { return report::member(s, *name); });
  }
  if (is("events", 1)) {
    const auto* count = arguments[0].as<std::int64_t>();
    if (count == nullptr || *count < 0) return failed(kind::function_clause);
    const auto last = std::min<std::size_t>(static_cast<std::size_t>(*count), max_events_asked);
    return cached("events " + std::to_string(last),
                  [&](const snapshot& s) { return report::events(s, last); });
  }
  if (is("reconnect", 0)) {
    actions_.start_round();
    return value(report::document{report::symbol{"ok"}});
  }
  if (is("version", 0)) return value(report::document{report::text{version_}});
  if (is("help", 0)) return value(report::document{report::text{std::string(help_text)}});
  return failed(kind::undefined);
}

}  // namespace rollcall::app
