// One link of a played node, from its handshake to its end.
#pragma once

#include "bench/fleet/played_node.hpp"
#include "cnode/stream.hpp"

namespace rollcall::bench {

class session : public std::enable_shared_from_this<session> {
 public:
  session(fleet&, tcp::socket, mesh::index node);

  static asio::awaitable<void> run(std::shared_ptr<session>);
  void send(std::string_view frames);
  void tick();
  void close();
  // What the node's watcher sends, if this link has one.
  void tell(mesh::index peer, bool up, std::string_view why);
  mesh::index node() const noexcept { return node_; }
  const std::string& watcher() const noexcept { return watcher_; }

 private:
  asio::awaitable<bool> shake_hands();
  asio::awaitable<bool> read(asio::mutable_buffer to);  // all of it
  asio::awaitable<void> write();
  void receive(const cnode::message&);
  void answer_of_watcher(cnode::byte_view payload);
  void hold();
  void tell_held();
  void send_as_watcher(cnode::byte_view what);
  void spawn(const cnode::control::spawn_request&, cnode::byte_view payload);
  void watch(const cnode::control::spawn_request&, cnode::byte_view payload);
  // A call that is answered once: of a function, or of one that erl_eval calls.
  struct asked_call {
    cnode::control::spawn_request request;
    bool evaluated = false;
  };
  void answered(const asked_call&, cnode::byte_string value);
  void reply(const asked_call&, cnode::byte_string value);
  void end(const cnode::control::spawn_request&, cnode::byte_view reason);
  // The encoded answer to a call; empty when it comes later.
  cnode::byte_string answer(const asked_call&, const std::string& what, const cnode::term& arguments);
  void evaluate(asked_call, const cnode::term& arguments);
  cnode::byte_string visible() const;
  cnode::byte_string links() const;
  cnode::byte_string connected(const asked_call&, const cnode::term& to);
  cnode::byte_string path_to(const asked_call&, const cnode::term& arguments);
  cnode::byte_string sent(const cnode::term& arguments);
  void later(std::chrono::milliseconds, std::function<void()>);
  cnode::pid next_process();

  fleet& fleet_;
  cnode::stream stream_;
  mesh::index node_;
  std::string watcher_;  // the name of the node at the other end
  traffic* traffic_ = nullptr;
  std::string queue_, writing_;
  bool writes_ = false, sent_ = false;
  std::string watch_prefix_,
      watch_payload_;  // of each message: control, and {rollcall_watcher, Token, ... of the payload
  // As app/watcher_program.hpp has it: what changed within a moment after what was told last.
  struct held_changes {
    bool open = false;  // the moment
    std::size_t count = 0;
    cnode::byte_string encoded;
  } held_;
  std::int64_t marked_ = 0;  // the number of the question at which it had the links of `then_`
  std::vector<std::uint8_t> then_;
  std::uint32_t next_process_ = 100;
};

}  // namespace rollcall::bench
