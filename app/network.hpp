// The configuration as the other modules take it, and the few functions with which app joins
// them.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "app/configuration.hpp"
#include "cnode/node.hpp"
#include "discovery/roster.hpp"
#include "membership/cluster.hpp"

namespace rollcall::app {

namespace asio = boost::asio;

// ERL_EPMD_PORT, as every Erlang node on the machine reads it. Throws configuration_error.
std::uint16_t port_mapper_port(const environment&);

discovery::resolver::options resolver_options(const configuration&);  // throws configuration_error
discovery::roster::options roster_options(const configuration&);
membership::settings core_settings(const configuration&);
cnode::node_options node_options(const configuration&, std::vector<std::string> cookies,
                                 std::uint16_t port_mapper_port, std::shared_ptr<const tls::context> = {});

// The names this machine's port mapper has, without our `own` (the part before the '@').
asio::awaitable<boost::system::result<std::vector<discovery::local_entry>>> local_names(
    std::uint16_t port_mapper_port, std::string own);
// What cnode resolves hosts with.
asio::awaitable<cnode::resolved> addresses_of(discovery::resolver&, std::string host);

// Where a node of the roster is dialled, and under which name.
cnode::target target_of(const discovery::entry&, const configuration&);

// As membership shows it to people.
membership::wall_time wall_time_of(std::chrono::system_clock::time_point);

// What a reader is shown of a source.
membership::source_report report_of(discovery::source_status);

}  // namespace rollcall::app
