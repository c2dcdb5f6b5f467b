#include "app/client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <stdexcept>

#include "app/options.hpp"
#include "app/options_values.hpp"
#include "app/plain_text.hpp"
#include "app/printable.hpp"
#include "app/table.hpp"

namespace rollcall::app {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace json = boost::json;
using asio::ip::tcp;

asio::awaitable<http_answer> get(http_url url, std::string path) {
  const auto executor = co_await asio::this_coro::executor;
  tcp::resolver resolver(executor);
  const auto targets =
      co_await resolver.async_resolve(url.host, std::to_string(url.port), asio::use_awaitable);
  beast::tcp_stream stream(executor);
  co_await stream.async_connect(targets, asio::use_awaitable);
  beast::http::request<beast::http::empty_body> request(beast::http::verb::get, url.prefix + path, 11);
  const bool v6 = url.host.find(':') != std::string::npos;
  request.set(beast::http::field::host,
              v6 ? fmt::format("[{}]:{}", url.host, url.port) : fmt::format("{}:{}", url.host, url.port));
  request.set(beast::http::field::user_agent, "rollcall/" ROLLCALL_VERSION);
  request.set(beast::http::field::accept, "application/json");
  request.set(beast::http::field::connection, "close");
  co_await beast::http::async_write(stream, request, asio::use_awaitable);
  beast::flat_buffer buffer;
  beast::http::response_parser<beast::http::string_body> parser;
  parser.body_limit(max_answer_bytes);
  co_await beast::http::async_read(stream, buffer, parser, asio::use_awaitable);
  auto response = parser.release();
  co_return http_answer{response.result_int(), std::move(response.body())};
}

// Readers of what may be absent or of another type: an older or newer server is no reason to fail.
const json::value* member_of(const json::object& object, std::string_view key) {
  return object.if_contains(key);
}

std::string cell(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "";
    case json::kind::bool_:
      return value.get_bool() ? "yes" : "no";
    case json::kind::string:
      return std::string(value.get_string());
    case json::kind::array: {
      std::string text;
      for (const auto& element : value.get_array())
        text += fmt::format("{}{}", text.empty() ? "" : ", ", cell(element));
      return text;
    }
    case json::kind::object: {
      std::string text;
      for (const auto& [key, part] : value.get_object()) {
        if (part.is_null()) continue;
        text += fmt::format("{}{}={}", text.empty() ? "" : " ", std::string_view(key), cell(part));
      }
      return text;
    }
    default:
      return json::serialize(value);
  }
}

std::string cell(const json::object& object, std::string_view key) {
  const auto* value = member_of(object, key);
  return value == nullptr ? std::string() : cell(*value);
}

milliseconds time_of(const json::object& object, std::string_view key) {
  const auto* value = member_of(object, key);
  if (value == nullptr || !value->is_number()) return milliseconds{0};
  boost::system::error_code failure;
  return milliseconds{value->to_number<std::int64_t>(failure)};
}

const json::array& list(const json::value& answer) {
  const auto* array = answer.if_array();
  if (array == nullptr) throw std::runtime_error("the answer is not a list");
  return *array;
}

const json::object& object(const json::value& element) {
  const auto* found = element.if_object();
  if (found == nullptr) throw std::runtime_error("an element of the answer is not an object");
  return *found;
}

void show_members(const json::value& answer, milliseconds now, std::ostream& out) {
  table members({"NODE", "STATE", "REASON", "SINCE", "LISTED", "SEES", "MISSING", "PARTITION", "OTP"});
  for (const auto& element : list(answer)) {
    const auto& m = object(element);
    members.row({cell(m, "node"), cell(m, "state"), cell(m, "reason"), age(now, time_of(m, "since_at")),
                 cell(m, "listed"), cell(m, "visible"), cell(m, "missing"), cell(m, "partition"),
                 cell(m, "otp_release")});
  }
  if (members.empty()) {
    out << "no members\n";
  } else {
    out << members;
  }
}

// A detail is an object with a name, or only a text.
std::vector<std::string> detail_row(const json::value& detail) {
  const auto* parts = detail.if_object();
  if (parts == nullptr) return {"", cell(detail)};
  std::string rest;
  for (const auto& [key, value] : *parts) {
    if (key == "name" || key == "severity" || value.is_null()) continue;
    const auto text = cell(value);
    const bool sentence = key == "text" || key == "detail" || key == "message";
    rest += fmt::format("{}{}", rest.empty() ? "" : " ",
                        sentence ? text : fmt::format("{}={}", std::string_view(key), text));
  }
  return {"", cell(*parts, "severity"), cell(*parts, "name"), rest};
}

int show_status(const json::value& answer, milliseconds now, std::ostream& out) {
  const auto& status = object(answer);
  const auto health = cell(status, "health");
  if (health.empty()) throw std::runtime_error("the answer has no health");
  table facts({});
  table details({});
  facts.row({"health", health});
  for (const auto& [key, value] : status) {
    const std::string name(key);
    if (name == "health") continue;
    if (name == "details" && value.is_array()) {
      for (const auto& detail : value.get_array()) details.row(detail_row(detail));
      continue;
    }
    if (name == "meshes" && value.is_array()) {
      for (const auto& mesh : value.get_array()) facts.row({"mesh", cell(mesh)});
      continue;
    }
    if (name == "at") {
      facts.row({"changed", age(now, time_of(status, name))});
    } else if (name.ends_with("_at") && value.is_number()) {
      facts.row({name.substr(0, name.size() - 3), age(now, time_of(status, name))});
    } else if (!value.is_null()) {
      facts.row({name, cell(value)});
    }
  }
  out << facts;
  if (!details.empty()) out << "\ndetails\n" << details;
  return health == "ok" ? answered : not_well;
}

void show_partitions(const json::value& answer, std::ostream& out) {
  // Of deploys that are kept apart, each partition says which mesh it is of.
  const auto& all = list(answer);
  const bool apart = !all.empty() && all.front().is_object();
  table partitions(apart ? std::vector<std::string>{"MESH", "PARTITION", "SIZE", "NODES"}
                         : std::vector<std::string>{"PARTITION", "SIZE", "NODES"});
  std::size_t index = 0;
  for (const auto& element : all) {
    const auto* of = element.if_object();
    const auto* nodes = of != nullptr ? of->if_contains("nodes") : &element;
    if (nodes == nullptr) continue;
    std::vector<std::string> row{std::to_string(index++), std::to_string(list(*nodes).size()), cell(*nodes)};
    if (apart) row.insert(row.begin(), of != nullptr ? cell(*of, "mesh") : std::string());
    partitions.row(std::move(row));
  }
  if (partitions.empty()) {
    out << "no partitions: no member is up\n";
  } else {
    out << partitions;
  }
}

// A group by its size, its first names, and how many more there are.
std::string short_group(const json::value& group) {
  constexpr std::size_t most = 3;
  const auto& nodes = list(group);
  std::string names;
  for (std::size_t i = 0; i < nodes.size() && i < most; ++i) names += (i == 0 ? "" : " ") + cell(nodes[i]);
  if (nodes.size() > most) names += fmt::format(" +{}", nodes.size() - most);
  return fmt::format("{}: {}", nodes.size(), names);
}

void show_netsplits(const json::value& answer, milliseconds now, std::ostream& out) {
  table incidents({"ID", "TYPE", "OPENED", "LASTED", "ENDED", "GROUPS", "FIRST BROKEN PAIR"});
  for (const auto& element : list(answer)) {
    const auto& incident = object(element);
    const auto opened = time_of(incident, "opened_at"), closed = time_of(incident, "closed_at");
    std::string groups;
    if (const auto* all = member_of(incident, "groups"); all != nullptr && all->is_array()) {
      for (const auto& group : all->get_array()) {
        groups += fmt::format("{}{}", groups.empty() ? "" : " | ", short_group(group));
      }
    }
    std::string first;
    if (const auto* cause = member_of(incident, "cause"); cause != nullptr && cause->is_object()) {
      const auto& c = cause->get_object();
      first = fmt::format("{} - {} ({}", cell(c, "from"), cell(c, "to"), cell(c, "reason"));
      const auto path = cell(c, "path");
      first += path.empty() ? ")" : fmt::format(", path: {})", path);
    }
    incidents.row({cell(incident, "id"), cell(incident, "type"), age(now, opened),
                   closed.count() == 0 ? "still open" : span(closed - opened), cell(incident, "ended"),
                   groups, first});
  }
  if (incidents.empty()) {
    out << "no netsplits\n";
  } else {
    out << incidents;
  }
}

void show_events(const json::value& answer, milliseconds now, std::ostream& out) {
  table events({"ID", "WHEN", "TYPE", "NODE", "DETAIL"});
  for (const auto& element : list(answer)) {
    const auto& event = object(element);
    // The sentence names the reason where it matters.
    auto sentence = cell(event, "text");
    json::object rest;
    for (const auto& [key, value] : event) {
      if (key == "id" || key == "at" || key == "type" || key == "node" || key == "text") continue;
      if (key != "reason" || sentence.empty()) rest[key] = value;
    }
    const auto more = cell(json::value(rest));
    if (!sentence.empty() && !more.empty()) sentence += ' ';
    sentence += more;
    events.row({cell(event, "id"), age(now, time_of(event, "at")), cell(event, "type"), cell(event, "node"),
                sentence});
  }
  if (events.empty()) {
    out << "no events\n";
  } else {
    out << events;
  }
}

}  // namespace

http_answer http_get(const std::string& url, std::string_view path, milliseconds timeout) {
  asio::io_context context;
  http_answer answer;
  std::exception_ptr failure;
  bool done = false;
  asio::co_spawn(context, get(parse_url(url), std::string(path)),
                 [&](std::exception_ptr thrown, http_answer got) {
                   failure = thrown;
                   answer = std::move(got);
                   done = true;
                 });
  context.run_for(timeout);
  if (!done) throw std::runtime_error(fmt::format("no answer within {}", format_duration(timeout)));
  if (failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
      throw std::runtime_error(error.code().message());
    }
  }
  return answer;
}

std::string api_path(const configuration& config) {
  if (config.command == command::healthcheck) return "/healthz";
  const auto path = fmt::format("/api/v1/{}", to_string(config.command));
  return config.command == command::events ? fmt::format("{}?last={}", path, config.last) : path;
}

int show(command what, const json::value& answer, milliseconds now, std::ostream& out) {
  switch (what) {
    case command::members:
      show_members(answer, now, out);
      return answered;
    case command::status:
      return show_status(answer, now, out);
    case command::partitions:
      show_partitions(answer, out);
      return answered;
    case command::netsplits:
      show_netsplits(answer, now, out);
      return answered;
    case command::events:
      show_events(answer, now, out);
      return answered;
    case command::pause:
    case command::resume:
    case command::healthcheck:
    case command::run:
    case command::check:
    case command::doctor:
      break;
  }
  throw std::runtime_error("has no answer to show");
}

namespace {

int ask_once(const configuration& config, std::ostream& out, std::ostream& complaints) {
  const auto path = api_path(config);
  http_answer answer;
  try {
    answer = http_get(config.url, path, ask_timeout);
  } catch (const std::exception& failure) {
    complaints << fmt::format(
        "rollcall: cannot ask {}: {} (is rollcall running there? --url says whom to ask)\n",
        printable(config.url), printable(plain_text(failure)));
    return could_not_ask;
  }
  if (answer.status == 404) {
    complaints << fmt::format(
        "rollcall: {} does not know {}: it is an older rollcall, or no rollcall (--url says whom to ask)\n",
        printable(config.url), path);
    return could_not_ask;
  }
  if (answer.status != 200) {
    complaints << fmt::format("rollcall: {} answered {} with HTTP status {}: {}\n", printable(config.url),
                              path, answer.status, printable(std::string_view(answer.body).substr(0, 200)));
    return could_not_ask;
  }
  if (config.command == command::healthcheck) {
    out << "alive\n";
    return answered;
  }
  json::value parsed;
  try {
    parsed = json::parse(answer.body);
    const auto now =
        std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
    if (!config.json) return show(config.command, parsed, now, out);
  } catch (const std::exception& failure) {
    complaints << fmt::format("rollcall: what {} answered is not rollcall's: {} (--url says whom to ask)\n",
                              printable(config.url), printable(plain_text(failure)));
    return could_not_ask;
  }
  out << json::serialize(parsed) << '\n';
  if (config.command != command::status) return answered;
  const auto* status = parsed.if_object();
  return status != nullptr && cell(*status, "health") == "ok" ? answered : not_well;
}

}  // namespace

int ask(const configuration& config, std::ostream& out, std::ostream& complaints) {
  const auto code = ask_once(config, out, complaints);
  return config.command == command::healthcheck && code == could_not_ask ? not_alive : code;
}

int ask(const configuration& config) {
  const auto code = ask(config, std::cout, std::cerr);
  std::cout.flush();
  return code;
}

}  // namespace rollcall::app
