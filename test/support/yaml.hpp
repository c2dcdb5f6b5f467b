// YAML documents as JSON values, with the scalars YAML 1.1 and kubectl read: 0440 is a number in octal.
#pragma once

#include <boost/json.hpp>
#include <string>

namespace rollcall::test {

// All documents of a text; throws std::runtime_error with the place where it is none.
boost::json::array yaml_documents(const std::string& text);

}  // namespace rollcall::test
