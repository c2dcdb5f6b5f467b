// `doctor --bundle FILE`: what a bug report needs in one text file that only its owner may read.
#pragma once

#include <string>
#include <string_view>

#include "app/configuration.hpp"

namespace rollcall::app {

// Version, machine, effective configuration, resolv.conf, what doctor found, and what a running rollcall of
// this configuration answers. No cookie: each one that is known is looked for in the text and taken out.
// Throws configuration_error when the file cannot be written.
void write_bundle(const configuration&, const environment&, std::string_view findings_as_json);

// The text with every occurrence of each secret replaced.
std::string without_secrets(std::string text, const std::vector<std::string>& secrets);

}  // namespace rollcall::app
