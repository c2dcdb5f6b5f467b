#include "app/answers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>
#include <span>

#include "app/pair_lists.hpp"

namespace rollcall::app {
namespace {

namespace report = membership::report;
using membership::member_state;
using membership::snapshot;

// Distinct arguments make distinct cache entries (member/1); a caller cannot grow the cache beyond this.
constexpr std::size_t max_cached_answers = 256;
// What is above that is made when it is asked for, and not kept.
constexpr std::size_t max_cached_size = 4U << 20;
// So many snapshots may be kept by those who take long over a list of pairs.
constexpr std::size_t max_long_answers = 16;
// Who wants no healing at all has --heal=off.
constexpr std::chrono::seconds longest_pause{7 * 86'400};

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

cnode::answer ok() {
  return value(report::document{report::symbol{"ok"}});
}

cnode::answer refused(std::string_view why) {
  return value(
      report::document{report::tuple{{{report::symbol{"error"}}, {report::symbol{std::string(why)}}}}});
}

using terms = std::span<const cnode::term>;
constexpr auto clause = cnode::answer_kind::function_clause;

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
    void operator()(const report::tuple& parts) const {
      out.tuple_header(parts.items.size());
      for (const auto& item : parts.items) encode(out, item);
    }
    // A node keeps a map's keys in this order, and sorts each map whose keys come in another as it reads it.
    void operator()(const report::object& pairs) const {
      std::vector<const report::field*> sorted;
      sorted.reserve(pairs.size());
      for (const auto& pair : pairs) sorted.push_back(&pair);
      std::ranges::sort(sorted, {}, [](const report::field* pair) { return std::string_view(pair->key); });
      out.map_header(sorted.size());
      for (const auto* pair : sorted) {
        out.atom(pair->key);
        encode(out, pair->value);
      }
    }
  };
  std::visit(visitor{out}, document.value);
}

answers::answers(std::string version, actions given)
    : version_(std::move(version)), actions_(std::move(given)) {}

const answers::encoded* answers::find_cached(const std::string& key, const membership::snapshot& now) {
  if (now.version != cached_version_) {
    cache_.clear();
    cached_version_ = now.version;
  }
  const auto found = cache_.find(key);
  return found == cache_.end() ? nullptr : &found->second;
}

cnode::answer answers::in_turns(const std::string& key, long_builder make) {
  const auto snapshot = actions_.snapshot();
  if (const auto* found = find_cached(key, *snapshot)) return value(*found);
  std::erase_if(long_answers_, [](const long_answer& each) { return each.value.expired(); });
  for (const auto& each : long_answers_) {
    auto kept = each.version == snapshot->version && each.key == key ? each.value.lock() : nullptr;
    if (kept) return {cnode::answer_kind::value, nullptr, std::move(kept)};
  }
  auto made = make(snapshot);
  if (made->pieces == 1) {
    cnode::byte_string bytes;
    made->append(0, made->atoms, bytes);
    return value(cache_.emplace(key, std::make_shared<const cnode::byte_string>(bytes)).first->second);
  }
  if (long_answers_.size() >= max_long_answers) {
    static const auto why =
        std::make_shared<const cnode::byte_string>(cnode::term_writer().atom("system_limit").bytes());
    return {cnode::answer_kind::error, why};
  }
  long_answers_.push_back({key, snapshot->version, made});
  return {cnode::answer_kind::value, nullptr, std::move(made)};
}

cnode::answer answers::cached(const std::string& key, const builder& build) {
  const auto snapshot = actions_.snapshot();
  if (const auto* found = find_cached(key, *snapshot)) return value(*found);
  cnode::term_writer writer;
  encode(writer, build(*snapshot));
  auto bytes = std::make_shared<const cnode::byte_string>(writer.bytes());
  if (cache_.size() < max_cached_answers && bytes->size() <= max_cached_size) cache_.emplace(key, bytes);
  return value(std::move(bytes));
}

// What can be asked, and help/0, which is made from it. A function is given as many arguments as it takes.
struct answers::function {
  std::string_view name;
  std::string_view arguments;  // as help/0 shows them
  std::string_view meaning;    // a phrase; empty: the line above speaks of it
  std::size_t arity;
  cnode::answer (*answer)(answers&, std::span<const cnode::term>);
  bool acts = false;  // also for who does not wait for the answer
};

std::vector<answers::function> answers::about_members() {
  return {
      {"members", "", "every member as a map: node, state, reason, since_at, listed, visible, missing, ...",
       0, [](answers& self, terms) { return self.all_members(); }},
      {"members", "State", "those that are joining, up, suspect, leaving, down or left", 1,
       [](answers& self, terms given) {
         const auto state = state_named(given[0]);
         if (!state) return failed(clause);
         return self.cached("members " + std::string(to_string(*state)),
                            [&](const snapshot& s) { return report::members(s, state); });
       }},
      {"member", "Node", "one of them, or nil", 1,
       [](answers& self, terms given) {
         const auto name = name_in(given[0]);
         if (!name) return failed(clause);
         return self.cached("member " + *name, [&](const snapshot& s) { return report::member(s, *name); });
       }},
      {"why", "Node", "what keeps that node out, step by step, or nil", 1,
       [](answers& self, terms given) {
         const auto name = name_in(given[0]);
         if (!name) return failed(clause);
         return self.cached("why " + *name, [&](const snapshot& s) { return report::why(s, *name); });
       }},
      {"nodes", "", "names of the members that are up", 0,
       [](answers& self, terms) {
         return self.cached("nodes", [](const snapshot& s) { return report::nodes(s); });
       }},
      {"nodes", "State", "names of the members in that state", 1,
       [](answers& self, terms given) {
         const auto state = state_named(given[0]);
         if (!state) return failed(clause);
         return self.cached("nodes " + std::string(to_string(*state)),
                            [&](const snapshot& s) { return report::nodes(s, *state); });
       }},
  };
}

std::vector<answers::function> answers::about_the_cluster() {
  return {
      {"status", "", "health (ok, warning, error), what is behind it, and counts", 0,
       [](answers& self, terms) {
         const auto others = self.actions_.others ? self.actions_.others() : std::vector<node_name>();
         std::string key = "status";
         for (const auto& each : others) key += ' ' + each.text();
         return self.cached(key, [&](const snapshot& s) { return report::status(s, others); });
       }},
      {"partitions", "", "lists of nodes that are connected to each other, largest first", 0,
       [](answers& self, terms) { return self.cached("partitions", report::partitions); }},
      {"links", "", "every pair of members with its state", 0,
       [](answers& self, terms) { return self.in_turns("links", list_of_links); }},
      {"missing_links", "", "the pairs that should be connected and are not, as {A, B}", 0,
       [](answers& self, terms) { return self.in_turns("missing_links", list_of_missing_links); }},
      {"netsplits", "", "what split, between which nodes, why, and how it ended; the newest first", 0,
       [](answers& self, terms) { return self.cached("netsplits", report::netsplits); }},
      {"netsplit", "Id", "one of them, or nil", 1,
       [](answers& self, terms given) {
         const auto* id = given[0].as<std::int64_t>();
         if (id == nullptr || *id < 0) return failed(clause);
         const auto number = static_cast<std::uint64_t>(*id);
         return self.cached("netsplit " + std::to_string(number),
                            [&](const snapshot& s) { return report::netsplit(s, number); });
       }},
      {"discovery", "", "the sources of nodes with their last answers", 0,
       [](answers& self, terms) { return self.cached("discovery", report::discovery); }},
      {"config", "", "the effective configuration", 0,
       [](answers& self, terms) { return value(self.actions_.configuration()); }},
  };
}

std::vector<answers::function> answers::about_events() {
  return {
      {"events", "", "what changed lately", 0,
       [](answers& self, terms) {
         return self.cached("events", [](const snapshot& s) { return report::events(s, s.events.size()); });
       }},
      {"events", "N", "the last N of them", 1,
       [](answers& self, terms given) {
         const auto* count = given[0].as<std::int64_t>();
         if (count == nullptr || *count < 0) return failed(clause);
         const auto last =
             std::min(static_cast<std::size_t>(*count), self.actions_.snapshot()->events.size());
         return self.cached("events " + std::to_string(last),
                            [&](const snapshot& s) { return report::events(s, last); });
       }},
      {"subscribe", "Pid", "from now on that process gets {rollcall, Node, Event} for each event", 1,
       [](answers& self, terms given) {
         const auto* process = given[0].as<cnode::pid>();
         if (process == nullptr) return failed(clause);
         switch (self.actions_.subscribe(*process)) {
           case subscriptions::outcome::ok:
             break;
           case subscriptions::outcome::no_connection:
             return refused("noconnection");
           case subscriptions::outcome::too_many:
             return refused("system_limit");
         }
         return ok();
       },
       true},
      {"unsubscribe", "Pid", "no more", 1,
       [](answers& self, terms given) {
         const auto* process = given[0].as<cnode::pid>();
         if (process == nullptr) return failed(clause);
         self.actions_.unsubscribe(*process);
         return ok();
       },
       true},
  };
}

std::vector<answers::function> answers::commands() {
  return {
      {"leave", "Node", "keep a node out of the mesh from now on", 1,
       [](answers& self, terms given) { return self.of_a_member(given[0], self.actions_.leave); }, true},
      {"rejoin", "Node", "let it in again", 1,
       [](answers& self, terms given) { return self.of_a_member(given[0], self.actions_.rejoin); }, true},
      {"pause", "Seconds", "ask nothing of any node for so long: no connect, no leave", 1,
       [](answers& self, terms given) {
         const auto* seconds = given[0].as<std::int64_t>();
         if (seconds == nullptr || *seconds < 1) return failed(clause);
         if (*seconds > longest_pause.count()) return failed(cnode::answer_kind::bad_argument);
         self.actions_.pause(std::chrono::seconds(*seconds));
         return ok();
       },
       true},
      {"resume", "", "go on", 0,
       [](answers& self, terms) {
         self.actions_.resume();
         return ok();
       },
       true},
      {"reconnect", "", "start a round now", 0,
       [](answers& self, terms) {
         self.actions_.start_round();
         return ok();
       },
       true},
  };
}

std::vector<answers::function> answers::about_rollcall() {
  return {
      {"version", "", "the version of rollcall", 0,
       [](answers& self, terms) { return value(report::document{report::text{self.version_}}); }},
      {"help", "", "this text", 0,
       [](answers&, terms) { return value(report::document{report::text{help()}}); }},
  };
}

// In the order of help/0.
const std::vector<answers::function>& answers::functions() {
  static const std::vector<function> all = [] {
    std::vector<function> made;
    for (const auto part : {about_members, about_the_cluster, about_events, commands, about_rollcall})
      std::ranges::move(part(), std::back_inserter(made));
    return made;
  }();
  return all;
}

cnode::answer answers::all_members() {
  const auto snapshot = actions_.snapshot();
  if (members_ && snapshot->version == members_version_) return value(members_);
  members_version_ = snapshot->version;
  bool same = members_ && told_members_.size() == snapshot->members.size();
  std::vector<told_member> now;
  now.reserve(snapshot->members.size());
  auto before = told_members_.begin();
  std::size_t size = 0;
  for (const auto& m : snapshot->members) {
    while (before != told_members_.end() && before->of.name < m.name) ++before;
    if (before != told_members_.end() && report::told_alike(before->of, m)) {
      now.push_back(std::move(*before++));
    } else {
      same = false;
      cnode::term_writer writer;
      encode(writer, report::member(m));
      now.push_back({m, writer.bytes()});
    }
    size += now.back().encoded.size();
  }
  told_members_ = std::move(now);
  if (same) return value(members_);
  cnode::byte_string whole = cnode::term_writer().list_header(told_members_.size()).bytes();
  whole.reserve(whole.size() + size + 1);
  for (const auto& one : told_members_) whole += one.encoded;
  whole += cnode::term_writer().nil().view();
  members_ = std::make_shared<const cnode::byte_string>(std::move(whole));
  return value(members_);
}

std::string answers::help() {
  std::string text =
      "rollcall answers these, by :rpc.call(node, :rollcall, function, arguments), :erpc.call,\n"
      "or GenServer.call({:rollcall, node}, function) and {function, arguments...}:\n\n";
  for (const auto& f : functions()) {
    text += fmt::format("  {:<20}{}\n", fmt::format("{}({})", f.name, f.arguments), f.meaning);
  }
  return text + "\nTimes named *_at are milliseconds since the epoch, durations named *_ms milliseconds.\n";
}

cnode::answer answers::of_a_member(const cnode::term& argument,
                                   const std::function<void(const node_name&)>& act) {
  const auto name = name_in(argument);
  if (!name) return failed(cnode::answer_kind::function_clause);
  const auto node = node_name::parse(*name);
  if (!node) return failed(cnode::answer_kind::bad_argument);
  if (actions_.snapshot()->find(*name) == nullptr) return refused("unknown_node");
  act(*node);
  return ok();
}

cnode::answer answers::operator()(const cnode::request& request) {
  if (request.module != "rollcall" && request.module != "Elixir.Rollcall") {
    return failed(cnode::answer_kind::undefined);
  }
  const auto& all = functions();
  const auto found = std::ranges::find_if(all, [&](const function& f) {
    return f.name == request.function && f.arity == request.arguments.size();
  });
  if (found == all.end()) return failed(cnode::answer_kind::undefined);
  if (!request.answer_wanted && !found->acts) return {};
  return found->answer(*this, request.arguments);
}

}  // namespace rollcall::app
