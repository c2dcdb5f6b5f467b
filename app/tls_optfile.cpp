#include "app/tls_optfile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "app/erlang_text.hpp"

namespace rollcall::app {
namespace {

using kind = erlang_value::kind;

std::optional<bool> truth(const erlang_value& value) {
  if (value.is_atom("true")) return true;
  if (value.is_atom("false")) return false;
  return std::nullopt;
}

bool take_text(std::optional<std::string>& into, const erlang_value& value) {
  if (value.is != kind::text || value.text.empty()) return false;
  into = value.text;
  return true;
}

bool take_verify(tls_optfile::side& into, const erlang_value& value) {
  if (!value.is_atom("verify_peer") && !value.is_atom("verify_none")) return false;
  into.verify = value.is_atom("verify_peer");
  return true;
}

bool take_versions(tls_optfile::side& into, const erlang_value& value) {
  if (value.is != kind::list || value.items.empty()) return false;
  std::vector<std::string> versions;
  for (const auto& each : value.items) {
    if (each.is != kind::atom) return false;
    versions.push_back(each.text);
  }
  into.versions = std::move(versions);
  return true;
}

bool take_depth(tls_optfile::side& into, const erlang_value& value) {
  int depth = 0;
  const auto* const end = value.text.data() + value.text.size();
  const auto [stopped, failed] = std::from_chars(value.text.data(), end, depth);
  if (value.is != kind::number || failed != std::errc{} || stopped != end || depth < 0 || depth > 255)
    return false;
  into.depth = depth;
  return true;
}

bool take(tls_optfile::side& into, const std::string& name, const erlang_value& value);

// The first of several certificates and keys.
bool take_certificates(tls_optfile::side& into, const erlang_value& value) {
  if (value.is != kind::list || value.items.size() != 1 || value.items.front().is != kind::map) return false;
  const auto& pairs = value.items.front().items;
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    if (!take(into, pairs[i].text, pairs[i + 1])) return false;
  }
  return true;
}

bool take(tls_optfile::side& into, const std::string& name, const erlang_value& value) {
  if (name == "certfile") return take_text(into.certfile, value);
  if (name == "keyfile") return take_text(into.keyfile, value);
  if (name == "cacertfile") return take_text(into.cacertfile, value);
  if (name == "password") return take_text(into.password, value);
  if (name == "certs_keys") return take_certificates(into, value);
  if (name == "verify") return take_verify(into, value);
  if (name == "versions") return take_versions(into, value);
  if (name == "depth") return take_depth(into, value);
  // What is always so here.
  if (name == "secure_renegotiate") return truth(value) == true;
  if (name == "fail_if_no_peer_cert") {
    into.fail_if_no_peer_cert = truth(value);
    return into.fail_if_no_peer_cert.has_value();
  }
  return false;
}

void take_side(tls_optfile::side& into, std::string_view which, const erlang_value& options,
               std::vector<std::string>& unused) {
  for (const auto& option : options.items) {
    const bool pair =
        option.is == kind::tuple && option.items.size() == 2 && option.items[0].is == kind::atom;
    if (pair && take(into, option.items[0].text, option.items[1])) continue;
    const auto& name = option.is == kind::tuple && !option.items.empty() ? option.items[0].text : option.text;
    unused.push_back(fmt::format("{}: {}", which, name.empty() ? "an option without a name" : name));
  }
}

}  // namespace

std::optional<tls_optfile> read_tls_optfile(std::string_view text, std::string& problem) {
  const auto all = read_erlang_text(text, problem);
  if (!all) return std::nullopt;
  const auto is_side = [](const erlang_value& one) {
    return one.is == kind::tuple && one.items.size() == 2 && one.items[0].is == kind::atom &&
           one.items[1].is == kind::list;
  };
  if (all->is != kind::list || !std::ranges::all_of(all->items, is_side)) {
    problem = "it is not [{server, [...]}, {client, [...]}].";
    return std::nullopt;
  }
  tls_optfile found;
  for (const auto& one : all->items) {
    const auto& which = one.items[0].text;
    if (which == "server") {
      take_side(found.server, which, one.items[1], found.unused);
    } else if (which == "client") {
      take_side(found.client, which, one.items[1], found.unused);
    } else {
      found.unused.push_back(which);
    }
  }
  return found;
}

}  // namespace rollcall::app
