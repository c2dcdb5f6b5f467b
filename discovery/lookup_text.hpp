// What an operator reads of a lookup: one sentence for each way in which it can end.
#pragma once

#include <boost/asio/ip/udp.hpp>
#include <chrono>
#include <string>
#include <string_view>

#include "discovery/channel.hpp"
#include "discovery/resolver.hpp"

namespace rollcall::discovery {

// What c-ares' status means for the roster.
query_outcome classify(int ares_status);
std::string to_text(const asio::ip::udp::endpoint&);
// Why that server gave no records.
std::string reason(int ares_status, record_type, const asio::ip::udp::endpoint&,
                   std::chrono::milliseconds limit);
std::string sentence(record_type, std::string_view name, std::string_view why);

}  // namespace rollcall::discovery
