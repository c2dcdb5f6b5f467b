// What the watcher runs on a node, once to be read and once as the node takes it. The forms are made here:
// nothing that a node sends becomes code on another.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include "cnode/term.hpp"

namespace rollcall::app {

// The Erlang text that watcher_forms() stands for. Variables: Name (an atom), Token (ours, sent back), Us
// (our process).
extern const std::string_view watcher_text;

// How often a node looks whether it is being stopped: it says so once, while its link is still there. A stop
// that takes a second is looked at twice at least.
inline constexpr std::chrono::milliseconds watcher_looks{400};

// A change is told at once, and those that follow within that time after it together: a node that gains a
// thousand peers says so in some dozen messages.
inline constexpr std::chrono::milliseconds watcher_holds{50};
inline constexpr std::size_t most_changes_at_once = 1'000;

// One encoded term: the list of expressions, as erl_parse:parse_exprs/1 makes it of the text on one line.
cnode::byte_string watcher_forms();

}  // namespace rollcall::app
