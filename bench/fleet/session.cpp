#include "bench/fleet/session.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "app/watcher_program.hpp"
#include "cnode/connection.hpp"
#include "cnode/flags.hpp"

namespace rollcall::bench {

using namespace std::chrono_literals;
using namespace rollcall::cnode;

namespace {

constexpr auto net_setup_time = 7'000ms;  // what a connect request waits when packets are lost

byte_string encoded(auto write) {
  term_writer out;
  write(out);
  return out.bytes();
}

byte_string atom_of(std::string_view text) {
  return encoded([&](term_writer& out) { out.atom(text); });
}

void put_length(std::string& out, std::size_t length) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(length >> shift & 0xffU));
}

// {Key, Value} of a list, or of bindings.
const term* value_of(const list& pairs, std::string_view key) {
  for (const auto& each : pairs.items) {
    const auto* pair = each.as<tuple>();
    if (pair != nullptr && pair->items.size() == 2 && pair->items[0].is_atom(key)) return &pair->items[1];
  }
  return nullptr;
}

}  // namespace

session::session(fleet& of, tcp::socket socket, mesh::index node)
    : fleet_(of), stream_(std::move(socket)), node_(node) {}

asio::awaitable<bool> session::shake_hands() {
  if (const auto& tls = fleet_.options().tls) {
    stream_.secure(*tls, tls::role::accepting, {}, false);
    if (co_await shake_tls(stream_)) co_return false;
  }
  static challenges all;
  identity own{*node_name::parse(played_name(node_)), flags::plain | flags::published,
               fleet_.mesh().creation(node_)};
  accepting_handshake handshake(std::move(own), {fleet_.options().cookie}, all.issue());
  bool named = false;
  while (true) {
    const auto frame = co_await read_handshake_frame(stream_);
    if (!frame) co_return false;
    auto step = handshake.receive(*frame);
    if (!step) co_return false;
    if (!std::exchange(named, true)) step = handshake.answer_name(accepting_handshake::verdict::ok);
    const auto written = co_await write_handshake_frames(stream_, step->send);
    if (!written) co_return false;
    if (step->finished) break;
  }
  watcher_ = handshake.peer()->name.text();
  co_return true;
}

asio::awaitable<bool> session::read(asio::mutable_buffer to) {
  while (to.size() > 0) {
    boost::system::error_code code;
    to += stream_.read_some(to, code);
    if (not_yet(code)) {
      co_await stream_.socket().async_wait(stream_.awaited_by_read(), as_result);
    } else if (code) {
      co_return false;
    }
  }
  co_return true;
}

asio::awaitable<void> session::run(std::shared_ptr<session> self) {
  boost::system::error_code ignored;
  self->stream_.socket().set_option(tcp::no_delay(true), ignored);
  if (!co_await self->shake_hands()) co_return;
  self->traffic_ = &self->fleet_.traffic_with(self->watcher_);
  ++self->traffic_->connections;
  self->fleet_.attached(self);
  std::string frame;
  while (true) {
    std::array<std::uint8_t, 4> prefix{};
    if (!co_await self->read(asio::buffer(prefix))) break;
    const auto length = frame_length(prefix);
    if (!length) break;
    self->traffic_->bytes_in += 4 + *length;
    ++self->traffic_->frames_in;
    if (*length == 0) continue;
    frame.resize(*length);
    if (!co_await self->read(asio::buffer(frame))) break;
    if (const auto message = parse_message(frame)) self->receive(*message);
  }
  self->close();
  self->fleet_.detached(*self);
}

void session::close() {
  boost::system::error_code ignored;
  stream_.close(ignored);
}

// As net_kernel does: only when nothing else was sent since the last time.
void session::tick() {
  if (!std::exchange(sent_, false)) send(tick_frame);
  sent_ = false;
}

void session::send(std::string_view frames) {
  if (!stream_.socket().is_open()) return;
  sent_ = true;
  traffic_->bytes_out += frames.size();
  ++traffic_->frames_out;
  queue_.append(frames);
  if (std::exchange(writes_, true)) return;
  // Posted, for co_spawn would begin at once: what is sent in one moment goes in one write, as a node's does.
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    asio::co_spawn(self->stream_.get_executor(), self->write(), asio::detached);
  });
}

asio::awaitable<void> session::write() {
  while (!queue_.empty()) {
    writing_.clear();
    writing_.swap(queue_);
    auto rest = asio::buffer(std::as_const(writing_));
    boost::system::error_code code;
    while (rest.size() > 0 || stream_.holds_unsent()) {
      if (rest.size() > 0) {
        rest += stream_.write_some(rest, code);
      } else {
        stream_.flush(code);
      }
      if (not_yet(code)) {
        co_await stream_.socket().async_wait(stream_.awaited_by_write(), as_result);
      } else if (code) {
        break;
      }
    }
    if (code) break;
  }
  writes_ = false;
}

void session::later(std::chrono::milliseconds after, std::function<void()> what) {
  const auto timer = std::make_shared<asio::steady_timer>(stream_.get_executor(), after);
  timer->async_wait([timer, what = std::move(what)](boost::system::error_code) { what(); });
}

pid session::next_process() {
  return {played_name(node_), next_process_++, 0, fleet_.mesh().creation(node_)};
}

void session::tell(mesh::index peer, bool up, std::string_view why) {
  if (watch_payload_.empty()) return;
  marked_ = 0;
  byte_string what =
      encoded([&](term_writer& out) { out.tuple_header(up ? 2 : 3).atom(up ? "up" : "down"); });
  what += fleet_.encoded_name(peer);
  if (!up) what += atom_of(why);
  if (!held_.open) {
    send_as_watcher(what);
    hold();
  } else {
    held_.encoded += what;
    if (++held_.count == app::most_changes_at_once) tell_held();
  }
}

void session::hold() {
  held_.open = true;
  later(app::watcher_holds, [self = shared_from_this()] {
    if (self->held_.count == 0) {
      self->held_.open = false;
    } else {
      self->tell_held();
      self->hold();
    }
  });
}

void session::tell_held() {
  if (held_.count == 0) return;
  const auto changes = std::exchange(held_, {true, 0, {}});
  send_as_watcher(encoded([&](term_writer& out) {
    out.tuple_header(2).atom("changes").list_header(changes.count).raw(changes.encoded).nil();
  }));
}

void session::answer_of_watcher(byte_view payload) {
  const auto decoded = decode_term(payload);
  if (decoded && decoded->is_atom("held")) return tell_held();
  const auto* parts = decoded ? decoded->as<tuple>() : nullptr;
  if (watch_payload_.empty() || parts == nullptr || parts->items.size() < 2) return;
  const auto* word = parts->items[0].as<atom>();
  const auto* number = parts->items[1].as<std::int64_t>();
  if (word == nullptr || number == nullptr) return;
  ++traffic_->asked["watcher: " + word->text];
  tell_held();
  auto said = word->text;
  if (said == "same") {
    const auto* mark = parts->items.size() == 3 ? parts->items[2].as<std::int64_t>() : nullptr;
    const auto now = fleet_.mesh().links_of(node_);
    if (marked_ == 0 || mark == nullptr || *mark != marked_ || !std::ranges::equal(now, then_)) {
      said = "other";
      marked_ = *number;
      then_.assign(now.begin(), now.end());
    }
  }
  send_as_watcher(encoded([&](term_writer& out) { out.tuple_header(2).atom(said).integer(*number); }));
}

void session::send_as_watcher(byte_view what) {
  std::string frame;
  frame.reserve(4 + watch_prefix_.size() + watch_payload_.size() + what.size());
  put_length(frame, watch_prefix_.size() + watch_payload_.size() + what.size());
  send(frame.append(watch_prefix_).append(watch_payload_).append(what));
}

void session::receive(const message& received) {
  if (const auto* asked = std::get_if<control::spawn_request>(&received.control)) {
    spawn(*asked, received.payload);
    return;
  }
  const auto* sent_to = std::get_if<control::reg_send>(&received.control);
  if (sent_to == nullptr) return;
  if (sent_to->to.text.starts_with("rollcall_watcher_")) {
    answer_of_watcher(received.payload);
    return;
  }
  ++traffic_->asked["! " + sent_to->to.text];
  const auto front = read_call_front(received.payload);
  if (sent_to->to.text != "net_kernel" || !front) return;
  const auto yes = encoded([&](term_writer& out) { out.tuple_header(2).write(front->tag).atom("yes"); });
  send(encode_message(control::send{front->caller}, yes));
}

void session::spawn(const control::spawn_request& asked, byte_view payload) {
  if (asked.module.text == "erl_eval" && asked.function.text == "exprs") {
    watch(asked, payload);
    return;
  }
  // erpc:execute_call(Ref, Module, Function, Arguments)
  const auto decoded = decode_term(payload);
  const auto* parts = decoded ? decoded->as<list>() : nullptr;
  if (parts == nullptr || parts->items.size() != 4) return;
  const auto* module = parts->items[1].as<atom>();
  const auto* function = parts->items[2].as<atom>();
  if (module == nullptr || function == nullptr) return;
  const auto what = module->text + ":" + function->text;
  ++traffic_->asked[what];
  const asked_call call{asked};
  if (what == "erl_eval:exprs") {
    evaluate(call, parts->items[3]);
  } else {
    answered(call, answer(call, what, parts->items[3]));
  }
}

// Nothing: the answer comes later.
void session::answered(const asked_call& call, byte_string value) {
  if (value.empty()) return;
  if (fleet_.options().delay == 0ms) {
    reply(call, std::move(value));
  } else {
    later(fleet_.options().delay, [self = shared_from_this(), call, value] { self->reply(call, value); });
  }
}

void session::reply(const asked_call& call, byte_string value) {
  end(call.request, encoded([&](term_writer& out) {
        out.tuple_header(3).write(call.request.id).atom("return");
        if (call.evaluated) out.tuple_header(3).atom("value");
        out.raw(value);
        if (call.evaluated) out.nil();
      }));
}

// erl_eval:exprs(Forms, Bindings) of a command that expires (app/timely_command.hpp): what its bindings name
// is called, at once. Any other program is not played.
void session::evaluate(asked_call call, const term& arguments) {
  const auto* given = arguments.as<list>();
  const auto* bindings = given != nullptr && given->items.size() == 2 ? given->items[1].as<list>() : nullptr;
  const auto* module = bindings == nullptr ? nullptr : value_of(*bindings, "Module");
  const auto* function = bindings == nullptr ? nullptr : value_of(*bindings, "Function");
  const auto* passed_on = bindings == nullptr ? nullptr : value_of(*bindings, "Arguments");
  if (module == nullptr || function == nullptr || passed_on == nullptr || module->as<atom>() == nullptr ||
      function->as<atom>() == nullptr) {
    answered(call, atom_of("undefined"));
    return;
  }
  const auto what = module->as<atom>()->text + ":" + function->as<atom>()->text;
  ++traffic_->asked[what];
  call.evaluated = true;
  answered(call, answer(call, what, *passed_on));
}

// A process that ran a call ends with its answer: both frames in one write, as a node sends them.
void session::end(const control::spawn_request& asked, byte_view reason) {
  const auto process = next_process();
  bool told = true;
  if (const auto* options = asked.options.as<list>()) {
    if (const auto* wanted = value_of(*options, "reply"))
      told = wanted->is_atom("yes") || wanted->is_atom("success_only");
  }
  byte_string frames;
  if (told) {
    frames = encode_message(
        control::spawn_reply{asked.id, asked.from, control::spawn_reply::flag_monitor, process});
  }
  // MONITOR_P_EXIT with the reason as it is encoded already.
  term_writer out;
  out.version().tuple_header(5).integer(21).write(process).write(asked.from).write(asked.id).raw(reason);
  put_length(frames, 1 + out.view().size());
  frames.push_back(pass_through);
  send(frames.append(out.view()));
}

void session::watch(const control::spawn_request& asked, byte_view payload) {
  ++traffic_->asked["erl_eval:exprs"];
  const auto decoded = decode_term(payload);
  const auto* parts = decoded ? decoded->as<list>() : nullptr;
  const auto* bindings = parts != nullptr && parts->items.size() == 2 ? parts->items[1].as<list>() : nullptr;
  const auto* us = bindings == nullptr ? nullptr : value_of(*bindings, "Us");
  const auto* token = bindings == nullptr ? nullptr : value_of(*bindings, "Token");
  if (us == nullptr || token == nullptr || us->as<pid>() == nullptr) return;
  send(encode_message(
      control::spawn_reply{asked.id, asked.from, control::spawn_reply::flag_monitor, next_process()}));
  const auto begun = encode_message(control::send{*us->as<pid>()}, atom_of("x"));
  watch_prefix_ = begun.substr(4, begun.size() - 4 - atom_of("x").size());
  watch_payload_ =
      encoded([&](term_writer& out) { out.tuple_header(3).atom("rollcall_watcher").write(*token); });
  send_as_watcher(atom_of("watching"));
}

byte_string session::answer(const asked_call& asked, const std::string& what, const term& arguments) {
  const auto* given = arguments.as<list>();
  if (what == "erlang:nodes") return visible();
  if (what == "net_kernel:nodes_info") return links();
  if (what == "init:get_status") {
    return encoded([](term_writer& out) { out.tuple_header(2).atom("started").atom("started"); });
  }
  if (what == "erlang:system_info") return encoded([](term_writer& out) { out.text("25"); });
  if (what == "net_kernel:get_net_ticktime") {
    return encoded([&](term_writer& out) { out.integer(fleet_.options().net_ticktime.count() / 1000); });
  }
  if (what == "init:get_argument") return atom_of("error");
  if (what == "erlang:monotonic_time") {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return encoded([&](term_writer& out) {
      out.integer(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
    });
  }
  if (what == "application:get_all_env") {
    return encoded([](term_writer& out) {
      out.list_header(1).tuple_header(2).atom("prevent_overlapping_partitions").atom("true").nil();
    });
  }
  if (what == "net_kernel:connect_node" && given != nullptr && given->items.size() == 1) {
    return connected(asked, given->items[0]);
  }
  if (what == "gen_tcp:connect") return path_to(asked, arguments);
  if (what == "lists:zipwith3") return sent(arguments);
  if (what == "global:disconnect") return encoded([](term_writer& out) { out.nil(); });
  return atom_of("undefined");
}

byte_string session::visible() const {
  byte_string names;
  std::size_t count = 0;
  for (mesh::index peer = 0; peer < fleet_.mesh().size(); ++peer) {
    if (!fleet_.mesh().linked(node_, peer)) continue;
    names += fleet_.encoded_name(peer);
    ++count;
  }
  return encoded([&](term_writer& out) { out.list_header(count).raw(names).nil(); });
}

// As {ok, [{Node, [{in, N}, {out, N}]}]}: counters that stand still.
byte_string session::links() const {
  return encoded([&](term_writer& out) {
    out.tuple_header(2).atom("ok").list_header(fleet_.mesh().degree(node_));
    for (mesh::index peer = 0; peer < fleet_.mesh().size(); ++peer) {
      if (!fleet_.mesh().linked(node_, peer)) continue;
      out.tuple_header(2).raw(fleet_.encoded_name(peer)).list_header(2);
      out.tuple_header(2).atom("in").integer(7).tuple_header(2).atom("out").integer(7).nil();
    }
    out.nil();
  });
}

byte_string session::connected(const asked_call& asked, const term& to) {
  const auto* name = to.as<atom>();
  const auto peer = name == nullptr ? std::nullopt : fleet_.index_of(name->text);
  if (!peer) return atom_of("false");
  if (!fleet_.mesh().linked(node_, *peer) && !fleet_.mesh().path(node_, *peer)) {
    later(net_setup_time, [self = shared_from_this(), asked] { self->reply(asked, atom_of("false")); });
    return {};
  }
  return atom_of(fleet_.connect(node_, *peer) ? "true" : "false");
}

byte_string session::path_to(const asked_call& asked, const term& arguments) {
  const auto* given = arguments.as<list>();
  std::string host;
  std::chrono::milliseconds limit{1'000};
  if (given != nullptr && given->items.size() == 4) {
    if (const auto* text = given->items[0].as<list>()) {
      for (const auto& each : text->items) host.push_back(static_cast<char>(*each.as<std::int64_t>()));
    }
    if (const auto* wanted = given->items[3].as<std::int64_t>()) limit = std::chrono::milliseconds(*wanted);
  }
  const auto failed = [](std::string_view why) {
    return encoded([&](term_writer& out) { out.tuple_header(2).atom("error").atom(why); });
  };
  const auto peer = fleet_.index_of("n@" + host);
  if (!peer) return failed("nxdomain");
  if (!fleet_.mesh().path(node_, *peer)) {
    later(limit, [self = shared_from_this(), asked, failed] { self->reply(asked, failed("timeout")); });
    return {};
  }
  if (!fleet_.mesh().runs(*peer)) return failed("econnrefused");
  return encoded([](term_writer& out) { out.tuple_header(2).atom("ok").atom("port"); });
}

// lists:zipwith3(fun erlang:send/3, [{net_kernel, To}], [Message], [Options]): each goes over its link, if
// there is one, and is answered over the other end's own link to the caller, if it arrives.
byte_string session::sent(const term& arguments) {
  const auto* given = arguments.as<list>();
  const auto* to = given != nullptr && given->items.size() == 4 ? given->items[1].as<list>() : nullptr;
  const auto* messages = to == nullptr ? nullptr : given->items[2].as<list>();
  if (messages == nullptr || messages->items.size() != to->items.size()) return atom_of("badarg");
  traffic_->asked["probed"] += to->items.size();
  term_writer results;
  results.list_header(to->items.size());
  for (std::size_t i = 0; i < to->items.size(); ++i) {
    const auto* process = to->items[i].as<tuple>();
    const auto* name =
        process == nullptr || process->items.size() != 2 ? nullptr : process->items[1].as<atom>();
    const auto peer = name == nullptr ? std::nullopt : fleet_.index_of(name->text);
    if (!peer || !fleet_.mesh().linked(node_, *peer)) {
      results.atom("noconnect");
      continue;
    }
    results.atom("ok");
    if (!fleet_.mesh().path(node_, *peer)) continue;
    const auto over = fleet_.session_of(*peer, watcher_);
    const auto* message = messages->items[i].as<tuple>();
    const auto* from =
        message == nullptr || message->items.size() != 3 ? nullptr : message->items[1].as<tuple>();
    if (!over || from == nullptr || from->items.size() != 2 || from->items[0].as<pid>() == nullptr) continue;
    const auto yes =
        encoded([&](term_writer& out) { out.tuple_header(2).write(from->items[1]).atom("yes"); });
    over->send(encode_message(control::send{*from->items[0].as<pid>()}, yes));
  }
  results.nil();
  return results.bytes();
}

}  // namespace rollcall::bench
