#include "cnode/calls.hpp"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <stdexcept>

#include "cnode/checked_reader.hpp"

namespace rollcall::cnode {
namespace {

constexpr std::size_t longest_detail = 400;

byte_string encoded(const term& reason) {
  term_writer out;
  return out.write(reason).bytes();
}

// {Id, return, Value}: the value, still encoded. A view of a thousand names is not walked through once more.
std::optional<byte_view> returned(const reference& id, byte_view reason) {
  checked_reader in(reason);
  if (in.tuple_header() != 3 || in.reference() != id || in.atom().text != "return") return {};
  const auto value = in.rest();
  return in.failed() ? std::nullopt : std::optional(value);
}

// What a called process ended with: {Id, return, Value}, or how it failed.
call_result<byte_string> read_answer(const reference& id, byte_view encoded_reason) {
  using kind = call_failure_kind;
  if (const auto value = returned(id, encoded_reason)) return byte_string(*value);
  const auto decoded = decode_term(encoded_reason);
  if (!decoded) return call_failure{kind::bad_answer, decoded.error().message()};
  const auto& reason = *decoded;
  const auto* items = reason.as<tuple>();
  const auto* res = items == nullptr || items->items.size() < 3 ? nullptr : items->items[0].as<reference>();
  if (res == nullptr || *res != id) {
    return call_failure{kind::raised,
                        fmt::format("the process that ran it ended: {}", to_string(reason, longest_detail))};
  }
  const auto& parts = items->items;
  for (const std::string_view raised : {"error", "exit", "throw"}) {
    if (!parts[1].is_atom(raised)) continue;
    auto detail = fmt::format("{}:{}", raised, to_string(parts[2], longest_detail));
    if (parts.size() > 3) detail += fmt::format(" in {}", to_string(parts[3], longest_detail));
    return call_failure{kind::raised, std::move(detail)};
  }
  return call_failure{kind::bad_answer, to_string(reason, longest_detail)};
}

control::spawn_request monitored(const pid& caller, const reference& id, function_name what,
                                 std::int64_t arity) {
  return {id,
          caller,
          caller,
          atom{std::move(what.module)},
          atom{std::move(what.function)},
          arity,
          list{{atom{"monitor"}}, nullptr}};
}

// What asks a node for a call. From one to the next only the reference and the payload differ.
class call_request {
 public:
  // Until the next one.
  byte_view of(const pid& caller, const reference& id, const function_name& what, byte_view arguments) {
    constexpr std::size_t list_header = 5;
    term_writer payload;
    payload.list_header(4).write(id);
    const byte_string written_id(payload.view().substr(list_header));
    payload.atom(what.module).atom(what.function).raw(arguments).nil();
    if (caller != caller_ || behind_.empty()) begin(caller, id, written_id);
    // What thousands of names in one call took is not held for good.
    if (frame_.capacity() > largest_kept) byte_string(frame_, 0, front_).swap(frame_);
    frame_.resize(front_);
    frame_.append(written_id).append(behind_).append(payload.view());
    const auto length = frame_.size() - length_size;
    for (std::size_t i = 0; i < length_size; ++i)
      frame_[i] = static_cast<char>(length >> (8 * (length_size - 1 - i)) & 0xffU);
    return frame_;
  }

 private:
  static constexpr std::size_t length_size = 4, largest_kept = 16U << 10;
  // | length | 'p' | 131 | { 29, | reference | , ... } | 131 |
  void begin(const pid& caller, const reference& id, byte_view written_id) {
    const auto nil = term_writer().nil().bytes();
    frame_ = encode_message(monitored(caller, id, {"erpc", "execute_call"}, 4), nil);
    front_ = frame_.find(written_id);
    behind_ = frame_.substr(front_ + written_id.size());
    behind_.resize(behind_.size() - nil.size());
    caller_ = caller;
  }

  pid caller_;
  byte_string frame_, behind_;
  std::size_t front_ = 0;
};

}  // namespace

calls::calls(asio::any_io_executor executor, const peer& on, send_function send)
    : executor_(std::move(executor)), limits_(call_limits::of(executor_)), on_(on), send_(std::move(send)) {}

calls::~calls() {
  for (const auto& [number, each] : waiting_) {
    if (each.place) limits_.remove(*each.place);
  }
}

// Ours differ in it.
std::uint64_t calls::number_of(const reference& id) {
  return std::uint64_t{id.ids[1]} << 32U | id.ids[0];
}

calls::table::iterator calls::find(const reference& id) {
  const auto found = waiting_.find(number_of(id));
  return found == waiting_.end() || found->second.id != id ? waiting_.end() : found;
}

void calls::call(const pid& caller, reference id, function_name what, byte_view arguments,
                 std::chrono::milliseconds limit, waiter& told) {
  static thread_local call_request request;
  const auto frames = request.of(caller, id, what, arguments);
  const auto number = number_of(id);
  const auto [at, fresh] = waiting_.try_emplace(
      number, pending{std::move(id), std::move(told), {}, false, caller, std::move(what), limit, {}});
  at->second.place = limits_.add(call_limits::clock::now() + limit, {this, number});
  send_(frames);
}

void calls::run(const pid& caller, reference id, function_name what, std::uint8_t arity, byte_view arguments,
                waiter& told) {
  const auto frames = encode_message(monitored(caller, id, std::move(what), arity), arguments);
  const auto number = number_of(id);
  waiting_.try_emplace(number,
                       pending{.id = std::move(id), .told = std::move(told), .ends_with_reason = true});
  send_(frames);
}

bool calls::receive(const control_message& received) {
  if (const auto* reply = std::get_if<control::spawn_reply>(&received)) {
    const auto found = find(reply->id);
    if (found == waiting_.end()) return true;
    if (const auto* why = std::get_if<atom>(&reply->outcome)) {
      end(found, call_failure{call_failure_kind::refused, why->text});
    } else {
      found->second.process = std::get<pid>(reply->outcome);
    }
    return true;
  }
  const auto* down = std::get_if<control::monitor_exit>(&received);
  const auto found = down == nullptr ? waiting_.end() : find(down->ref);
  if (found == waiting_.end()) return false;
  // Of a view of a thousand names no more is copied than what the caller gets.
  const auto* kept = down->reason.as<opaque>();
  const auto written = kept == nullptr ? encoded(down->reason) : byte_string();
  const byte_view reason = kept == nullptr ? written : kept->encoded;
  const auto& its = found->second;
  end(found,
      its.ends_with_reason ? call_result<byte_string>(byte_string(reason)) : read_answer(its.id, reason));
  return true;
}

void calls::lost(const std::string& why) {
  while (!waiting_.empty()) end(waiting_.begin(), call_failure{call_failure_kind::link_lost, why});
}

// What still comes is for a reference nobody knows any more, and is dropped.
void calls::late(std::uint64_t call) {
  const auto found = waiting_.find(call);
  if (found == waiting_.end()) return;
  auto& its = found->second;
  its.place.reset();
  if (its.process) send_(encode_message(control::demonitor{its.caller, *its.process, its.id}));
  end(found, call_failure{call_failure_kind::timed_out,
                          fmt::format("{}:{} on {} was not answered within {} ms", its.what.module,
                                      its.what.function, on_.name.text(), its.limit.count())});
}

void calls::end(table::iterator which, call_result<byte_string> with) {
  if (which->second.place) limits_.remove(*which->second.place);
  asio::post(executor_, [told = std::move(which->second.told), with = std::move(with)]() mutable {
    told->ended(std::move(with));
  });
  waiting_.erase(which);
}

call_result<term> decoded(const call_result<byte_string>& answer) {
  if (!answer) return answer.error();
  auto value = decode_term(*answer);
  if (!value) return call_failure{call_failure_kind::bad_answer, value.error().message()};
  return *std::move(value);
}

void throw_exception_from_error(const call_failure& failed, const boost::source_location&) {
  throw std::runtime_error(failed.detail);
}

}  // namespace rollcall::cnode
