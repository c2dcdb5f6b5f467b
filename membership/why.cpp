// why/1: the steps from "is it listed" to "is it in the mesh", and the one at which a node stands.
#include <algorithm>
#include <array>

#include "membership/report.hpp"

namespace rollcall::membership::report {
namespace {

enum class step { listed, dns, port_mapper, tcp, tls, handshake, cookie, name, call, view, mesh };
constexpr std::array<std::string_view, 11> step_names{
    "listed", "dns", "port_mapper", "tcp", "tls", "handshake", "cookie", "name", "call", "view", "mesh"};

struct position {
  step at;
  bool tried;  // the steps before it were taken, by this dial or over this link
};

// Where a member that is not up stands.
position stuck_at(const membership::member& m) {
  if (m.why == reason::stopping) return {step::mesh, m.linked};
  if (m.linked) return {m.why == reason::incompatible ? step::view : step::call, true};
  if (!m.dial_ended_at) return {m.why == reason::tick_timeout ? step::call : step::tcp, false};
  switch (*m.dial_ended_at) {
    case dial_step::dns:
      return {step::dns, true};
    case dial_step::port_mapper:
      return {step::port_mapper, true};
    case dial_step::tcp:
      return {step::tcp, true};
    case dial_step::handshake:
      break;
  }
  if (m.why == reason::tls) return {step::tls, true};
  if (m.why == reason::cookie) return {step::cookie, true};
  return {m.why == reason::name_mismatch ? step::name : step::handshake, true};
}

// Where an address stands of which no handshake has told a name yet.
position stuck_at(const unnamed_node& place) {
  switch (place.why) {
    case reason::dns:
      return {step::dns, true};
    case reason::epmd:
    case reason::not_registered:
      return {step::port_mapper, true};
    case reason::refused:
      return {step::tcp, true};
    case reason::tls:
      return {step::tls, true};
    case reason::cookie:
      return {step::cookie, true};
    case reason::name_mismatch:
      return {step::name, true};
    case reason::timeout:
      return {place.there ? step::tcp : step::port_mapper, true};
    default:
      return {step::handshake, true};
  }
}

// By its host, or as it is shown: an address, and the half name that its port mapper knows.
const unnamed_node* find_unnamed(const snapshot& s, std::string_view asked) {
  for (const auto& source : s.sources) {
    for (const auto& each : source.unnamed) {
      if (each.host == asked || each.address == asked) return &each;
    }
  }
  return nullptr;
}

document named(std::string_view value) {
  return {symbol{std::string(value)}};
}
document sentence(std::string value) {
  return {text{std::move(value)}};
}

std::string listing(const std::vector<node_name>& names) {
  std::string all;
  for (const auto& one : names) all += (all.empty() ? "" : ", ") + one.text();
  return all;
}

// What is wrong in the mesh although we hold a link and a view; empty: nothing.
std::string missing_in_mesh(const snapshot& s, const membership::member& m) {
  if (m.state == member_state::leaving) return m.name.text() + " is leaving";
  if (m.kept_out) {
    return m.name.text() + (m.pruned ? " was pruned: it comes back once it is listed again"
                                     : " is kept out by leave/1: rejoin/1 lets it in again");
  }
  for (const auto& out : s.quarantine) {
    if (out.node == m.name) return out.text;
  }
  if (m.links_missing == 0) return {};
  const auto self = static_cast<std::size_t>(s.find(m.name.text()) - s.members.data());
  std::vector<node_name> lacks;
  for (std::size_t other = 0; other < s.members.size(); ++other) {
    if (other == self || s.members[other].links_missing == 0) continue;
    const auto state = s.pair(self, other);
    if (state == pair_state::missing || state == pair_state::suspected || state == pair_state::quarantined) {
      lacks.push_back(s.members[other].name);
    }
  }
  return m.name.text() + " is not connected to " + listing(lacks);
}

// Steps before the one it stands at were taken, if they were tried; those behind it are not known. The one of
// TLS is told where we speak it, or a node does.
document answer(const snapshot& s, document node, document state, document reason_symbol, bool listed,
                std::optional<position> stuck, const std::string& why) {
  array steps;
  for (std::size_t at = 0; at < step_names.size(); ++at) {
    if (at == static_cast<std::size_t>(step::tls) && !s.certificate && !(stuck && stuck->at == step::tls)) {
      continue;
    }
    document ok{true}, told{nil{}};
    const auto here = stuck ? static_cast<std::size_t>(stuck->at) : step_names.size();
    if (at == here) {
      ok = {false};
      told = sentence(why);
    } else if (at > here) {
      ok = {nil{}};
    } else if (at > 0 && stuck && !stuck->tried) {
      ok = {nil{}};
    } else if (at == 0 && !listed) {
      ok = {false};
      told = sentence("no source lists it now; it is a member since it was listed");
    }
    steps.push_back(
        {object{{"step", named(step_names[at])}, {"ok", std::move(ok)}, {"text", std::move(told)}}});
  }
  return {object{
      {"node", std::move(node)},
      {"state", std::move(state)},
      {"reason", std::move(reason_symbol)},
      {"stuck_at", stuck ? named(step_names[static_cast<std::size_t>(stuck->at)]) : document{nil{}}},
      {"text", sentence(why)},
      {"steps", {std::move(steps)}},
  }};
}

}  // namespace

document why(const snapshot& s, std::string_view name) {
  const auto* m = s.find(name);
  if (m == nullptr) {
    const auto hidden = std::ranges::find(s.hidden, name, [](const node_name& n) { return n.text(); });
    if (hidden != s.hidden.end()) {
      return answer(s, named(name), {nil{}}, {nil{}}, true, position{step::name, true},
                    std::string(name) + " is a hidden node: it is listed, and no member");
    }
    if (const auto* place = find_unnamed(s, name)) {
      return answer(s, named(name), {nil{}},
                    place->why == reason::none ? document{nil{}} : named(to_string(place->why)), true,
                    stuck_at(*place),
                    place->address + ": the name of its node is not known yet; " +
                        (place->detail.empty() ? std::string("it was not reached") : place->detail));
    }
    const auto stranger = std::ranges::find(s.unlisted, name, [](const node_name& n) { return n.text(); });
    if (stranger == s.unlisted.end()) return {nil{}};
    return answer(s, named(name), {nil{}}, {nil{}}, false, position{step::listed, true},
                  std::string(name) + " is seen by members, and no source lists it: it is never dialled");
  }
  const auto reason_symbol = m->why == reason::none ? document{nil{}} : named(to_string(m->why));
  std::optional<position> stuck;
  std::string text;
  if (m->state == member_state::joining && m->fresh_view) {
    text = m->detail;
    stuck = position{step::mesh, true};
  } else if (m->state == member_state::up || (m->linked && m->fresh_view)) {
    text = missing_in_mesh(s, *m);
    if (!text.empty()) stuck = position{step::mesh, true};
  } else if (m->state == member_state::left || (!m->listed && m->state == member_state::down)) {
    stuck = position{step::listed, true};
  } else {
    stuck = stuck_at(*m);
  }
  if (text.empty() && stuck) text = m->detail;
  if (text.empty()) {
    text = !stuck ? m->name.text() + " is in the mesh"
                  : m->name.text() + " is " + std::string(to_string(m->state));
  }
  return answer(s, named(m->name.text()), named(to_string(m->state)), reason_symbol, m->listed, stuck, text);
}

}  // namespace rollcall::membership::report
