// What an operator reads of a lookup: one sentence for each way in which it can end.
#pragma once

#include <boost/asio/ip/udp.hpp>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "discovery/channel.hpp"
#include "discovery/resolver.hpp"

namespace rollcall::discovery {

// What c-ares' status means for the roster.
query_outcome classify(int ares_status);
std::string to_text(const asio::ip::udp::endpoint&);
// A failure that tells more wins over one that tells less; all of them over nothing.
int weight(query_outcome);
bool failed(query_outcome);
bool has_records(query_outcome);
// The names of a search list, each with its answer.
std::string tried_name(std::string_view name, query_outcome);
std::string tried_as(const std::vector<std::string>& names);
// An answer that came from a name of the search list, while one before it has no answer.
template <class T>
void make_partial(query_answer<T>& answer, const query_answer<T>& failure,
                  const std::vector<std::string>& tried) {
  answer.outcome = query_outcome::partial;
  answer.unanswered = address_family::both;
  answer.detail = failure.detail + tried_as(tried);
}
// Why that server gave no records.
std::string reason(int ares_status, record_type, const asio::ip::udp::endpoint&,
                   std::chrono::milliseconds limit);
std::string sentence(record_type, std::string_view name, std::string_view why);

}  // namespace rollcall::discovery
