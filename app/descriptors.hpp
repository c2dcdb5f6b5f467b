// File descriptors: each link, dial and client needs one. At the start the limit is raised as far as the
// system allows; when they are used up all the same, that is what is said, and nobody else is blamed.
#pragma once

#include <boost/system/error_code.hpp>
#include <cstdint>
#include <string>

namespace rollcall::app {

struct descriptor_limit {
  std::uint64_t before = 0, now = 0;
};

// The soft limit of open files is raised to the hard one.
descriptor_limit raise_descriptor_limit() noexcept;

// Whether none can be opened at this moment.
bool out_of_descriptors() noexcept;

// Whether something failed for want of one: it says nothing about the other end.
bool without_a_descriptor(const boost::system::error_code&) noexcept;

// "all 1024 file descriptors of this process are in use (...)"
std::string out_of_descriptors_text();

}  // namespace rollcall::app
