#include "cnode/message_reader.hpp"

#include "cnode/term_check.hpp"
#include "cnode/term_tag.hpp"

namespace rollcall::cnode {
namespace {

// What an entry of the map takes besides what it holds, about.
constexpr std::size_t sequence_size = 192;
// What was needed for one message is given back, unless it is as small as this.
constexpr std::size_t largest_resting = 4096;

bool is_more_than_is_read(boost::system::error_code code) {
  return code == error::too_many_terms || code == error::too_deep || code == error::atom_too_long ||
         code == error::frame_too_large;
}

}  // namespace

std::size_t message_reader::footprint() const noexcept {
  auto sum = cache_.footprint() + plain_.capacity() + atoms_.footprint();
  for (const auto& [id, each] : sequences_) {
    sum += sequence_size + each.kept.capacity() + each.atoms.footprint();
  }
  return sum;
}

void message_reader::rest() {
  if (plain_.capacity() > largest_resting) byte_string().swap(plain_);
  if (atoms_.footprint() > largest_resting) atoms_ = {};
}

result<std::optional<message>> message_reader::take(byte_view kept, std::size_t size, reasons reasons) {
  atoms_.clear();
  const auto part = read_distribution_header(kept, cache_, atoms_);
  if (!part) return part.error();
  const auto beyond = size - kept.size();
  if (part->kind != frame_part::kind::whole) {
    return take_fragment(*part, beyond, std::exchange(atoms_, {}), reasons);
  }
  auto said = read(part->bytes, part->bytes.size() + beyond, atoms_, reasons);
  if (!said) return said.error();
  return std::optional(*std::move(said));
}

result<std::optional<message>> message_reader::take_fragment(const frame_part& part, std::size_t beyond,
                                                             atom_table&& atoms, reasons reasons) {
  if (!fragments_) return error::bad_fragment;
  auto found = sequences_.find(part.sequence);
  if (part.kind == frame_part::kind::first) {
    if (found != sequences_.end() || sequences_.size() >= max_open_sequences) return error::bad_fragment;
    found = sequences_.emplace(part.sequence, sequence{part.number, 0, {}, std::move(atoms)}).first;
  } else if (found == sequences_.end() || found->second.next != part.number) {
    return error::bad_fragment;
  }
  auto& open = found->second;
  if (open.size + part.bytes.size() + beyond > max_skipped_frame_size) return error::bad_fragment;
  const bool cut = open.kept.size() < open.size;
  open.size += part.bytes.size() + beyond;
  if (!cut) open.kept.append(part.bytes);
  if (open.size > max_frame_size && open.kept.size() > skipped_frame_head) {
    open.kept = byte_string(open.kept, 0, skipped_frame_head);
  }
  if (--open.next > 0) return std::nullopt;

  const auto complete = std::move(sequences_.extract(found).mapped());
  auto said = read(complete.kept, complete.size, complete.atoms, reasons);
  if (!said) return said.error();
  return std::optional(*std::move(said));
}

// The bytes have no header any more. What was walked to write its atoms out is what check_term accepts.
result<message> message_reader::read(byte_view kept, std::size_t size, const atom_table& atoms,
                                     reasons reasons) {
  const bool whole = kept.size() == size;
  plain_.assign({pass_through, term_tag::version});
  const auto head = [&]() -> result<message> {
    auto said = parse_head(plain_);
    if (!said && !whole && said.error() != error::frame_too_large) return error::unknown_control;
    return said;
  };
  const auto control = write_out_term(kept, atoms, plain_, max_frame_size);
  if (!control) return whole ? result<message>(control.error()) : head();
  const auto control_end = plain_.size();
  const auto rest = kept.substr(*control);
  if (!rest.empty()) {
    plain_.push_back(term_tag::version);
    const auto payload = write_out_term(rest, atoms, plain_, max_frame_size);
    if (!payload && is_more_than_is_read(payload.error())) return head();
    if (!payload && whole) return payload.error();
    if (payload && whole && *payload != rest.size()) return error::trailing_bytes;
  }
  if (!whole) return head();
  constexpr std::size_t control_at = 2;
  const auto plain = byte_view(plain_);
  return parse_checked(plain.substr(control_at, control_end - control_at),
                       rest.empty() ? byte_view() : plain.substr(control_end + 1), reasons);
}

}  // namespace rollcall::cnode
