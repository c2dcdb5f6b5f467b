// What the fuzz target of the state file does with its input: what can be read is written, and read back the
// same. Used by the libFuzzer program and by the ordinary test that replays its corpus.
#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "app/state_file.hpp"

namespace rollcall::app::fuzz {

inline void state(std::string_view input) {
  remembered_state read;
  try {
    read = from_json(input);
  } catch (const std::runtime_error&) {
    return;
  }
  const auto text = to_json(read);
  if (to_json(from_json(text)) != text) std::abort();
}

}  // namespace rollcall::app::fuzz
