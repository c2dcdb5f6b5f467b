// Terms as Erlang writes them, for people.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "cnode/term.hpp"
#include "cnode/term_tag.hpp"
#include "cnode/utf8.hpp"

namespace rollcall::cnode {
namespace {

// Stops early: what is beyond the limit is never formatted.
class printer {
 public:
  explicit printer(std::size_t limit) : limit_(limit) {}

  std::string finish() && {
    if (out_.size() <= limit_) return std::move(out_);
    auto cut = limit_;
    while (cut > 0 && (static_cast<std::uint8_t>(out_[cut]) & 0xc0) == 0x80) --cut;
    out_.resize(cut);
    return std::move(out_) + "...";
  }

  void print(const term& value) {
    if (full()) return;
    std::visit([this](const auto& v) { print(v); }, value.value());
  }

 private:
  bool full() const { return out_.size() > limit_; }

  void print(std::int64_t value) { fmt::format_to(std::back_inserter(out_), "{}", value); }

  void print(double value) {
    auto text = fmt::format("{}", value);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    out_ += text;
  }

  void print(const atom& value) {
    const auto plain = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
             c == '@';
    };
    const auto& text = value.text;
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z' && std::all_of(text.begin(), text.end(), plain)) {
      out_ += text;
    } else {
      quoted(text, '\'');
    }
  }

  void print(const binary& value) {
    out_ += "<<";
    const auto characters = utf8_characters(value.data);
    if (!value.data.empty() && characters && printable(value.data)) {
      quoted(value.data, '"');
      if (*characters != value.data.size()) out_ += "/utf8";
    } else {
      sequence(value.data, [this](char c) { print(std::int64_t{static_cast<std::uint8_t>(c)}); });
    }
    out_ += ">>";
  }

  void print(const pid& value) {
    fmt::format_to(std::back_inserter(out_), "<{}.{}.{}>", value.node, value.id, value.serial);
  }

  void print(const reference& value) {
    fmt::format_to(std::back_inserter(out_), "#Ref<{}", value.node);
    for (std::size_t i = value.length; i-- > 0;)
      fmt::format_to(std::back_inserter(out_), ".{}", value.ids[i]);
    out_ += '>';
  }

  void print(const tuple& value) {
    out_ += '{';
    sequence(value.items, [this](const term& item) { print(item); });
    out_ += '}';
  }

  void print(const list& value) {
    if (const auto text = text_of(value)) return quoted(*text, '"');
    out_ += '[';
    sequence(value.items, [this](const term& item) { print(item); });
    if (value.tail) {
      out_ += '|';
      print(*value.tail);
    }
    out_ += ']';
  }

  void print(const map& value) {
    out_ += "#{";
    sequence(value.items, [this](const auto& pair) {
      print(pair.first);
      out_ += " => ";
      print(pair.second);
    });
    out_ += '}';
  }

  void print(const opaque& value) {
    const auto tag = value.encoded.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(value.encoded[0]);
    const char* kind = "Term";
    switch (tag) {
      case term_tag::port:
      case term_tag::new_port:
      case term_tag::v4_port:
        kind = "Port";
        break;
      case term_tag::new_fun:
      case term_tag::export_fun:
        kind = "Fun";
        break;
      case term_tag::bit_binary:
        kind = "Bits";
        break;
      case term_tag::small_big:
      case term_tag::large_big:
        kind = "Integer";
        break;
      default:
        break;
    }
    fmt::format_to(std::back_inserter(out_), "#{}<{} bytes>", kind, value.encoded.size());
  }

  template <class Range, class Print>
  void sequence(const Range& items, Print print_one) {
    bool first = true;
    for (const auto& item : items) {
      if (full()) return;
      if (!first) out_ += ',';
      first = false;
      print_one(item);
    }
  }

  static bool printable(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
      return (static_cast<std::uint8_t>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7f;
    });
  }

  // A list of printable Latin-1 or ASCII characters is shown as the string it most likely is.
  static std::optional<std::string> text_of(const list& value) {
    if (value.items.empty() || value.tail) return std::nullopt;
    std::string text;
    for (const auto& item : value.items) {
      const auto* character = item.as<std::int64_t>();
      if (character == nullptr || *character < 0 || *character > 0x7e) return std::nullopt;
      text.push_back(static_cast<char>(*character));
    }
    if (!printable(text)) return std::nullopt;
    return text;
  }

  void quoted(std::string_view text, char quote) {
    out_ += quote;
    for (const char c : text) {
      if (full()) return;
      if (c == quote || c == '\\') {
        out_ += '\\';
        out_ += c;
      } else if (c == '\n') {
        out_ += "\\n";
      } else if (c == '\t') {
        out_ += "\\t";
      } else if (c == '\r') {
        out_ += "\\r";
      } else if (static_cast<std::uint8_t>(c) < 0x20 || c == 0x7f) {
        fmt::format_to(std::back_inserter(out_), "\\x{{{:x}}}", static_cast<std::uint8_t>(c));
      } else {
        out_ += c;
      }
    }
    out_ += quote;
  }

  std::size_t limit_;
  std::string out_;
};

}  // namespace

std::string to_string(const term& value, std::size_t limit) {
  printer out(limit);
  out.print(value);
  return std::move(out).finish();
}

}  // namespace rollcall::cnode
