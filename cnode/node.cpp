// The front door: everything is in node_core.hpp.
#include "cnode/node.hpp"

#include <stdexcept>

#include "cnode/await_call.hpp"
#include "cnode/node_core.hpp"

namespace rollcall::cnode {
namespace {

template <class Value, class Node>
asio::awaitable<call_result<Value>> called(Node node, node_name on, std::string module, std::string function,
                                           byte_string arguments, milliseconds limit) {
  return await_call<Value>([node = std::move(node), on = std::move(on), module = std::move(module),
                            function = std::move(function), arguments = std::move(arguments),
                            limit](std::unique_ptr<call_waiter> told) mutable {
    const auto once = std::move(arguments);
    node->call(on, std::move(module), std::move(function), once, limit, std::move(told));
  });
}

}  // namespace

node::node(asio::io_context& io, node_options options, node_observer& observer, resolve_function resolve,
           call_handler handler, message_handler messages)
    : implementation_(std::make_shared<implementation>(io, std::move(options), observer, std::move(resolve),
                                                       std::move(handler), std::move(messages))) {}

node::~node() {
  implementation_->abandon();
}

asio::awaitable<result<void>> node::start() {
  return implementation::start(implementation_);
}
asio::awaitable<void> node::stop() {
  return implementation::stop(implementation_);
}
asio::awaitable<outcome<peer>> node::dial(target where, milliseconds limit) {
  return implementation::dial(implementation_, std::move(where), limit);
}
void node::hang_up(const node_name& name) {
  implementation_->hang_up(name);
}
void node::call(const node_name& on, std::string module, std::string function, byte_view arguments,
                milliseconds limit, std::unique_ptr<call_waiter> told) {
  implementation_->call(on, std::move(module), std::move(function), arguments, limit, std::move(told));
}
asio::awaitable<call_result<term>> node::call(node_name on, std::string module, std::string function,
                                              byte_string arguments, milliseconds limit) {
  return called<term>(implementation_, std::move(on), std::move(module), std::move(function),
                      std::move(arguments), limit);
}
asio::awaitable<call_result<byte_string>> node::call_encoded(node_name on, std::string module,
                                                             std::string function, byte_string arguments,
                                                             milliseconds limit) {
  return called<byte_string>(implementation_, std::move(on), std::move(module), std::move(function),
                             std::move(arguments), limit);
}
asio::awaitable<call_result<term>> node::run(node_name on, std::string module, std::string function,
                                             std::uint8_t arity, byte_string arguments) {
  return await_call<term>([node = implementation_, on = std::move(on), module = std::move(module),
                           function = std::move(function), arity,
                           arguments = std::move(arguments)](std::unique_ptr<call_waiter> told) mutable {
    // A watcher's forms: nobody needs them for as long as it runs.
    const auto once = std::move(arguments);
    node->run_process(on, std::move(module), std::move(function), arity, once, std::move(told));
  });
}
bool node::send(const node_name& on, std::string_view process, byte_view message) {
  return implementation_->send(on, process, message);
}
bool node::send(const pid& to, byte_view message) {
  return implementation_->send(to, message);
}
std::optional<reference> node::monitor(const pid& process) {
  return implementation_->monitor(process);
}
void node::demonitor(const reference& monitor) {
  implementation_->demonitor(monitor);
}
std::size_t node::waiting(const node_name& on) const {
  return implementation_->waiting(on);
}
void node::stand_by(bool now) {
  implementation_->stand_by(now);
}
std::size_t node::held() const noexcept {
  return implementation_->held();
}
reference node::new_reference() {
  return implementation_->new_reference();
}
std::optional<peer> node::linked(const node_name& name) const {
  return implementation_->linked(name);
}
const node_name& node::name() const noexcept {
  return implementation_->name();
}
std::uint32_t node::creation() const noexcept {
  return self().creation;
}
std::uint16_t node::port() const noexcept {
  return implementation_->port();
}
std::vector<peer> node::peers() const {
  return implementation_->peers();
}
std::size_t node::links() const noexcept {
  return implementation_->links();
}
const pid& node::self() const noexcept {
  return implementation_->own_process();
}
void node::cookies(std::vector<std::string> replaced) {
  implementation_->cookies(std::move(replaced));
}
void node::tls(std::shared_ptr<const rollcall::tls::context> replaced) {
  implementation_->tls(std::move(replaced));
}
void node::tick_time(const node_name& name, milliseconds net_ticktime) {
  implementation_->tick_time(name, net_ticktime);
}

void throw_exception_from_error(const failure& failed, const boost::source_location&) {
  throw std::runtime_error(failed.detail);
}

}  // namespace rollcall::cnode
