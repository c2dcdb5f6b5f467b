// Answers as neutral documents, built once and rendered as JSON (http) or as Erlang terms (app): the same
// keys, the same values. Conventions of the interface: times *_at in ms since the epoch, durations *_ms,
// absence nil.
#pragma once

#include <memory>

#include "membership/snapshot.hpp"

namespace rollcall::membership::report {

struct nil {};
struct symbol {
  std::string text;
};  // an atom in Erlang, a string in JSON: states, reasons, node names
struct text {
  std::string utf8;
};  // a binary in Erlang, a string in JSON
struct document;
using array = std::vector<document>;
struct tuple {
  std::vector<document> items;
};  // a tuple in Erlang, an array in JSON
struct field;
using object = std::vector<field>;
struct document {
  std::variant<nil, bool, std::int64_t, double, symbol, text, array, tuple, object> value;
};
struct field {
  std::string key;  // an atom in Erlang
  document value;
};

document members(const snapshot&, std::optional<member_state> only = {});
document member(const snapshot&, std::string_view name);  // nil when unknown
document member(const membership::member&);
// Whether both are told in the same words: members() of a thousand changes by a few at a time.
bool told_alike(const membership::member&, const membership::member&);
// What keeps that node out of the mesh, step by step, as far as is known; nil when nobody knows it.
document why(const snapshot&, std::string_view name);
document nodes(const snapshot&, member_state only = member_state::up);
document status(const snapshot&, const std::vector<node_name>& other_rollcalls = {});
document partitions(const snapshot&);
document links(const snapshot&);          // every pair of members: %{a:, b:, state:}
document missing_links(const snapshot&);  // pairs
document discovery(const snapshot&);
document event(const membership::event&);
document events(const snapshot&, std::size_t last);
document netsplits(const snapshot&);                   // newest first
document netsplit(const snapshot&, std::uint64_t id);  // nil when there is none, or none any more

}  // namespace rollcall::membership::report
