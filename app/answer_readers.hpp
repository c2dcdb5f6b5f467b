// What a running rollcall answered, read: what may be absent or of another type is empty, since an older or
// newer server is no reason to fail. What is not even a list or an object is a std::runtime_error.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "app/configuration.hpp"

namespace rollcall::app {

const boost::json::value* member_of(const boost::json::object&, std::string_view key);
std::string text_of(const boost::json::value&);
std::string text_of(const boost::json::object&, std::string_view key);
milliseconds time_of(const boost::json::object&, std::string_view key);
const boost::json::array& list(const boost::json::value& answer);
const boost::json::object& object(const boost::json::value& element);
// Of each element that has one.
std::vector<std::string> names_of(const boost::json::array& objects, std::string_view key);

}  // namespace rollcall::app
