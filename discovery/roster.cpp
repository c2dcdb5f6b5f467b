#include "discovery/roster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "discovery/last_answer.hpp"

namespace rollcall::discovery {

using asio::experimental::awaitable_operators::operator&&;

namespace {

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};
template <class... F>
overloaded(F...) -> overloaded<F...>;

}  // namespace

std::string label(const source_options& one) {
  return std::visit(
      overloaded{
          [](const srv_source& each) { return fmt::format("srv:{}@{}", each.alive, each.domain); },
          [](const dns_source& each) { return fmt::format("dns:{}@{}", each.alive, each.domain); },
          [](const static_source&) { return std::string("node"); },
          [](const local_source&) { return std::string("local"); },
      },
      one);
}

std::string not_a_name(std::string_view alive, std::string_view host,
                       const boost::system::error_code& error) {
  return fmt::format("'{}@{}' is no node name and is left out: {}", alive, host, error.message());
}

struct roster::implementation {
  implementation(const options& chosen, resolver& names, const local_names_function& local)
      : ignore(chosen.ignore) {
    for (const auto& each : chosen.sources) {
      answers.emplace_back(label(each));
      sources.push_back(
          std::visit(overloaded{
                         [&](const srv_source& one) { return make_srv_source(one, chosen.srv_port, names); },
                         [&](const dns_source& one) { return make_dns_source(one, names); },
                         [](const static_source& one) { return make_static_source(one); },
                         [&](const local_source&) { return make_local_source(chosen.local_host, local); },
                     },
                     each));
    }
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
    what = co_await sources[index]->ask();
    what.entries = unite(std::move(what.entries));
    std::erase_if(what.entries, [this](const entry& each) {
      return std::ranges::any_of(
          ignore, [&](const std::string& pattern) { return glob_matches(pattern, each.name.text()); });
    });
    if (what.outcome == query_outcome::ok && what.entries.empty()) {
      what.outcome = query_outcome::empty;  // guarded like any other nothing
      what.detail = what.remarks.empty() ? "every node it lists is ignored" : what.remarks.front();
    }
  }

  std::vector<entry> everybody() const {
    std::vector<entry> all;
    for (const auto& each : answers) all.insert(all.end(), each.entries().begin(), each.entries().end());
    return unite(std::move(all));
  }

  std::vector<std::string> ignore;
  std::vector<std::unique_ptr<source>> sources;  // in configured order
  std::vector<last_answer> answers;              // of each
};

roster::roster(asio::io_context& /*context*/, const options& chosen, resolver& names,
               const local_names_function& local)
    : implementation_(std::make_unique<implementation>(chosen, names, local)) {}

roster::~roster() = default;

asio::awaitable<round> roster::refresh() {
  auto& own = *implementation_;
  std::vector<heard> all(own.sources.size());
  co_await own.ask_from(0, all);
  const auto now = std::chrono::system_clock::now();
  round result;
  for (std::size_t i = 0; i < all.size(); ++i) {
    own.answers[i].hear(std::move(all[i]), now, result.changes);
    if (own.answers[i].believed_empty()) own.sources[i]->believed_empty();
    if (own.sources[i]->asks()) result.queried.push_back(i);
    result.sources.push_back(own.answers[i].status());
  }
  result.entries = own.everybody();
  co_return result;
}

void roster::learned(const node_name& guess, const node_name& real) {
  for (const auto& each : implementation_->sources) each->learned(guess, real);
}

}  // namespace rollcall::discovery
