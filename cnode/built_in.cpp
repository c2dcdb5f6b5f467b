#include "cnode/built_in.hpp"

#include <algorithm>
#include <set>

namespace rollcall::cnode {
namespace {

answer value(const term_writer& out) {
  return {answer_kind::value, std::make_shared<const byte_string>(out.bytes())};
}

// nodes/1 takes one kind of nodes, or a list of kinds. A hidden node sees no peer as visible.
answer nodes(const term& asked, const node_name& own, const std::vector<node_name>& linked) {
  bool peers = false, ourselves = false;
  const auto add = [&](const term& kind) {
    const bool known = kind.is_atom("known");
    if (known || kind.is_atom("hidden") || kind.is_atom("connected")) {
      peers = true;
    } else if (!kind.is_atom("this") && !kind.is_atom("visible")) {
      return false;
    }
    ourselves |= known || kind.is_atom("this");
    return true;
  };
  const auto* kinds = asked.as<list>();
  const bool understood =
      kinds == nullptr ? add(asked) : !kinds->tail && std::ranges::all_of(kinds->items, add);
  if (!understood) return {answer_kind::bad_argument, {}};

  term_writer out;
  out.list_header((peers ? linked.size() : 0) + (ourselves ? 1 : 0));
  if (peers) {
    for (const auto& peer : linked) out.atom(peer.text());
  }
  if (ourselves) out.atom(own.text());
  out.nil();
  return value(out);
}

}  // namespace

std::optional<answer> built_in(const request& asked, const node_name& own, const pid& self,
                               const std::vector<node_name>& linked) {
  const auto is = [&](std::string_view function, std::size_t arity) {
    return asked.function == function && asked.arguments.size() == arity;
  };
  term_writer out;
  // What a remote shell asks first: of OTP 29 one that hears undef leaves its terminal dead.
  if (asked.module == "code" && is("ensure_loaded", 1)) {
    return value(out.tuple_header(2).atom("error").atom("nofile"));
  }
  if (asked.module != "erlang") return {};
  if (is("node", 0)) return value(out.atom(own.text()));
  if (is("nodes", 0)) return value(out.nil());
  if (is("nodes", 1)) return nodes(asked.arguments.front(), own, linked);
  if (is("is_alive", 0)) return value(out.boolean(true));
  if (is("registered", 0)) {
    out.list_header(registered_names.size());
    for (const auto name : registered_names) out.atom(name);
    return value(out.nil());
  }
  if (is("whereis", 1)) {
    const auto* name = asked.arguments.front().as<atom>();
    if (name == nullptr) return answer{answer_kind::bad_argument, {}};
    if (name->text == registered_names.front()) return value(out.write(self));
    return value(out.atom("undefined"));
  }
  return {};
}

}  // namespace rollcall::cnode
