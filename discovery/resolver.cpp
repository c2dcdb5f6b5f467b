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
#include "discovery/lookup_text.hpp"
#include "discovery/message.hpp"
#include "discovery/records.hpp"
#include "discovery/search_list.hpp"

namespace rollcall::discovery {

using asio::experimental::awaitable_operators::operator&&;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t max_remembered = 1'024;
// A server whose TCP side did not answer is asked there again after this long; meanwhile a part of the answer
// has to do.
constexpr std::chrono::seconds tcp_again{60};
// A question that stayed without an answer while another one had its own gets this part of a lookup's time
// from then on; each time of so many it has all of it, since the server may only be slow.
constexpr unsigned mute_share = 8;

struct name_server {
  asio::ip::udp::endpoint endpoint;
  std::shared_ptr<channel> udp, tcp,
      cut;  // opened when first asked; cut: UDP, and what it cuts short is taken
};

// What one question came to, and who said so.
struct outcome_of {
  query_outcome outcome = query_outcome::error;
  std::vector<unsigned char> bytes;
  std::string detail;
  bool truncated = false;
  std::optional<std::chrono::seconds> ttl{};
};

template <class T>
std::optional<T> shorter(std::optional<T> a, std::optional<T> b) {
  return a && b ? std::min(*a, *b) : a ? a : b;
}

template <class Set, class Key>
void remember_in(Set& known, Key key) {
  if (known.size() >= max_remembered) known.clear();
  known.insert(std::move(key));
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
      servers.push_back({*settings.server, nullptr, nullptr, nullptr});
    } else {
      ares_addr_port_node* first = nullptr;
      ares_get_servers_ports(reader, &first);
      const ares::data<ares_addr_port_node> list(first);
      for (const auto* each = first; each != nullptr; each = each->next) {
        servers.push_back({{ares::to_address(*each), settings.port}, nullptr, nullptr, nullptr});
      }
      if (servers.empty())
        servers.push_back({{asio::ip::address_v4::loopback(), settings.port}, nullptr, nullptr, nullptr});
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
      for (auto* each : {&server.udp, &server.tcp, &server.cut}) {
        if (*each) std::exchange(*each, nullptr)->close();
      }
    }
  }

  std::shared_ptr<channel> channel_to(name_server& server, channel::way way) {
    auto& one = way == channel::way::tcp ? server.tcp : way == channel::way::cut ? server.cut : server.udp;
    if (!one) one = channel::open(context, {server.endpoint, way, settings.timeout / servers.size()});
    return one;
  }

  // One server. A long answer comes over TCP; where that way is closed, what fits into a datagram is taken.
  static asio::awaitable<raw_answer> ask(self_ptr self, std::size_t index, std::string name, record_type type,
                                         steady_clock::time_point deadline) {
    if (index >= self->servers.size()) co_return raw_answer{ARES_EDESTRUCTION, {}};
    const auto begun = steady_clock::now();
    const auto way = self->settings.tcp || self->large.contains(name) ? channel::way::tcp : channel::way::udp;
    if (self->settings.tcp || !self->doubted.contains(name)) {
      auto raw = co_await channel::ask(self->channel_to(self->servers[index], way), name, type, deadline);
      if (raw.status == ARES_SUCCESS && raw.bytes.size() > channel::max_udp_answer) {
        // The next question goes over TCP at once, one query instead of two.
        remember_in(self->large, name);
      } else {
        self->large.erase(name);
      }
      const bool closed = raw.status == ARES_ECONNREFUSED || raw.status == ARES_ETIMEOUT;
      if (self->settings.tcp || !closed) co_return raw;
      remember_in(self->doubted, name);
      if (raw.status == ARES_ETIMEOUT || self->closed || index >= self->servers.size()) co_return raw;
    }
    auto part = co_await channel::ask(self->channel_to(self->servers[index], channel::way::cut), name, type,
                                      deadline);
    const auto seen = look_at(part.bytes);
    if (!seen || !seen->truncated) {
      if (part.status == ARES_SUCCESS) self->doubted.erase(name);
      co_return part;
    }
    const auto again = self->tcp_closed_until.find(name);
    if (again == self->tcp_closed_until.end() || steady_clock::now() >= again->second) {
      auto whole = co_await channel::ask(self->channel_to(self->servers[index], channel::way::tcp), name,
                                         type, begun + (deadline - begun) / 2);
      if (whole.status != ARES_ECONNREFUSED && whole.status != ARES_ETIMEOUT) {
        self->doubted.erase(name);
        self->tcp_closed_until.erase(name);
        co_return whole;
      }
      if (self->tcp_closed_until.size() >= max_remembered) self->tcp_closed_until.clear();
      self->tcp_closed_until[name] = steady_clock::now() + tcp_again;
    }
    if (part.status == ARES_ENODATA) part.status = ARES_EBADRESP;  // all of it was cut off
    co_return part;
  }

  // Asks the servers one after another, the one that answered last first, until one knows.
  static asio::awaitable<outcome_of> lookup(self_ptr self, std::string name, record_type type,
                                            steady_clock::time_point deadline) {
    outcome_of best;
    best.outcome = query_outcome::empty;  // weighs nothing: replaced by the first answer
    const auto question = std::pair(name, type);
    if (self->hurries(question))
      deadline = std::min(deadline, steady_clock::now() + self->settings.timeout / mute_share);
    for (std::size_t tried = 0; !self->closed && tried < self->servers.size(); ++tried) {
      const auto index = (self->preferred + tried) % self->servers.size();
      auto& server = self->servers[index];
      const auto endpoint = server.endpoint;
      const auto now = steady_clock::now();
      if (tried > 0 && now >= deadline) break;
      const auto share = (deadline - now) / static_cast<int>(self->servers.size() - tried);
      auto raw = co_await ask(self, index, name, type, now + share);
      const auto seen = look_at(raw.bytes);
      const auto outcome = classify(raw.status);
      const auto why = raw.status == ARES_SUCCESS
                           ? fmt::format("the answer of name server {} is malformed", to_text(endpoint))
                           : sentence(type, name, reason(raw.status, type, endpoint, self->settings.timeout));
      if (!failed(outcome)) {
        self->preferred = index;
        self->answered_at = steady_clock::now();
        self->mute.erase(question);
        co_return outcome_of{outcome, std::move(raw.bytes), why, seen && seen->truncated,
                             seen ? seen->ttl : std::nullopt};
      }
      if (weight(outcome) > weight(best.outcome)) best = {outcome, {}, why, false, {}};
      if (raw.status == ARES_ECANCELLED || raw.status == ARES_EDESTRUCTION || raw.status == ARES_EBADNAME ||
          raw.status == ARES_EBADQUERY) {
        break;
      }
    }
    if (!failed(best.outcome)) {
      best.outcome = query_outcome::error;
      best.detail = sentence(type, name, "the lookup was given up: Rollcall stops");
    }
    if (best.outcome == query_outcome::timeout) self->unanswered(question);
    co_return best;
  }

  using question = std::pair<std::string, record_type>;
  bool hurries(const question& asked) {
    const auto known = mute.find(asked);
    return known != mute.end() && ++known->second % mute_share != 0;
  }
  // Told from a server that is away by what it answered meanwhile.
  void unanswered(const question& asked) {
    if (steady_clock::now() - answered_at > 2 * settings.timeout) return;
    if (mute.size() >= max_remembered) mute.clear();
    mute.emplace(asked, 0U);
  }

  static asio::awaitable<srv_answer> srv(self_ptr self, std::string domain,
                                         std::optional<steady_clock::time_point> until) {
    self->read_configuration_if_changed();
    if (!domain.ends_with('.')) domain += '.';
    const auto deadline = until.value_or(steady_clock::now() + self->settings.timeout);
    auto found = co_await lookup(self, domain, record_type::srv, deadline);
    srv_answer answer;
    answer.outcome = found.outcome;
    answer.ttl = found.ttl;
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
      } else if (found.truncated) {
        answer.outcome = query_outcome::partial;
        found.detail =
            sentence(record_type::srv, domain,
                     fmt::format("only {} records fit into a datagram, and the name server does not "
                                 "answer over TCP: open TCP port 53 to it",
                                 answer.records.size()));
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
    answer.ttl = found.ttl;
    if (found.outcome == query_outcome::ok) {
      const int status = read_addresses(type, found.bytes, answer);
      answer.outcome = classify(status);
      if (status == ARES_ENODATA) found.detail = sentence(type, name, "the answer holds no address");
      if (failed(answer.outcome)) found.detail = sentence(type, name, found.detail);
      if (answer.outcome == query_outcome::ok && found.truncated) {
        answer.outcome = query_outcome::partial;
        answer.unanswered = address_family::both;
        found.detail =
            sentence(type, name,
                     fmt::format("only {} records fit into a datagram, and the name server does not "
                                 "answer over TCP: open TCP port 53 to it",
                                 answer.records.size()));
      }
    }
    if (answer.outcome != query_outcome::ok) answer.detail = std::move(found.detail);
    co_return answer;
  }

  static addresses_answer both(addresses_answer v4, addresses_answer v6) {
    const bool some = has_records(v4.outcome) || has_records(v6.outcome);
    const bool partly = failed(v4.outcome) || failed(v6.outcome);
    if (some) {
      addresses_answer answer;
      answer.outcome = query_outcome::ok;
      for (auto* each : {&v4, &v6}) {
        if (each->outcome != query_outcome::partial && !failed(each->outcome)) continue;
        answer.outcome = query_outcome::partial;
        answer.unanswered = each->unanswered ? each->unanswered
                            : each == &v4    ? address_family::v4
                                             : address_family::v6;
        answer.detail = each->detail;
      }
      answer.ttl = shorter(v4.ttl, v6.ttl);
      answer.records = std::move(v4.records);
      answer.records.insert(answer.records.end(), v6.records.begin(), v6.records.end());
      return answer;
    }
    if (partly) return weight(v6.outcome) > weight(v4.outcome) ? v6 : v4;
    return v4.outcome == query_outcome::nxdomain || v6.outcome != query_outcome::nxdomain ? v4 : v6;
  }

  // Both families, or the one that was chosen.
  static asio::awaitable<addresses_answer> addresses_of_name(self_ptr self, std::string name,
                                                             steady_clock::time_point deadline) {
    using enum address_family;
    if (self->settings.family != both) {
      const auto type = self->settings.family == v4 ? record_type::a : record_type::aaaa;
      co_return co_await addresses_of_type(self, std::move(name), type, deadline);
    }
    auto [first, second] = co_await (addresses_of_type(self, name, record_type::a, deadline) &&
                                     addresses_of_type(self, name, record_type::aaaa, deadline));
    co_return implementation::both(std::move(first), std::move(second));
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
    auto names = complete_host(host, self->search);
    if (const auto known = self->completed.find(host); known != self->completed.end())
      names = {known->second};
    std::optional<addresses_answer> failure, empty, nothing;
    std::vector<std::string> tried;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto& name = names[i];
      const bool ours = i == 0 || !is_outside(name, host, self->search);
      if (failure && !ours) continue;  // a stranger does not answer for what failed
      auto answer = co_await addresses_of_name(self, name, deadline);
      tried.push_back(tried_name(name, answer.outcome));
      if (has_records(answer.outcome)) {
        if (failure) {
          make_partial(answer, *failure, tried);
        } else if (name != host && name != host + '.') {
          self->remember(host, name);
        }
        co_return answer;
      }
      if (failed(answer.outcome) && !ours) continue;
      auto& kept = failed(answer.outcome)                   ? failure
                   : answer.outcome == query_outcome::empty ? empty
                                                            : nothing;
      if (!kept) kept = std::move(answer);
    }
    if (!failure) self->completed.erase(host);
    auto& said = failure ? *failure : empty ? *empty : *nothing;
    if (tried.size() > 1) said.detail += tried_as(tried);
    co_return std::move(said);
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
  std::set<std::string> large;    // names whose last answer needed TCP
  std::set<std::string> doubted;  // not answered lately: perhaps its TCP side is closed
  std::map<std::string, steady_clock::time_point> tcp_closed_until;
  std::map<question, unsigned> mute;  // not answered while others were, and how often it was asked since
  steady_clock::time_point answered_at{};
  std::map<std::string, std::string> completed;  // short host name -> the completion that had addresses
  bool closed = false;
};

resolver::resolver(asio::io_context& context, options chosen)
    : implementation_(std::make_shared<implementation>(context, std::move(chosen))) {}

resolver::~resolver() {
  implementation_->closed = true;
  implementation_->close();
}

asio::awaitable<srv_answer> resolver::srv(std::string domain,
                                          std::optional<std::chrono::steady_clock::time_point> until) {
  return implementation::srv(implementation_, std::move(domain), until);
}

asio::awaitable<addresses_answer> resolver::addresses(std::string host) {
  return implementation::addresses(implementation_, std::move(host));
}

const std::vector<std::string>& resolver::search() const noexcept {
  return implementation_->search;
}

milliseconds resolver::limit() const noexcept {
  return implementation_->settings.timeout;
}

std::vector<std::string> resolver::candidates(std::string_view domain) const {
  return complete(domain, implementation_->search);
}

}  // namespace rollcall::discovery
