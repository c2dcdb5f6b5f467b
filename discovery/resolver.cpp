#include "discovery/resolver.hpp"

#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>

#include "discovery/ares.hpp"
#include "discovery/channel.hpp"
#include "discovery/search_list.hpp"

namespace rollcall::discovery {

using asio::experimental::awaitable_operators::operator&&;
using std::chrono::steady_clock;
using addresses_answer = query_answer<std::vector<asio::ip::address>>;
using srv_answer = query_answer<std::vector<srv_record>>;

namespace {

constexpr std::size_t max_remembered = 1'024;

struct name_server {
  asio::ip::udp::endpoint endpoint;
  std::shared_ptr<channel> udp, tcp;  // opened when first asked
};

// What one question came to, and who said so.
struct outcome_of {
  query_outcome outcome = query_outcome::error;
  std::vector<unsigned char> bytes;
  std::string detail;
};

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

// A failure that tells more wins over one that tells less; all of them over nothing.
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

template <class T>
void sort_unique(std::vector<T>& values) {
  std::ranges::sort(values);
  const auto rest = std::ranges::unique(values);
  values.erase(rest.begin(), rest.end());
}

int size_of(const std::vector<unsigned char>& bytes) {
  return static_cast<int>(bytes.size());
}

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

constexpr std::size_t min_address_record = 12;  // owner pointer, type, class, TTL, length: before any address

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

// An address as it is written, in brackets or not, with a final dot or not.
std::optional<asio::ip::address> literal(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.ends_with('.')) host.remove_suffix(1);
  boost::system::error_code error;
  const auto address = asio::ip::make_address(std::string(host), error);
  if (error) return std::nullopt;
  return address;
}

struct hostent_deleter {
  void operator()(hostent* host) const noexcept { ares_free_hostent(host); }
};

}  // namespace

std::string_view to_string(query_outcome outcome) noexcept {
  switch (outcome) {
    case query_outcome::ok:
      return "ok";
    case query_outcome::empty:
      return "empty";
    case query_outcome::nxdomain:
      return "nxdomain";
    case query_outcome::servfail:
      return "servfail";
    case query_outcome::timeout:
      return "timeout";
    case query_outcome::error:
      return "error";
  }
  return "error";
}

struct resolver::implementation {
  using self_ptr = std::shared_ptr<implementation>;

  implementation(asio::io_context& io, options chosen) : context(io), settings(std::move(chosen)) {
    read_configuration();
  }

  // The name servers and the search list, through c-ares' own reading of resolv.conf.
  void read_configuration() {
    std::error_code ignored;
    read_at = std::filesystem::last_write_time(settings.resolv_conf, ignored);
    ares_library_init(ARES_LIB_INIT_ALL);
    ares_options wanted{};
    wanted.resolvconf_path = settings.resolv_conf.data();
    ares_channel reader = nullptr;
    if (const int status = ares_init_options(&reader, &wanted, ARES_OPT_RESOLVCONF); status != ARES_SUCCESS) {
      throw std::runtime_error(
          fmt::format("{} cannot be read: {}", settings.resolv_conf, ares_strerror(status)));
    }
    configuration.reset(reader);

    servers.clear();  // questions that wait keep their channel until they end
    preferred = 0;
    completed.clear();
    if (settings.server) {
      servers.push_back({*settings.server, nullptr, nullptr});
    } else {
      ares_addr_port_node* first = nullptr;
      ares_get_servers_ports(reader, &first);
      const ares::data<ares_addr_port_node> list(first);
      for (const auto* each = first; each != nullptr; each = each->next) {
        servers.push_back({{ares::to_address(*each), settings.port}, nullptr, nullptr});
      }
      if (servers.empty())
        servers.push_back({{asio::ip::address_v4::loopback(), settings.port}, nullptr, nullptr});
    }
    if (settings.search) {
      search = *settings.search;
      return;
    }
    search.clear();
    ares_options found{};
    int mask = 0;
    if (ares_save_options(reader, &found, &mask) == ARES_SUCCESS) {
      for (int i = 0; i < found.ndomains; ++i) search.emplace_back(found.domains[i]);
    }
    ares_destroy_options(&found);
  }

  void read_configuration_if_changed() {
    if (closed || (settings.server && settings.search)) return;
    std::error_code error;
    const auto changed_at = std::filesystem::last_write_time(settings.resolv_conf, error);
    if (error || changed_at == read_at) return;
    try {
      read_configuration();
    } catch (const std::runtime_error&) {
      read_at = changed_at;  // half written: what was read before stays in force until the next change
    }
  }

  void close() {
    for (auto& server : servers) {
      for (auto* each : {&server.udp, &server.tcp}) {
        if (*each) std::exchange(*each, nullptr)->close();
      }
    }
  }

  std::shared_ptr<channel> channel_to(name_server& server, bool tcp) {
    auto& one = tcp ? server.tcp : server.udp;
    if (!one) one = channel::open(context, {server.endpoint, tcp, settings.timeout / servers.size()});
    return one;
  }

  // Asks the servers one after another, the one that answered last first, until one knows.
  static asio::awaitable<outcome_of> lookup(self_ptr self, std::string name, record_type type,
                                            steady_clock::time_point deadline) {
    outcome_of best;
    best.outcome = query_outcome::empty;  // weighs nothing: replaced by the first answer
    for (std::size_t tried = 0; !self->closed && tried < self->servers.size(); ++tried) {
      const auto index = (self->preferred + tried) % self->servers.size();
      auto& server = self->servers[index];
      const auto endpoint = server.endpoint;
      const auto now = steady_clock::now();
      if (tried > 0 && now >= deadline) break;
      const auto share = (deadline - now) / static_cast<int>(self->servers.size() - tried);
      const bool tcp = self->large.contains(name);
      auto raw = co_await channel::ask(self->channel_to(server, tcp), name, type, now + share);
      if (raw.status == ARES_SUCCESS && raw.bytes.size() > channel::max_udp_answer) {
        if (self->large.size() >= max_remembered) self->large.clear();
        self->large.insert(
            name);  // it came over TCP: the next question goes there at once, one query instead of two
      } else {
        self->large.erase(name);
      }
      const auto outcome = classify(raw.status);
      const auto why = raw.status == ARES_SUCCESS
                           ? fmt::format("the answer of name server {} is malformed", to_text(endpoint))
                           : sentence(type, name, reason(raw.status, type, endpoint, self->settings.timeout));
      if (!failed(outcome)) {
        self->preferred = index;
        co_return outcome_of{outcome, std::move(raw.bytes), why};
      }
      if (weight(outcome) > weight(best.outcome)) best = {outcome, {}, why};
      if (raw.status == ARES_ECANCELLED || raw.status == ARES_EDESTRUCTION || raw.status == ARES_EBADNAME ||
          raw.status == ARES_EBADQUERY) {
        break;
      }
    }
    if (!failed(best.outcome)) {
      best = {query_outcome::error, {}, sentence(type, name, "the lookup was given up: Rollcall stops")};
    }
    co_return best;
  }

  static asio::awaitable<srv_answer> srv(self_ptr self, std::string domain) {
    self->read_configuration_if_changed();
    if (!domain.ends_with('.')) domain += '.';
    const auto deadline = steady_clock::now() + self->settings.timeout;
    auto found = co_await lookup(self, domain, record_type::srv, deadline);
    srv_answer answer;
    answer.outcome = found.outcome;
    if (found.outcome == query_outcome::ok) {
      const int status = read_srv(found.bytes, answer);
      answer.outcome = classify(status);
      if (status == ARES_ENODATA) {
        found.detail = sentence(record_type::srv, domain, "the answer holds no SRV record with a target");
      } else if (status != ARES_SUCCESS && !answer.dropped.empty()) {
        found.detail =
            sentence(record_type::srv, domain,
                     fmt::format("no target is a host name, the first is '{}'", answer.dropped.front()));
      } else if (status != ARES_SUCCESS) {
        found.detail = sentence(record_type::srv, domain, found.detail);
      }
    }
    if (answer.outcome != query_outcome::ok) answer.detail = std::move(found.detail);
    co_return answer;
  }

  static asio::awaitable<addresses_answer> addresses_of_type(self_ptr self, std::string name,
                                                             record_type type,
                                                             steady_clock::time_point deadline) {
    auto found = co_await lookup(self, name, type, deadline);
    addresses_answer answer;
    answer.outcome = found.outcome;
    if (found.outcome == query_outcome::ok) {
      const int status = read_addresses(type, found.bytes, answer);
      answer.outcome = classify(status);
      if (status == ARES_ENODATA) found.detail = sentence(type, name, "the answer holds no address");
      if (failed(answer.outcome)) found.detail = sentence(type, name, found.detail);
    }
    if (answer.outcome != query_outcome::ok) answer.detail = std::move(found.detail);
    co_return answer;
  }

  static addresses_answer both(addresses_answer v4, addresses_answer v6) {
    const bool partly = failed(v4.outcome) || failed(v6.outcome);
    if (v4.outcome == query_outcome::ok || v6.outcome == query_outcome::ok) {
      addresses_answer answer;
      answer.outcome = query_outcome::ok;
      answer.complete = !partly;
      answer.records = std::move(v4.records);
      answer.records.insert(answer.records.end(), v6.records.begin(), v6.records.end());
      return answer;
    }
    if (partly) return weight(v6.outcome) > weight(v4.outcome) ? v6 : v4;
    return v4.outcome == query_outcome::nxdomain || v6.outcome != query_outcome::nxdomain ? v4 : v6;
  }

  std::vector<asio::ip::address> from_hosts_file(std::string host) {
    if (host.ends_with('.')) host.pop_back();
    std::vector<asio::ip::address> found;
    for (const int family : {AF_INET, AF_INET6}) {
      hostent* first = nullptr;
      if (ares_gethostbyname_file(configuration.get(), host.c_str(), family, &first) != ARES_SUCCESS)
        continue;
      const std::unique_ptr<hostent, hostent_deleter> owner(first);
      for (char** each = first->h_addr_list; each != nullptr && *each != nullptr; ++each) {
        if (first->h_addrtype == AF_INET) {
          asio::ip::address_v4::bytes_type raw;
          std::memcpy(raw.data(), *each, raw.size());
          found.emplace_back(asio::ip::address_v4(raw));
        } else {
          asio::ip::address_v6::bytes_type raw;
          std::memcpy(raw.data(), *each, raw.size());
          found.emplace_back(asio::ip::address_v6(raw));
        }
      }
    }
    if (found.empty() && (host == "localhost" || host.ends_with(".localhost"))) {  // RFC 6761 6.3
      found = {asio::ip::address_v4::loopback(), asio::ip::address_v6::loopback()};
    }
    sort_unique(found);
    return found;
  }

  static asio::awaitable<addresses_answer> addresses(self_ptr self, std::string host) {
    self->read_configuration_if_changed();
    if (const auto address = literal(host)) co_return addresses_answer{query_outcome::ok, {*address}, {}};
    if (auto found = self->from_hosts_file(host); !found.empty()) {
      co_return addresses_answer{query_outcome::ok, std::move(found), {}};
    }
    const auto deadline = steady_clock::now() + self->settings.timeout;
    auto names = complete(host, self->search);
    if (const auto known = self->completed.find(host); known != self->completed.end())
      names = {known->second};
    std::optional<addresses_answer> empty, nothing;
    for (const auto& name : names) {
      auto answer = both_of(co_await (addresses_of_type(self, name, record_type::a, deadline) &&
                                      addresses_of_type(self, name, record_type::aaaa, deadline)));
      if (answer.outcome == query_outcome::ok) {
        if (name != host && name != host + '.') self->remember(host, name);
        co_return answer;
      }
      if (failed(answer.outcome)) co_return answer;
      auto& kept = answer.outcome == query_outcome::empty ? empty : nothing;
      if (!kept) kept = std::move(answer);
    }
    self->completed.erase(host);
    co_return empty ? std::move(*empty) : std::move(*nothing);
  }

  static addresses_answer both_of(std::tuple<addresses_answer, addresses_answer> pair) {
    return both(std::move(std::get<0>(pair)), std::move(std::get<1>(pair)));
  }

  void remember(const std::string& host, const std::string& name) {
    if (completed.size() >= max_remembered) completed.clear();
    completed[host] = name;
  }

  asio::io_context& context;
  options settings;
  std::unique_ptr<ares_channeldata, void (*)(ares_channel)> configuration{nullptr,
                                                                          ares_destroy};  // asks nobody
  std::vector<name_server> servers;
  std::size_t preferred = 0;
  std::vector<std::string> search;
  std::filesystem::file_time_type read_at;
  std::set<std::string> large;                   // names whose last answer needed TCP
  std::map<std::string, std::string> completed;  // short host name -> the completion that had addresses
  bool closed = false;
};

resolver::resolver(asio::io_context& context, options chosen)
    : implementation_(std::make_shared<implementation>(context, std::move(chosen))) {}

resolver::~resolver() {
  implementation_->closed = true;
  implementation_->close();
}

asio::awaitable<srv_answer> resolver::srv(std::string domain) {
  return implementation::srv(implementation_, std::move(domain));
}

asio::awaitable<addresses_answer> resolver::addresses(std::string host) {
  return implementation::addresses(implementation_, std::move(host));
}

std::vector<std::string> resolver::candidates(std::string_view domain) const {
  return complete(domain, implementation_->search);
}

}  // namespace rollcall::discovery
