#include "discovery/lookup_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "discovery/ares.hpp"

namespace rollcall::discovery {

std::string_view spoken(query_outcome outcome) noexcept {
  switch (outcome) {
    case query_outcome::ok:
      return "answers";
    case query_outcome::partial:
      return "part of an answer";
    case query_outcome::empty:
      return "no records";
    case query_outcome::nxdomain:
      return "NXDOMAIN";
    case query_outcome::servfail:
      return "SERVFAIL";
    case query_outcome::timeout:
      return "no answer";
    case query_outcome::error:
      return "error";
  }
  return "error";
}

query_outcome classify(int status) {
  switch (status) {
    case ARES_SUCCESS:
      return query_outcome::ok;
    case ARES_ENODATA:
      return query_outcome::empty;
    case ARES_ENOTFOUND:
      return query_outcome::nxdomain;
    case ARES_ESERVFAIL:
      return query_outcome::servfail;
    case ARES_ETIMEOUT:
      return query_outcome::timeout;
    default:
      return query_outcome::error;
  }
}

int weight(query_outcome outcome) {
  switch (outcome) {
    case query_outcome::servfail:
      return 3;
    case query_outcome::error:
      return 2;
    case query_outcome::timeout:
      return 1;
    default:
      return 0;
  }
}

bool failed(query_outcome outcome) {
  return weight(outcome) > 0;
}

bool has_records(query_outcome outcome) {
  return outcome == query_outcome::ok || outcome == query_outcome::partial;
}

std::string tried_name(std::string_view name, query_outcome outcome) {
  return fmt::format("{} ({})", name, spoken(outcome));
}

std::string tried_as(const std::vector<std::string>& names) {
  return fmt::format("; tried {}", fmt::join(names, ", "));
}

std::string to_text(const asio::ip::udp::endpoint& server) {
  const auto address = server.address().to_string();
  return server.address().is_v6() ? fmt::format("[{}]:{}", address, server.port())
                                  : fmt::format("{}:{}", address, server.port());
}

std::string reason(int status, record_type type, const asio::ip::udp::endpoint& endpoint,
                   milliseconds limit) {
  const auto server = to_text(endpoint);
  switch (status) {
    case ARES_ENODATA:
      return type == record_type::srv
                 ? fmt::format(
                       "name server {} knows the name but has no SRV record for it: a headless service needs "
                       "a port, and publishNotReadyAddresses for pods that are not ready",
                       server)
                 : fmt::format("name server {} knows the name but has no address for it", server);
    case ARES_ENOTFOUND:
      return fmt::format(
          "name server {} says there is no such name (NXDOMAIN): check the name and its namespace", server);
    case ARES_ESERVFAIL:
      return fmt::format(
          "name server {} could not answer (SERVFAIL): it, or the server behind it, is in trouble", server);
    case ARES_ETIMEOUT:
      return fmt::format(
          "name server {} did not answer within {} ms: check that it runs and that UDP and TCP port {} "
          "reach it",
          server, limit.count(), endpoint.port());
    case channel::no_descriptor:
      return "could not be asked: all file descriptors of this process are in use (ulimit -n, LimitNOFILE=)";
    case ARES_ECONNREFUSED:
      return fmt::format(
          "no server answered: {} refuses connections or has no route: check the address, and that a "
          "name server runs there",
          server);
    case ARES_EREFUSED:
      return fmt::format("name server {} refuses to answer us (REFUSED): check who may ask it, and its zones",
                         server);
    case ARES_EFORMERR:
      return fmt::format("name server {} did not understand the question (FORMERR)", server);
    case ARES_ENOTIMP:
      return fmt::format("name server {} does not answer such questions (NOTIMP)", server);
    case ARES_EBADRESP:
      return fmt::format("the answer of name server {} is malformed", server);
    case ARES_EBADNAME:
    case ARES_EBADQUERY:
      return "this cannot be asked: it is no domain name";
    case ARES_ECANCELLED:
      return "the lookup was cancelled";
    case ARES_EDESTRUCTION:
      return "the lookup was given up: Rollcall stops or read its name servers again";
    default:
      return fmt::format("name server {}: {}", server, ares_strerror(status));
  }
}

std::string sentence(record_type type, std::string_view name, std::string_view why) {
  return fmt::format("{} {}: {}", to_string(type), name, why);
}

}  // namespace rollcall::discovery
