#include "discovery/roster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/system/system_error.hpp>
#include <map>

#include "discovery/last_answer.hpp"

namespace rollcall::discovery {

using asio::experimental::awaitable_operators::operator&&;

namespace {

constexpr std::size_t max_learned = 4'096;

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};
template <class... F>
overloaded(F...) -> overloaded<F...>;

std::optional<asio::ip::address> literal(std::string_view host) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(std::string(host), error);
  if (error) return std::nullopt;
  return address;
}

std::string without_brackets(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return std::string(host);
}

std::string not_a_name(std::string_view alive, std::string_view host,
                       const boost::system::error_code& error) {
  return fmt::format("'{}@{}' is no node name and is left out: {}", alive, host, error.message());
}

}  // namespace

std::string label(const source& one) {
  return std::visit(
      overloaded{
          [](const srv_source& each) { return fmt::format("srv:{}@{}", each.alive, each.domain); },
          [](const dns_source& each) { return fmt::format("dns:{}@{}", each.alive, each.domain); },
          [](const static_source&) { return std::string("node"); },
          [](const local_source&) { return std::string("local"); },
      },
      one);
}

struct roster::implementation {
  struct learned_name {
    node_name real;
    std::uint16_t port;  // under which it was learned: at another port it is another start of that node
  };

  implementation(options chosen, resolver& names, local_names_function local)
      : settings(std::move(chosen)), resolve(names), local_names(std::move(local)) {
    for (const auto& each : settings.sources) answers.emplace_back(label(each));
    chosen_names.resize(settings.sources.size());
  }

  asio::awaitable<void> ask_from(std::size_t index, std::vector<heard>& all) {
    if (index >= all.size()) co_return;
    if (index + 1 == all.size()) {
      co_await ask(index, all[index]);
    } else {
      co_await (ask(index, all[index]) && ask_from(index + 1, all));
    }
  }

  asio::awaitable<void> ask(std::size_t index, heard& what) {
    const auto& one = settings.sources[index];
    if (const auto* srv = std::get_if<srv_source>(&one)) {
      co_await ask_srv(*srv, chosen_names[index], what);
    } else if (const auto* dns = std::get_if<dns_source>(&one)) {
      co_await ask_dns(*dns, what);
    } else if (std::holds_alternative<local_source>(one)) {
      co_await ask_local(what);
    } else {
      for (const auto& each : std::get<static_source>(one).nodes) {
        auto host = without_brackets(each.host());
        const auto address = literal(host);
        what.entries.push_back({each, std::move(host), address, std::nullopt, false});
      }
    }
    what.entries = unite(std::move(what.entries));
    std::erase_if(what.entries, [this](const entry& each) {
      return std::ranges::any_of(settings.ignore, [&](const std::string& pattern) {
        return glob_matches(pattern, each.name.text());
      });
    });
    if (what.outcome == query_outcome::ok && what.entries.empty()) {
      what.outcome = query_outcome::empty;  // guarded like any other nothing
      what.detail = what.remarks.empty() ? "every node it lists is ignored" : what.remarks.front();
    }
  }

  // One question when it is known which completion of the name has records; all of them in turn until then.
  asio::awaitable<void> ask_srv(const srv_source& one, std::string& chosen, heard& what) {
    const auto names = chosen.empty() ? resolve.candidates(one.domain) : std::vector<std::string>{chosen};
    std::optional<query_answer<std::vector<srv_record>>> kept;
    for (const auto& name : names) {
      auto answer = co_await resolve.srv(name);
      const auto outcome = answer.outcome;
      if (outcome == query_outcome::ok) chosen = name;
      const bool says_nothing = outcome == query_outcome::empty || outcome == query_outcome::nxdomain;
      // A name without records says more than a name that is not there; anything but these two ends the
      // search.
      if (!kept || !says_nothing ||
          (outcome == query_outcome::empty && kept->outcome == query_outcome::nxdomain)) {
        kept = std::move(answer);
      }
      if (!says_nothing) break;
    }
    what.outcome = kept->outcome;
    what.detail = std::move(kept->detail);
    for (const auto& each : kept->dropped) {
      what.remarks.push_back(fmt::format("target '{}' is no host name and is left out", each));
    }
    take_records(one, kept->records, what);
  }

  // `records` are sorted by target, then port.
  void take_records(const srv_source& one, const std::vector<srv_record>& records, heard& what) const {
    for (auto first = records.begin(); first != records.end();) {
      const auto& target = first->target;
      const auto last =
          std::find_if(first, records.end(), [&](const auto& each) { return each.target != target; });
      const auto best = std::min_element(first, last, [](const auto& a, const auto& b) {
        return std::pair(a.priority, a.port) < std::pair(b.priority, b.port);
      });
      std::optional<std::uint16_t> port;
      if (settings.srv_port && best->port != 0) port = best->port;
      const bool several =
          std::any_of(first, last, [&](const auto& each) { return each.port != best->port; });
      if (settings.srv_port && several) {
        what.remarks.push_back(fmt::format(
            "{} has SRV records with several ports, {} is used: ask for the one that is meant, as in "
            "_dist._tcp.{}",
            target, best->port, one.domain));
      }
      if (auto name = node_name::make(one.alive, target)) {
        what.entries.push_back({std::move(*name), target, std::nullopt, port, false});
      } else {
        what.remarks.push_back(not_a_name(one.alive, target, name.error()));
      }
      first = last;
    }
  }

  asio::awaitable<void> ask_dns(const dns_source& one, heard& what) {
    auto answer = co_await resolve.addresses(one.domain);
    what.outcome = answer.outcome;
    what.detail = std::move(answer.detail);
    what.complete = answer.complete;
    for (const auto& each : answer.records) {
      auto host = each.to_string();
      if (auto name = node_name::make(one.alive, host)) {
        what.entries.push_back({std::move(*name), std::move(host), each, std::nullopt, false});
      } else {
        what.remarks.push_back(not_a_name(one.alive, host, name.error()));
      }
    }
  }

  asio::awaitable<void> ask_local(heard& what) {
    boost::system::result<std::vector<local_entry>> names = std::vector<local_entry>{};
    try {
      names = co_await local_names();
    } catch (const boost::system::system_error& problem) {
      names = problem.code();
    }
    if (!names && names.error() != boost::system::errc::connection_refused) {
      const bool late = names.error() == boost::system::errc::timed_out;
      what.outcome = late ? query_outcome::timeout : query_outcome::error;
      what.detail =
          fmt::format("this machine's port mapper (epmd) gives no names: {}", names.error().message());
      co_return;
    }
    if (!names || names->empty()) {
      what.outcome = query_outcome::empty;
      what.detail = names ? "no node is registered with this machine's port mapper (epmd)"
                          : "no port mapper (epmd) runs on this machine, so no node does";
      co_return;
    }
    local_ports.clear();
    for (const auto& each : *names) {
      const auto known = learned_names.find(each.alive);
      const auto name = known != learned_names.end() ? boost::system::result<node_name>(known->second.real)
                                                     : node_name::make(each.alive, settings.local_host);
      if (!name) {
        what.remarks.push_back(not_a_name(each.alive, settings.local_host, name.error()));
        continue;
      }
      const bool guess = known == learned_names.end() || known->second.port != each.port;
      what.entries.push_back(
          {*name, std::string(name->host()), asio::ip::address_v4::loopback(), each.port, guess});
      local_ports[each.alive] = each.port;
    }
  }

  std::vector<entry> everybody() const {
    std::vector<entry> all;
    for (const auto& each : answers) all.insert(all.end(), each.entries().begin(), each.entries().end());
    return unite(std::move(all));
  }

  options settings;
  resolver& resolve;
  local_names_function local_names;
  std::vector<last_answer> answers;       // in configured order
  std::vector<std::string> chosen_names;  // of an --srv: the completed name that had records
  std::map<std::string, learned_name, std::less<>> learned_names;  // by the part before the '@'
  std::map<std::string, std::uint16_t, std::less<>> local_ports;
};

roster::roster(asio::io_context& /*context*/, options chosen, resolver& names, local_names_function local)
    : implementation_(std::make_unique<implementation>(std::move(chosen), names, std::move(local))) {}

roster::~roster() = default;

asio::awaitable<round> roster::refresh() {
  auto& own = *implementation_;
  std::vector<heard> all(own.settings.sources.size());
  co_await own.ask_from(0, all);
  const auto now = std::chrono::system_clock::now();
  round result;
  for (std::size_t i = 0; i < all.size(); ++i) {
    own.answers[i].hear(std::move(all[i]), now, result.changes);
    if (own.answers[i].believed_empty()) own.chosen_names[i].clear();
    if (!std::holds_alternative<static_source>(own.settings.sources[i])) result.queried.push_back(i);
    result.sources.push_back(own.answers[i].status());
  }
  result.entries = own.everybody();
  co_return result;
}

void roster::learned(const node_name& guess, const node_name& real) {
  auto& own = *implementation_;
  if (own.learned_names.size() >= max_learned) own.learned_names.clear();
  const auto port = own.local_ports.find(guess.alive());
  own.learned_names.insert_or_assign(
      std::string(guess.alive()),
      implementation::learned_name{real, port == own.local_ports.end() ? std::uint16_t{0} : port->second});
}

}  // namespace rollcall::discovery
