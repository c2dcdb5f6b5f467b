#include "node_name/node_name.hpp"

#include <algorithm>
#include <array>
#include <ostream>

namespace rollcall {
namespace {

class category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "node_name"; }
  std::string message(int value) const override {
    switch (static_cast<node_name_error>(value)) {
      case node_name_error::empty:
        return "a node name is empty";
      case node_name_error::no_at_sign:
        return "a node name has the form NAME@HOST, and this has no '@'";
      case node_name_error::empty_alive:
        return "nothing stands before the '@' of the node name";
      case node_name_error::empty_host:
        return "nothing stands after the '@' of the node name";
      case node_name_error::second_at_sign:
        return "a node name has one '@', and this has more";
      case node_name_error::bad_character:
        return "a node name holds letters, digits and _ - . : [ ] % only";
      case node_name_error::too_long:
        return "a node name is at most 255 characters long";
    }
    return "unknown node name error";
  }
};

constexpr auto allowed_characters = [] {
  std::array<bool, 256> allowed{};
  constexpr std::string_view all = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:[]%";
  for (const char c : all) allowed[static_cast<unsigned char>(c)] = true;
  return allowed;
}();

bool allowed(char c) {
  return allowed_characters[static_cast<unsigned char>(c)];
}

}  // namespace

const boost::system::error_category& node_name_category() noexcept {
  static const category instance;
  return instance;
}

boost::system::error_code make_error_code(node_name_error error) noexcept {
  return {static_cast<int>(error), node_name_category()};
}

boost::system::result<node_name> node_name::parse(std::string_view text) {
  if (text.empty()) return node_name_error::empty;
  const auto at = text.find('@');
  if (at == std::string_view::npos) return node_name_error::no_at_sign;
  return make(text.substr(0, at), text.substr(at + 1));
}

boost::system::result<node_name> node_name::make(std::string_view alive, std::string_view host) {
  if (alive.empty()) return node_name_error::empty_alive;
  if (host.empty()) return node_name_error::empty_host;
  if (alive.find('@') != std::string_view::npos || host.find('@') != std::string_view::npos) {
    return node_name_error::second_at_sign;
  }
  if (alive.size() + 1 + host.size() > max_length) return node_name_error::too_long;
  if (!std::ranges::all_of(alive, allowed) || !std::ranges::all_of(host, allowed)) {
    return node_name_error::bad_character;
  }
  std::string text;
  text.reserve(alive.size() + 1 + host.size());
  text.append(alive).append(1, '@').append(host);
  return node_name(std::move(text), alive.size());
}

name_kind node_name::kind() const noexcept {
  return host().find_first_of(".:") == std::string_view::npos ? name_kind::short_name : name_kind::long_name;
}

std::ostream& operator<<(std::ostream& out, const node_name& name) {
  return out << name.text_;
}

}  // namespace rollcall
