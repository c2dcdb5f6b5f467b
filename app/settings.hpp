// What a node says of itself, read out of the answers to a few calls.
#pragma once

#include "cnode/term.hpp"
#include "membership/facts.hpp"

namespace rollcall::app {

// The names in the answer of erlang:nodes/0; what is not a node name is left out. nullopt when it is no list.
std::optional<std::vector<node_name>> names_in(const cnode::term&);
// The atoms of an encoded answer, without `own`; what is not a node name is not left out.
std::optional<name_list> names_in(cnode::byte_view encoded, std::string_view own);
// init:get_status/0: {stopping, _}.
bool says_stopping(const cnode::term&);
// The parts of fact::settings, each from its own call; what is not understood stays absent.
void read_kernel_environment(membership::fact::settings&,
                             const cnode::term& all_env);                 // application:get_all_env(kernel)
void read_otp_release(membership::fact::settings&, const cnode::term&);   // erlang:system_info(otp_release)
void read_net_ticktime(membership::fact::settings&, const cnode::term&);  // net_kernel:get_net_ticktime/0
void read_connect_all_flag(membership::fact::settings&,
                           const cnode::term&);  // init:get_argument(connect_all)
// What a node does when it was not told otherwise, by its release (kernel's documentation).
void fill_defaults(membership::fact::settings&);

}  // namespace rollcall::app
