// What an exception says, for people: without the file and line of a library's source, which Boost appends.
#pragma once

#include <boost/system/system_error.hpp>
#include <exception>
#include <string>

namespace rollcall::app {

inline std::string plain_text(const std::exception& thrown) {
  if (const auto* of_boost = dynamic_cast<const boost::system::system_error*>(&thrown)) {
    return of_boost->code().message();
  }
  return thrown.what();
}

}  // namespace rollcall::app
