// The runbook, docs/runbook.md, embedded and served as a page: the links of the alerts lead to its sections.
#pragma once

#include <string>
#include <string_view>

namespace rollcall::http {

// HTML of the Markdown that our documents use: headings, paragraphs, lists, tables, fenced code; in a line
// code, bold and links. A heading's id is what GitHub makes of it. A link to another document is left as its
// text: it is not served here.
std::string html_of_markdown(std::string_view markdown);

std::string render_runbook();

}  // namespace rollcall::http
