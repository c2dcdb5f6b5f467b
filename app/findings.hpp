// What `check` and `doctor` find wrong, each of a kind with a stable code, what to do about it, and the
// section of the runbook that says more.
#pragma once

#include <boost/json/array.hpp>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/diagnosis.hpp"
#include "app/link_survey.hpp"
#include "app/short_names.hpp"
#include "app/terminal.hpp"
#include "membership/snapshot.hpp"

namespace rollcall::app {

struct finding_kind {
  std::string_view code;      // never renamed: scripts compare it
  std::string_view category;  // discovery, node, mesh
  std::string_view hint;      // what to do
  std::string_view section;   // of docs/runbook.md, served at /runbook
};
std::span<const finding_kind> finding_kinds();

struct finding {
  const finding_kind* kind = nullptr;
  std::string node;  // or a source; empty for what concerns all
  std::string text;
};
finding make_finding(std::string_view code, std::string node, std::string text);

// Of one node that was examined: the step that failed.
finding finding_of(const diagnosis&);
// Of a round of `check`.
std::vector<finding> findings_of(const membership::snapshot&, const link_survey&);

// By category and code: the hint once, then each node with its sentence.
void print_findings(std::span<const finding>, const short_names&, const terminal&, std::ostream&);
boost::json::array to_json(std::span<const finding>);

}  // namespace rollcall::app
