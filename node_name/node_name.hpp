// A node's name, parsed once: `alive@host`, the only thing every module shares.
// Limits and the rule for the two kinds are those of OTP's net_kernel (create_name, split_node).
#pragma once

#include <boost/system/result.hpp>
#include <compare>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

namespace rollcall {

// How a node was started. Two nodes of different kinds can never connect to each other.
enum class name_kind {
  short_name,  // `-sname`: no dot and no colon in the host
  long_name,   // `-name`: a domain or an address as host
};

enum class node_name_error {
  empty = 1,
  no_at_sign,
  empty_alive,
  empty_host,
  second_at_sign,
  bad_character,
  too_long,
};

const boost::system::error_category& node_name_category() noexcept;
boost::system::error_code make_error_code(node_name_error) noexcept;

class node_name {
 public:
  // An atom holds at most 255 characters; a name is never longer than that in bytes here.
  static constexpr std::size_t max_length = 255;

  // Letters, digits and `_ - . : [ ] %` are allowed in both parts (what epmd and DNS can carry); everything
  // else, white space and control characters above all, is `bad_character`.
  static boost::system::result<node_name> parse(std::string_view text);
  static boost::system::result<node_name> make(std::string_view alive, std::string_view host);

  const std::string& text() const noexcept { return text_; }
  std::string_view alive() const noexcept { return std::string_view(text_).substr(0, at_); }
  std::string_view host() const noexcept { return std::string_view(text_).substr(at_ + 1); }
  name_kind kind() const noexcept;

  friend bool operator==(const node_name& a, const node_name& b) noexcept { return a.text_ == b.text_; }
  friend std::strong_ordering operator<=>(const node_name& a, const node_name& b) noexcept {
    return a.text_ <=> b.text_;
  }
  friend std::ostream& operator<<(std::ostream&, const node_name&);

 private:
  node_name(std::string text, std::size_t at) : text_(std::move(text)), at_(at) {}
  std::string text_;
  std::size_t at_;
};

}  // namespace rollcall

template <>
struct std::hash<rollcall::node_name> {
  std::size_t operator()(const rollcall::node_name& name) const noexcept {
    return std::hash<std::string>{}(name.text());
  }
};

template <>
struct boost::system::is_error_code_enum<rollcall::node_name_error> : std::true_type {};
