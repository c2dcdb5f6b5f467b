// Answers as JSON (RFC 8259): the keys are those a shell sees, nil is null, atoms and binaries are strings.
// Written straight into the text: a document of a large cluster is never held a second time as a JSON tree.
#pragma once

#include <string>
#include <string_view>

#include "membership/report.hpp"

namespace rollcall::http {

std::string render(const membership::report::document&);

void append(std::string& out, const membership::report::document&);
// A JSON string. What is not UTF-8 in it (text may come from a peer) becomes U+FFFD.
void append_string(std::string& out, std::string_view text);

}  // namespace rollcall::http
