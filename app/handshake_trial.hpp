// Whether a node would link another one, found out without a link that anybody is told of: a whole handshake
// that makes a hidden link, and closes it. `global` takes no notice of those, so that nothing is torn,
// whatever comes of it.
#pragma once

#include <string_view>

#include "app/timely_command.hpp"
#include "membership/facts.hpp"

namespace rollcall::app {

// The Erlang text that trial_forms() stands for. Variables: To (an atom), End (as for other commands). All of
// it is one evaluation on the node, so that no hidden link is left when ours to it breaks. One that was there
// before stays.
extern const std::string_view trial_text;

// One encoded term: the list of expressions, as erl_parse:parse_exprs/1 makes it of the text on one line.
cnode::byte_string trial_forms();

membership::path_probe trial_result_in(const cnode::term& answer);

asio::awaitable<membership::path_probe> try_handshake(timely_commands&, node_name on, node_name to,
                                                      milliseconds limit);

}  // namespace rollcall::app
