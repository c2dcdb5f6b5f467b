// What a shell may ask (docs/iex.md): a table of functions over the snapshot, rendered as Erlang terms. An
// answer is encoded once per snapshot, however many callers ask for it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "app/subscriptions.hpp"
#include "cnode/node.hpp"
#include "membership/report.hpp"
#include "membership/snapshot.hpp"

namespace rollcall::app {

// The neutral document as one term without version byte: keys and symbols are atoms, texts are binaries.
void encode(cnode::term_writer&, const membership::report::document&);

class answers {
 public:
  struct actions {
    std::function<membership::snapshot_ptr()> snapshot;
    std::function<void()> start_round;
    std::function<void(const node_name&)> leave{}, rejoin{};
    std::function<void(std::chrono::milliseconds)> pause{};
    std::function<void()> resume{};
    std::function<membership::report::document()> configuration{};
    std::function<std::vector<node_name>()> others{};  // other Rollcalls on the same nodes
    std::function<subscriptions::outcome(const cnode::pid&)> subscribe{};
    std::function<void(const cnode::pid&)> unsubscribe{};
  };
  answers(std::string version, actions);

  // For cnode::node: `rollcall` and `Elixir.Rollcall` are this program; every other module is undefined.
  cnode::answer operator()(const cnode::request&);

 private:
  using encoded = std::shared_ptr<const cnode::byte_string>;
  using builder = std::function<membership::report::document(const membership::snapshot&)>;
  struct function;
  static std::vector<function> about_members();
  static std::vector<function> about_the_cluster();
  static std::vector<function> about_events();
  static std::vector<function> commands();
  static std::vector<function> about_rollcall();
  static const std::vector<function>& functions();
  static std::string help();
  cnode::answer cached(const std::string& key, const builder&);
  using long_builder = std::shared_ptr<const cnode::long_value> (*)(membership::snapshot_ptr);
  // One that is made at once while it is small, and in turns from then on.
  cnode::answer in_turns(const std::string& key, long_builder);
  const encoded* find_cached(const std::string& key, const membership::snapshot&);
  // members/0: only those that changed since the last time are encoded again.
  cnode::answer all_members();
  cnode::answer of_a_member(const cnode::term& name, const std::function<void(const node_name&)>&);

  std::string version_;
  actions actions_;
  struct told_member {
    membership::member of;
    cnode::byte_string encoded;
  };
  std::vector<told_member> told_members_;  // sorted by name
  encoded members_;                        // the whole of them
  std::uint64_t members_version_ = 0;
  std::uint64_t cached_version_ = 0;
  std::map<std::string, encoded> cache_;  // answers about snapshot `cached_version_`
  // Those that are being sent, each of which keeps its snapshot; the last of each kind.
  struct long_answer {
    std::string key;
    std::uint64_t version;
    std::weak_ptr<const cnode::long_value> value;
  };
  std::vector<long_answer> long_answers_;
};

}  // namespace rollcall::app
