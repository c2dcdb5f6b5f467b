// What the tests need of a Kubernetes manifest of ours: blocks by their indentation, and what stands in them.
// Not YAML at large.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace rollcall::test {

// Every `KEY:` and what is indented below it (a value on the same line included), from the first on.
std::vector<std::string> blocks(const std::string& manifest, const std::string& key);
// The value after the first `KEY:`, without quotes; empty when there is none.
std::string value_of(const std::string& manifest, const std::string& key);
// A container's `env`, with what `fields` says for each fieldPath. Throws std::runtime_error for a field that
// is not in it, and for a source it does not know.
std::map<std::string, std::string> environment_of(const std::string& manifest,
                                                  const std::map<std::string, std::string>& fields);

}  // namespace rollcall::test
