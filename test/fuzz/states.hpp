// What the fuzz target of the state files does with its input, for incidents and for the last day: what can
// be read is written, and read back the same. Used by the libFuzzer program and by the ordinary test that
// replays its corpus.
#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "app/history_text.hpp"
#include "app/state_file.hpp"

namespace rollcall::app::fuzz {

inline void day(std::string_view input) {
  membership::history read;
  try {
    read.restore(history_from_json(input));
  } catch (const std::runtime_error&) {
    return;
  }
  const auto text = to_json(read);
  membership::history again;
  if (!text.empty()) again.restore(history_from_json(text));
  if (to_json(again) != text) std::abort();
}

inline void state(std::string_view input) {
  day(input);
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
