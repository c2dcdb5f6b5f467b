// Certificates and keys as they are read from files, named where they are not whole.
#pragma once

#include <string>
#include <string_view>

#include "app/watched_files.hpp"

namespace rollcall::app {

// As watched_files::read; also a sentence where the file is empty, or of no use as a whole (tls::why_no_pem).
std::string read_pem(watched_files&, const std::string& path, std::string_view what, std::string& into);

}  // namespace rollcall::app
