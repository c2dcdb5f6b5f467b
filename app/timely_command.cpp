#include "app/timely_command.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace rollcall::app {
namespace {

// The abstract format, as erl_parse makes it: https://www.erlang.org/doc/apps/erts/absform.html. Every line
// is 1.
class form_writer {
 public:
  explicit form_writer(cnode::term_writer& out) : out_(out) {}

  void atom(std::string_view text) { out_.tuple_header(3).atom("atom").integer(1).atom(text); }
  void variable(std::string_view name) { out_.tuple_header(3).atom("var").integer(1).atom(name); }
  // Its arguments follow, and then nil.
  void call(std::string_view module, std::string_view function, std::size_t arguments) {
    out_.tuple_header(4).atom("call").integer(1);
    out_.tuple_header(4).atom("remote").integer(1);
    atom(module);
    atom(function);
    out_.list_header(arguments);
  }
  // Its one expression follows, and then nil.
  void clause(std::string_view pattern) {
    out_.tuple_header(5).atom("clause").integer(1).list_header(1);
    atom(pattern);
    out_.nil().nil().list_header(1);
  }

 private:
  cnode::term_writer& out_;
};

}  // namespace

cnode::byte_string timely(std::string_view module, std::string_view function, cnode::byte_view arguments,
                          std::int64_t end) {
  cnode::term_writer out;
  form_writer form(out);
  out.list_header(2).list_header(1);
  out.tuple_header(4).atom("case").integer(1);
  form.call("erlang", "<", 2);
  form.call("erlang", "monotonic_time", 1);
  form.atom("millisecond");
  out.nil();
  form.variable("End");
  out.nil().list_header(2);
  form.clause("true");
  form.call("erlang", "apply", 3);
  for (const auto* name : {"Module", "Function", "Arguments"}) form.variable(name);
  out.nil().nil();
  form.clause("false");
  form.atom("expired");
  out.nil().nil().nil();  // of the clause, the clauses, the expressions

  out.list_header(4);
  out.tuple_header(2).atom("End").integer(end);
  out.tuple_header(2).atom("Module").atom(module);
  out.tuple_header(2).atom("Function").atom(function);
  out.tuple_header(2).atom("Arguments").raw(arguments);
  out.nil().nil();
  return out.bytes();
}

const cnode::term* value_of(const cnode::term& answer) {
  const auto* parts = answer.as<cnode::tuple>();
  if (parts == nullptr || parts->items.size() != 3 || !parts->items[0].is_atom("value")) return nullptr;
  return &parts->items[1];
}

std::optional<std::int64_t> timely_commands::known_time(const node_name& on) const {
  const auto* node = node_();
  const auto known = clocks_.find(on);
  if (node == nullptr || known == clocks_.end()) return std::nullopt;
  const auto linked = node->linked(on);
  const auto age =
      std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - known->second.at);
  if (!linked || linked->creation != known->second.creation || age > clock_kept) return std::nullopt;
  return known->second.told + age.count();
}

// Its time now, at least: it cannot be behind this, so that a command never ends later than it should.
asio::awaitable<std::optional<std::int64_t>> timely_commands::time_on(node_name on) {
  if (const auto known = known_time(on)) co_return known;
  if (const auto asking = clocks_[on].asking) {
    boost::system::error_code ignored;
    co_await asking->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    co_return known_time(on);
  }
  const auto answered = std::make_shared<asio::steady_timer>(io_, begins_within);
  clocks_[on].asking = answered;
  const auto answer =
      co_await call_(on, "erlang", "monotonic_time",
                     cnode::term_writer().list_header(1).atom("millisecond").nil().bytes(), begins_within);
  auto* node = node_();
  const auto linked = node != nullptr ? node->linked(on) : std::nullopt;
  const auto* told = answer ? answer->as<std::int64_t>() : nullptr;
  clock now;
  if (linked && told != nullptr) {
    now.creation = linked->creation;
    now.told = *told;
    now.at = std::chrono::steady_clock::now();
  }
  clocks_.insert_or_assign(on, std::move(now));
  answered->cancel();
  co_return known_time(on);
}

asio::awaitable<cnode::call_result<cnode::term>> timely_commands::run(node_name on, std::string module,
                                                                      std::string function,
                                                                      cnode::byte_string arguments,
                                                                      milliseconds limit) {
  const program command = [&](std::int64_t end) { return timely(module, function, arguments, end); };
  co_return co_await evaluate(on, command, limit);
}

asio::awaitable<cnode::call_result<cnode::term>> timely_commands::evaluate(node_name on, program what,
                                                                           milliseconds limit) {
  const auto now = co_await time_on(on);
  if (!now) {
    co_return cnode::call_failure{cnode::call_failure_kind::timed_out,
                                  "it does not tell its time: nothing was asked"};
  }
  auto answer = co_await call_(on, "erl_eval", "exprs", what(*now + begins_within.count()), limit);
  if (!answer) co_return answer;
  const auto* value = value_of(*answer);
  if (value == nullptr) {
    co_return cnode::call_failure{cnode::call_failure_kind::raised,
                                  "erl_eval:exprs/2 answered " + to_string(*answer, 200)};
  }
  if (value->is_atom("expired")) {
    co_return cnode::call_failure{cnode::call_failure_kind::timed_out,
                                  "it came too late, and was not carried out"};
  }
  co_return cnode::term(*value);
}

}  // namespace rollcall::app
