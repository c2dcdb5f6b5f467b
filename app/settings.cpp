#include "app/settings.hpp"

#include <charconv>

#include "cnode/atoms.hpp"

namespace rollcall::app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t longest_time_seconds = 30LL * 86'400;

std::optional<bool> boolean(const cnode::term& value) {
  if (value.is_atom("true")) return true;
  if (value.is_atom("false")) return false;
  return {};
}

std::optional<milliseconds> whole_seconds(const cnode::term& value) {
  const auto* number = value.as<std::int64_t>();
  if (number == nullptr || *number <= 0 || *number > longest_time_seconds) return {};
  return seconds(*number);
}

// A charlist or a binary, printable ASCII only.
std::optional<std::string> short_text(const cnode::term& value) {
  std::string text;
  if (const auto* bytes = value.as<cnode::binary>()) {
    text = bytes->data;
  } else if (const auto* items = value.as<cnode::list>(); items != nullptr && items->items.size() <= 64) {
    for (const auto& item : items->items) {
      const auto* c = item.as<std::int64_t>();
      if (c == nullptr || *c < 32 || *c > 126) return {};
      text.push_back(static_cast<char>(*c));
    }
  } else if (const auto* name = value.as<cnode::atom>()) {
    text = name->text;
  }
  if (text.empty() || text.size() > 64) return {};
  return text;
}

}  // namespace

std::optional<std::vector<node_name>> names_in(const cnode::term& answer) {
  const auto* names = answer.as<cnode::list>();
  if (names == nullptr || names->tail) return {};
  std::vector<node_name> found;
  found.reserve(names->items.size());
  for (const auto& item : names->items) {
    const auto* name = item.as<cnode::atom>();
    if (name == nullptr) continue;
    if (auto parsed = node_name::parse(name->text)) found.push_back(std::move(*parsed));
  }
  return found;
}

std::optional<name_list> names_in(cnode::byte_view encoded, std::string_view own) {
  const auto atoms = cnode::atoms_in(encoded);
  if (!atoms) return {};
  name_list found;
  found.reserve(encoded.size());  // an atom takes two bytes more than its text, or three
  for (const auto text : *atoms) {
    if (text != own) found.add(text);
  }
  return found;
}

bool says_stopping(const cnode::term& answer) {
  const auto* pair = answer.as<cnode::tuple>();
  return pair != nullptr && pair->items.size() == 2 && pair->items[0].is_atom("stopping");
}

void read_kernel_environment(membership::fact::settings& into, const cnode::term& all_env) {
  const auto* pairs = all_env.as<cnode::list>();
  if (pairs == nullptr) return;
  for (const auto& item : pairs->items) {
    const auto* pair = item.as<cnode::tuple>();
    if (pair == nullptr || pair->items.size() != 2) continue;
    const auto& [key, value] = std::tie(pair->items[0], pair->items[1]);
    if (key.is_atom("prevent_overlapping_partitions")) into.prevent_overlapping_partitions = boolean(value);
    if (key.is_atom("connect_all")) into.connect_all = boolean(value);
    if (key.is_atom("dist_auto_connect")) into.dist_auto_connect = short_text(value);
    if (key.is_atom("net_setuptime")) into.net_setuptime = whole_seconds(value);
    if (key.is_atom("net_ticktime") && !into.net_ticktime) into.net_ticktime = whole_seconds(value);
  }
}

void read_otp_release(membership::fact::settings& into, const cnode::term& answer) {
  if (auto text = short_text(answer)) into.otp_release = std::move(*text);
}

void read_net_ticktime(membership::fact::settings& into, const cnode::term& answer) {
  if (auto time = whole_seconds(answer)) into.net_ticktime = time;
  if (const auto* changing = answer.as<cnode::tuple>(); changing != nullptr && changing->items.size() == 2) {
    if (auto time = whole_seconds(changing->items[1]))
      into.net_ticktime = time;  // {ongoing_change_to, Seconds}
  }
}

void read_connect_all_flag(membership::fact::settings& into, const cnode::term& answer) {
  // {ok, [["false"]]}; the environment variable of the application wins.
  const auto* pair = answer.as<cnode::tuple>();
  if (into.connect_all || pair == nullptr || pair->items.size() != 2 || !pair->items[0].is_atom("ok")) return;
  const auto* uses = pair->items[1].as<cnode::list>();
  if (uses == nullptr || uses->items.empty()) return;
  const auto* words = uses->items.back().as<cnode::list>();
  if (words == nullptr || words->items.empty()) return;
  if (short_text(words->items.front()) == "false") into.connect_all = false;
}

void fill_defaults(membership::fact::settings& settings) {
  if (!settings.connect_all) settings.connect_all = true;
  int release = 0;
  const auto& text = settings.otp_release;
  std::from_chars(text.data(), text.data() + text.size(), release);
  if (release > 0 && !settings.prevent_overlapping_partitions) {
    settings.prevent_overlapping_partitions = release >= 25;
  }
}

}  // namespace rollcall::app
