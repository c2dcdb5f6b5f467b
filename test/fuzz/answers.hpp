// What the fuzz target of DNS does with its input: one message of a name server, through all that reads it.
// Used by the libFuzzer program and by the ordinary test that replays its corpus.
#pragma once

#include <ares.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "discovery/message.hpp"
#include "discovery/records.hpp"
#include "discovery/search_list.hpp"

namespace rollcall::discovery::fuzz {

inline void must(bool holds) {
  if (!holds) std::abort();
}

template <class T>
void must_be_a_set(const std::vector<T>& values) {
  must(std::ranges::is_sorted(values) && std::ranges::adjacent_find(values) == values.end());
}

// What an entry of the roster is made of: a record only with a host name in its one form, and success only
// with a record.
inline void services(const std::vector<unsigned char>& message) {
  srv_answer answer;
  const int status = read_srv(message, answer);
  must((status == ARES_SUCCESS) == !answer.records.empty());
  must(answer.records.size() + answer.dropped.size() <= message.size());
  must_be_a_set(answer.records);
  must_be_a_set(answer.dropped);
  for (const auto& each : answer.records) must(normal_host(each.target) == each.target);
  for (const auto& each : answer.dropped) must(!normal_host(each));
}

inline void addresses(record_type type, const std::vector<unsigned char>& message) {
  addresses_answer answer;
  const int status = read_addresses(type, message, answer);
  must((status == ARES_SUCCESS) == !answer.records.empty());
  must(answer.records.size() <= message.size());
  must_be_a_set(answer.records);
  for (const auto& each : answer.records) must(each.is_v4() == (type == record_type::a));
}

// | what was asked for:1 | message |
inline void answered(std::string_view input) {
  if (input.empty()) return;
  const auto asked = static_cast<unsigned char>(input[0]);
  // Of its exact size, so that a sanitizer sees the first byte read past the end.
  const std::vector<unsigned char> message(input.begin() + 1, input.end());
  if (const auto seen = look_at(message); seen && seen->ttl) must(seen->ttl->count() >= 0);
  if (asked % 3 == 0) services(message);
  if (asked % 3 == 1) addresses(record_type::a, message);
  if (asked % 3 == 2) addresses(record_type::aaaa, message);
}

}  // namespace rollcall::discovery::fuzz
