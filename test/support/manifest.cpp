#include "test/support/manifest.hpp"

#include <sstream>
#include <stdexcept>

namespace rollcall::test {
namespace {

std::size_t indentation(const std::string& line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

std::string without_quotes(std::string text) {
  while (text.ends_with(' ')) text.pop_back();
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') return text.substr(1, text.size() - 2);
  return text;
}

}  // namespace

std::vector<std::string> blocks(const std::string& manifest, const std::string& key) {
  std::vector<std::string> found;
  std::istringstream lines(manifest);
  bool inside = false;
  std::size_t depth = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto at = indentation(line);
    if (at == line.size() || line[at] == '#') continue;
    const bool begins = line.compare(at, key.size() + 1, key + ":") == 0;
    if (inside && !begins && (at > depth || (at == depth && line[at] == '-'))) {
      found.back() += line + "\n";
      continue;
    }
    inside = begins;
    depth = at;
    if (begins) found.push_back(line + "\n");
  }
  return found;
}

std::string value_of(const std::string& manifest, const std::string& key) {
  std::istringstream lines(manifest);
  for (std::string line; std::getline(lines, line);) {
    auto at = indentation(line);
    if (line.compare(at, 2, "- ") == 0) at += 2;
    if (line.compare(at, key.size() + 2, key + ": ") == 0)
      return without_quotes(line.substr(at + key.size() + 2));
  }
  return {};
}

std::map<std::string, std::string> environment_of(const std::string& manifest,
                                                  const std::map<std::string, std::string>& fields) {
  std::map<std::string, std::string> result;
  for (const auto& block : blocks(manifest, "env")) {
    for (auto at = block.find("- name: "); at != std::string::npos;) {
      const auto next = block.find("- name: ", at + 1);
      const auto entry = block.substr(at, next == std::string::npos ? next : next - at);
      const auto name = value_of(entry, "name");
      const auto field = value_of(entry, "fieldPath");
      if (!field.empty()) {
        const auto known = fields.find(field);
        if (known == fields.end())
          throw std::runtime_error(name + ": nothing is known of the field " + field);
        result[name] = known->second;
      } else if (entry.find("value:") != std::string::npos) {
        result[name] = value_of(entry, "value");
      } else {
        throw std::runtime_error(name + ": neither a value nor a field");
      }
      at = next;
    }
  }
  return result;
}

}  // namespace rollcall::test
