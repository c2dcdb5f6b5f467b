// Reading what an earlier run wrote, as JSON and with suspicion: every step names what it expected, as a
// std::runtime_error.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "membership/time.hpp"

namespace rollcall::app {

inline constexpr std::size_t max_kept_text = 4'096;  // bytes of one

[[noreturn]] void wrong(std::string_view what, std::string_view expected);

const boost::json::value& field(const boost::json::object& of, std::string_view key);
const boost::json::object& object_in(const boost::json::value&, std::string_view what);
const boost::json::array& array_in(const boost::json::object& of, std::string_view key, std::size_t most);
std::uint64_t count_in(const boost::json::value&, std::string_view what);
std::uint64_t count_in(const boost::json::object& of, std::string_view key);
membership::wall_time time_in(const boost::json::object& of, std::string_view key);
std::string text_in(const boost::json::object& of, std::string_view key);
// The text as a whole, in the one format that is read.
boost::json::value parsed_in(std::string_view text, std::uint64_t format);

}  // namespace rollcall::app
