#include "discovery/records.hpp"

#include <algorithm>
#include <cstring>

#include "discovery/ares.hpp"
#include "discovery/search_list.hpp"

namespace rollcall::discovery {
namespace {

int size_of(const std::vector<unsigned char>& bytes) {
  return static_cast<int>(bytes.size());
}

constexpr std::size_t min_address_record = 12;  // owner pointer, type, class, TTL, length: before any address

}  // namespace

int read_srv(const std::vector<unsigned char>& bytes, srv_answer& answer) {
  ares_srv_reply* first = nullptr;
  const int status = ares_parse_srv_reply(bytes.data(), size_of(bytes), &first);
  const ares::data<ares_srv_reply> list(first);
  if (status != ARES_SUCCESS) return status;
  for (const auto* each = first; each != nullptr; each = each->next) {
    const std::string_view target = each->host == nullptr ? "" : each->host;
    if (target.empty() || target == ".") continue;  // RFC 2782: the service is decidedly not there
    if (auto host = normal_host(target)) {
      answer.records.push_back({std::move(*host), each->port, each->priority, each->weight});
    } else {
      answer.dropped.emplace_back(target);
    }
  }
  sort_unique(answer.records);
  sort_unique(answer.dropped);
  if (!answer.records.empty()) return ARES_SUCCESS;
  return answer.dropped.empty() ? ARES_ENODATA : ARES_EBADRESP;
}

int read_addresses(record_type type, const std::vector<unsigned char>& bytes, addresses_answer& answer) {
  const auto room = bytes.size() / min_address_record + 1;
  int count = static_cast<int>(room);
  if (type == record_type::a) {
    std::vector<ares_addrttl> found(room);
    const int status = ares_parse_a_reply(bytes.data(), size_of(bytes), nullptr, found.data(), &count);
    if (status != ARES_SUCCESS) return status;
    for (int i = 0; i < count; ++i) {
      asio::ip::address_v4::bytes_type raw;
      std::memcpy(raw.data(), &found[static_cast<std::size_t>(i)].ipaddr, raw.size());
      answer.records.emplace_back(asio::ip::address_v4(raw));
    }
  } else {
    std::vector<ares_addr6ttl> found(room);
    const int status = ares_parse_aaaa_reply(bytes.data(), size_of(bytes), nullptr, found.data(), &count);
    if (status != ARES_SUCCESS) return status;
    for (int i = 0; i < count; ++i) {
      asio::ip::address_v6::bytes_type raw;
      std::memcpy(raw.data(), &found[static_cast<std::size_t>(i)].ip6addr, raw.size());
      answer.records.emplace_back(asio::ip::address_v6(raw));
    }
  }
  sort_unique(answer.records);
  return answer.records.empty() ? ARES_ENODATA : ARES_SUCCESS;
}

}  // namespace rollcall::discovery
