#include "cnode/atoms.hpp"

#include <algorithm>

#include "cnode/byte_reader.hpp"
#include "cnode/term_check.hpp"
#include "cnode/term_tag.hpp"

namespace rollcall::cnode {

namespace {
constexpr std::size_t least_atom = 3;  // bytes of one with a single character
}

std::optional<std::vector<byte_view>> atoms_in(byte_view checked) {
  std::vector<byte_view> found;
  byte_reader in(checked);
  while (true) {
    const auto here = checked.substr(in.position());
    const auto kind = in.u8();
    if (kind == term_tag::nil) break;
    if (kind == term_tag::string) return in.take(in.u16()), found;
    if (kind != term_tag::list) return {};
    const auto count = in.u32();
    if (found.empty()) found.reserve(std::min<std::size_t>(count, here.size() / least_atom));
    for (std::uint32_t i = 0; i < count && !in.failed(); ++i) {
      const auto item = checked.substr(in.position());
      const auto tag = in.u8();
      if (tag == term_tag::small_atom_utf8 || tag == term_tag::atom_utf8) {
        found.push_back(in.take(tag == term_tag::atom_utf8 ? in.u16() : in.u8()));
      } else {
        const auto length = check_term(item);
        if (!length) return {};
        in.take(*length - 1);
      }
    }
  }
  if (in.failed() || in.left() != 0) return {};
  return found;
}

}  // namespace rollcall::cnode
