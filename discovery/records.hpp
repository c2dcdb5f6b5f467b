// The records in a name server's answer, through c-ares' parsers: as c-ares' status, since that is what the
// rest of a lookup ends with.
#pragma once

#include <algorithm>
#include <vector>

#include "discovery/channel.hpp"
#include "discovery/resolver.hpp"

namespace rollcall::discovery {

using addresses_answer = query_answer<std::vector<asio::ip::address>>;
using srv_answer = query_answer<std::vector<srv_record>>;

int read_srv(const std::vector<unsigned char>& message, srv_answer&);
int read_addresses(record_type, const std::vector<unsigned char>& message, addresses_answer&);

template <class T>
void sort_unique(std::vector<T>& values) {
  std::ranges::sort(values);
  const auto rest = std::unique(values.begin(), values.end());
  values.erase(rest, values.end());
}

}  // namespace rollcall::discovery
