#include "app/findings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <ostream>
#include <stdexcept>

#include "app/printable.hpp"
#include "app/table.hpp"

namespace rollcall::app {
namespace {

namespace json = boost::json;

constexpr std::size_t most_of_a_kind = 10;

constexpr std::array kinds{
    finding_kind{"source-failed", "discovery",
                 "look at the name server, and at the service's name and namespace",
                 "rollcalldiscoverystale"},
    finding_kind{
        "source-empty", "discovery",
        "does the service exist, is it headless, has it a named port, do its selectors match the pods?",
        "rollcallnothingdiscovered"},
    finding_kind{"node-unnamed", "discovery",
                 "does a node listen at that address whose name the pattern takes?",
                 "rollcallnothingdiscovered"},
    finding_kind{"node-dns", "node",
                 "is its pod there, is publishNotReadyAddresses set, is the name spelled as DNS has it?",
                 "rollcallmembersmissing"},
    finding_kind{"node-port-mapper", "node",
                 "is the node started, with that name? nodes without epmd need --peer-port",
                 "rollcallmembersmissing"},
    finding_kind{"node-tcp", "node",
                 "does it listen on that port, and does a network policy let Rollcall in?",
                 "rollcallmembersmissing"},
    finding_kind{
        "node-tls", "node",
        "do both speak TLS (-proto_dist inet_tls, --tls on), and does each accept the other's certificate?",
        "rollcallmembersmissing"},
    finding_kind{"node-handshake", "node", "is it an Erlang node, with a long name?",
                 "rollcallmembersmissing"},
    finding_kind{"node-cookie", "node",
                 "compare the Secret that Rollcall reads and the one that the node was started with",
                 "rollcallcookierefused"},
    finding_kind{"node-name", "node",
                 "make RELEASE_NODE (or -name) what DNS says, or --srv, --dns or --node what it is called",
                 "rollcallnamemismatch"},
    finding_kind{"node-call", "node", "is the node overloaded or frozen? look at its log and its machine",
                 "rollcallmembersmissing"},
    finding_kind{"node-view", "node", "is it an Erlang node? another program with its protocol has no view",
                 "rollcallmembersmissing"},
    finding_kind{"links-missing", "mesh",
                 "net_adm:ping from one to the other: pang at once is a name, port or cookie, pang late a "
                 "firewall",
                 "rollcalllinksmissing"},
    finding_kind{"links-dead", "mesh",
                 "a silent cut: look at the network between the two machines, and at policies changed lately",
                 "rollcallnetsplit"},
    finding_kind{"cluster", "mesh", "see the sentence", "rollcalllinksmissing"},
};

std::string_view code_of(step_name step) {
  switch (step) {
    case step_name::dns:
      return "node-dns";
    case step_name::port_mapper:
      return "node-port-mapper";
    case step_name::tcp:
      return "node-tcp";
    case step_name::tls:
      return "node-tls";
    case step_name::handshake:
      return "node-handshake";
    case step_name::cookie:
      return "node-cookie";
    case step_name::name:
      return "node-name";
    case step_name::call:
      return "node-call";
    case step_name::view:
      break;
  }
  return "node-view";
}

std::string_view code_of(membership::reason why) {
  using membership::reason;
  switch (why) {
    case reason::dns:
      return "node-dns";
    case reason::epmd:
    case reason::not_registered:
      return "node-port-mapper";
    case reason::tls:
      return "node-tls";
    case reason::handshake:
    case reason::incompatible:
      return "node-handshake";
    case reason::cookie:
      return "node-cookie";
    case reason::name_mismatch:
      return "node-name";
    case reason::tick_timeout:
      return "node-call";
    default:
      return "node-tcp";
  }
}

// Something answered at that address and would not go on, or nothing tells its name.
std::string_view unnamed_code(membership::reason why) {
  using membership::reason;
  const bool answered = why == reason::cookie || why == reason::tls || why == reason::incompatible;
  return answered ? code_of(why) : "node-unnamed";
}

// Of the conditions, those that no finding of a node, a source or a pair says.
bool says_more(membership::condition name) {
  using membership::condition;
  return name == condition::netsplit || name == condition::possible_split || name == condition::isolated ||
         name == condition::config_drift || name == condition::unlisted_nodes ||
         name == condition::quarantine;
}

void pairs_of(const membership::snapshot& s, std::vector<finding>& found) {
  for (std::size_t a = 0; a < s.members.size(); ++a) {
    for (std::size_t b = a + 1; b < s.members.size(); ++b) {
      const auto& one = s.members[a];
      const auto& other = s.members[b];
      if (one.state != membership::member_state::up || other.state != membership::member_state::up) continue;
      const auto state = s.pair(a, b);
      if (state != membership::pair_state::missing && state != membership::pair_state::one_way &&
          state != membership::pair_state::suspected)
        continue;
      found.push_back(
          make_finding("links-missing", one.name.text(),
                       fmt::format("{} - {}: {}", one.name.text(), other.name.text(), to_string(state))));
    }
  }
}

}  // namespace

std::span<const finding_kind> finding_kinds() {
  return kinds;
}

finding make_finding(std::string_view code, std::string node, std::string text) {
  const auto found = std::ranges::find(kinds, code, &finding_kind::code);
  if (found == kinds.end()) throw std::logic_error("no such finding: " + std::string(code));
  return {&*found, std::move(node), std::move(text)};
}

finding finding_of(const diagnosis& d) {
  return make_finding(code_of(d.steps.back().name), discovery::shown(d.node), d.steps.back().text);
}

std::vector<finding> findings_of(const membership::snapshot& s, const link_survey& links) {
  std::vector<finding> found;
  for (const auto& source : s.sources) {
    if (source.outcome != membership::query_outcome::ok && !source.detail.empty()) {
      const bool empty = source.outcome == membership::query_outcome::empty;
      found.push_back(make_finding(empty ? "source-empty" : "source-failed", source.source, source.detail));
    }
    for (const auto& each : source.unnamed)
      found.push_back(make_finding(unnamed_code(each.why), each.address,
                                   each.detail.empty() ? "not asked yet" : each.detail));
  }
  for (const auto& m : s.members) {
    if (m.why == membership::reason::none || m.state == membership::member_state::left) continue;
    found.push_back(make_finding(code_of(m.why), m.name.text(),
                                 m.detail.empty() ? std::string(to_string(m.why)) : m.detail));
  }
  pairs_of(s, found);
  for (const auto& each : links.dead)
    found.push_back(make_finding(
        "links-dead", each.from.text(),
        fmt::format("{} lists {}, and nothing it sends there arrives", each.from.text(), each.to.text())));
  for (const auto& c : s.conditions) {
    if (says_more(c.name)) found.push_back(make_finding("cluster", "", c.text));
  }
  return found;
}

void print_findings(std::span<const finding> all, const short_names& shorten, const terminal& on,
                    std::ostream& out) {
  for (const auto& kind : kinds) {
    std::size_t count = 0;
    table lines({});
    for (const auto& each : all) {
      if (each.kind != &kind || ++count > most_of_a_kind) continue;
      const auto text = shorten(each.text);
      const auto node = shorten(each.node);
      const bool says_which = node.empty() || text.find(node) != std::string::npos;
      // Behind an empty column, so that a second line of it is indented, too.
      lines.row({"", says_which ? text : fmt::format("{}: {}", node, text)});
    }
    if (count == 0) continue;
    out << '\n' << painted(on, paint::bad, fmt::format("{} ({})", kind.code, count)) << '\n';
    lines.print(out, on);
    if (count > most_of_a_kind) out << fmt::format("  and {} more\n", count - most_of_a_kind);
    table advice({});
    advice.row({"  to do", kind.hint});
    advice.row({"  see", "/runbook#" + std::string(kind.section)});
    advice.print(out, on);
  }
}

json::array to_json(std::span<const finding> all) {
  json::array made;
  for (const auto& each : all) {
    made.push_back(json::object{{"code", each.kind->code},
                                {"category", each.kind->category},
                                {"node", each.node.empty() ? json::value(nullptr) : json::value(each.node)},
                                {"text", each.text},
                                {"hint", each.kind->hint},
                                {"link", "/runbook#" + std::string(each.kind->section)}});
  }
  return made;
}

}  // namespace rollcall::app
