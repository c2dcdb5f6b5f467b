// Nodes of ours under test: their io_context on a thread of its own, everything they tell remembered.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <mutex>
#include <thread>

#include "cnode/node.hpp"

namespace rollcall::test {

using namespace std::chrono_literals;  // NOLINT(google-global-names-in-headers)

// An io_context that runs. What is given to run() and on() is done there; until() waits here.
class io_thread {
 public:
  io_thread() : work_(boost::asio::make_work_guard(io)), thread_([this] { io.run(); }) {}
  ~io_thread() {
    work_.reset();
    io.stop();
    thread_.join();
  }
  io_thread(const io_thread&) = delete;
  io_thread& operator=(const io_thread&) = delete;

  boost::asio::io_context io;

  template <class T>
  T run(boost::asio::awaitable<T> task) {
    std::promise<T> promise;
    auto future = promise.get_future();
    boost::asio::co_spawn(io, keep(std::move(task), promise), [&promise](const std::exception_ptr& thrown) {
      if (thrown) promise.set_exception(thrown);
    });
    if (future.wait_for(60s) != std::future_status::ready) {
      ADD_FAILURE() << "a coroutine did not end within 60 s";
      std::abort();
    }
    return future.get();
  }

  template <class F>
  auto on(F f) {
    std::packaged_task<decltype(f())()> task(std::move(f));
    auto future = task.get_future();
    boost::asio::post(io, [&task] { task(); });
    return future.get();
  }

 private:
  template <class T>
  static boost::asio::awaitable<void> keep(boost::asio::awaitable<T> task, std::promise<T>& promise) {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(task);
      promise.set_value();
    } else {
      promise.set_value(co_await std::move(task));
    }
  }

  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

template <class Condition>
testing::AssertionResult until(Condition condition, std::chrono::milliseconds limit,
                               const std::string& what) {
  // What comes true does so at once: a limit is for what does not, and a busy machine may need more.
  limit = std::max<std::chrono::milliseconds>(limit, 60s);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return testing::AssertionFailure() << "not within " << limit.count() << " ms: " << what;
    }
    std::this_thread::sleep_for(5ms);
  }
  return testing::AssertionSuccess();
}

class recorder : public cnode::node_observer {
 public:
  struct down {
    std::string node;
    boost::system::error_code code;
    std::string detail;
  };
  struct handshake {
    cnode::direction which;
    std::string node;
    boost::system::error_code code;
    std::string detail;
  };

  void link_up(const cnode::peer& peer) override { add(ups_, peer.name.text()); }
  void link_down(const cnode::peer& peer, boost::system::error_code code,
                 const std::string& detail) override {
    add(downs_, down{peer.name.text(), code, detail});
  }
  void handshake_ended(cnode::direction which, const std::optional<node_name>& peer,
                       const boost::asio::ip::tcp::endpoint&, boost::system::error_code code,
                       const std::string& detail) override {
    add(handshakes_, handshake{which, peer ? peer->text() : std::string(), code, detail});
  }
  void port_mapper_changed(boost::system::error_code code, const std::string& detail) override {
    add(port_mapper_, std::pair(code, detail));
  }
  void unexpected(const node_name& from, const std::string& what) override {
    add(unexpected_, from.text() + ": " + what);
  }

  void process_gone(const cnode::reference& monitor) override { add(gone_, monitor); }

  auto gone() const { return copy(gone_); }
  auto ups() const { return copy(ups_); }
  auto downs() const { return copy(downs_); }
  auto handshakes() const { return copy(handshakes_); }
  auto port_mapper() const { return copy(port_mapper_); }
  auto unexpecteds() const { return copy(unexpected_); }

  bool has_down(const std::string& node, boost::system::error_code code) const {
    const auto all = downs();
    return std::any_of(all.begin(), all.end(),
                       [&](const down& d) { return d.node == node && d.code == code; });
  }
  bool has_handshake(cnode::direction which, boost::system::error_code code) const {
    const auto all = handshakes();
    return std::any_of(all.begin(), all.end(),
                       [&](const handshake& h) { return h.which == which && h.code == code; });
  }

 private:
  template <class V, class T>
  void add(V& to, T what) {
    const std::lock_guard lock(mutex_);
    to.push_back(std::move(what));
  }
  template <class V>
  V copy(const V& from) const {
    const std::lock_guard lock(mutex_);
    return from;
  }
  mutable std::mutex mutex_;
  std::vector<std::string> ups_;
  std::vector<cnode::reference> gone_;
  std::vector<down> downs_;
  std::vector<handshake> handshakes_;
  std::vector<std::pair<boost::system::error_code, std::string>> port_mapper_;
  std::vector<std::string> unexpected_;
};

// [{atom0, 0}, {atom1, 1}, ...], a thousand of them in a piece; of 600 atoms.
inline std::shared_ptr<const cnode::long_value> sample_in_turns(std::size_t pieces) {
  constexpr std::size_t of_a_piece = 1'000;
  auto made = std::make_shared<cnode::long_value>();
  for (int i = 0; i < 600; ++i)
    made->atoms.push_back(cnode::term_writer().atom("atom" + std::to_string(i)).bytes());
  made->pieces = pieces;
  made->append = [pieces](std::size_t piece, std::span<const cnode::byte_string> atoms,
                          cnode::byte_string& to) {
    cnode::term_writer out;
    if (piece == 0) out.list_header(pieces * of_a_piece);
    for (auto i = piece * of_a_piece; i < (piece + 1) * of_a_piece; ++i)
      out.tuple_header(2).raw(atoms[i % atoms.size()]).integer(static_cast<std::int64_t>(i));
    if (piece + 1 == pieces) out.nil();
    to.append(out.view());
  };
  return made;
}

// Answers members/0 with [one, two], echo/1 with its argument, in_turns/1 with so many pieces, fails the ways
// a function can fail.
inline cnode::answer sample_answers(const cnode::request& call) {
  using cnode::answer_kind;
  const auto encoded = [](const cnode::term_writer& out) {
    return std::make_shared<const cnode::byte_string>(out.bytes());
  };
  if (call.module != "rollcall" && call.module != "Elixir.Rollcall") return {answer_kind::undefined, {}};
  cnode::term_writer out;
  if (call.function == "members" && call.arguments.empty()) {
    out.list_header(2).atom("one").atom("two").nil();
    return {answer_kind::value, encoded(out)};
  }
  if (call.function == "echo") {
    if (call.arguments.size() != 1) return {answer_kind::undefined, {}};
    out.write(call.arguments.front());
    return {answer_kind::value, encoded(out)};
  }
  if (call.function == "in_turns" && call.arguments.size() == 1) {
    const auto* pieces = call.arguments.front().as<std::int64_t>();
    if (pieces == nullptr) return {answer_kind::bad_argument, {}};
    return {answer_kind::value, nullptr, sample_in_turns(static_cast<std::size_t>(*pieces))};
  }
  if (call.function == "clause") return {answer_kind::function_clause, {}};
  if (call.function == "bad") return {answer_kind::bad_argument, {}};
  if (call.function == "wrong") {
    out.atom("wrong");
    return {answer_kind::error, encoded(out)};
  }
  if (call.function == "large") {
    out.binary(std::string(1U << 20U, 'x'));
    return {answer_kind::value, encoded(out)};
  }
  return {answer_kind::undefined, {}};
}

inline boost::asio::awaitable<cnode::resolved> nothing_resolves(std::string) {
  co_return cnode::resolved{};
}

// `name` and no port mapper, unless the options are changed before start().
class node_under_test {
 public:
  node_under_test(io_thread& thread, const std::string& name, std::string cookie = "chocolate")
      : options(plain(name, std::move(cookie))), thread_(thread) {}
  ~node_under_test() {
    if (node_) thread_.on([this] { node_.reset(); });
  }

  cnode::node_options options;
  cnode::resolve_function resolve = nothing_resolves;
  cnode::call_handler handler = sample_answers;
  cnode::message_handler messages{};
  recorder seen;

  boost::system::result<void> start() {
    thread_.on([this] {
      node_ = std::make_unique<cnode::node>(thread_.io, options, seen, resolve, handler, messages);
    });
    return thread_.run(node_->start());
  }
  void stop() { thread_.run(node_->stop()); }
  cnode::node& operator*() { return *node_; }

  std::uint16_t port() { return node_->port(); }
  std::vector<std::string> peers() {
    return thread_.on([this] {
      std::vector<std::string> names;
      for (const auto& peer : node_->peers()) names.push_back(peer.name.text());
      return names;
    });
  }
  static cnode::target at(const std::string& name, std::uint16_t port) {
    const auto parsed = *node_name::parse(name);
    return {parsed, std::string(parsed.alive()), "127.0.0.1", boost::asio::ip::make_address("127.0.0.1"),
            port};
  }
  cnode::outcome<cnode::peer> dial(cnode::target where, std::chrono::milliseconds limit = 30s) {
    return thread_.run(held(node_->dial(std::move(where), limit)));
  }
  cnode::outcome<cnode::peer> dial(const std::string& name, std::uint16_t port,
                                   std::chrono::milliseconds limit = 30s) {
    return dial(at(name, port), limit);
  }
  cnode::call_result<cnode::term> call(const std::string& on, const std::string& module,
                                       const std::string& function, std::vector<cnode::term> arguments = {},
                                       std::chrono::milliseconds limit = 30s) {
    cnode::term_writer out;
    out.list_header(arguments.size());
    for (const auto& one : arguments) out.write(one);
    out.nil();
    return call_encoded(on, module, function, out.bytes(), limit);
  }
  // `arguments`: one encoded list.
  cnode::call_result<cnode::term> call_encoded(const std::string& on, const std::string& module,
                                               const std::string& function, cnode::byte_string arguments,
                                               std::chrono::milliseconds limit) {
    return thread_.run(node_->call(*node_name::parse(on), module, function, std::move(arguments), limit));
  }

 private:
  static cnode::node_options plain(const std::string& name, std::string cookie) {
    cnode::node_options made{*node_name::parse(name), {std::move(cookie)}};
    made.port_mapper = cnode::port_mapper_mode::none;
    return made;
  }
  static boost::asio::awaitable<cnode::outcome<cnode::peer>> held(
      boost::asio::awaitable<cnode::outcome<cnode::peer>> a) {
    co_return co_await std::move(a);
  }
  io_thread& thread_;
  std::unique_ptr<cnode::node> node_;
};

}  // namespace rollcall::test
