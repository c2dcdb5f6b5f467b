#include "cnode/long_message.hpp"

#include <stdexcept>

#include "cnode/byte_reader.hpp"
#include "cnode/term_tag.hpp"

namespace rollcall::cnode {
namespace {

constexpr std::size_t prefix = 4;
constexpr char whole_message = 68, first_fragment = 69, later_fragment = 70;

void fill_in_length(byte_string& to, std::size_t at, std::size_t behind = 0) {
  byte_string length;
  put_number(length, to.size() - at - prefix + behind, prefix);
  to.replace(at, prefix, length);
}

}  // namespace

long_writing::long_writing(long_message message, message_writer* headers,
                           std::optional<std::uint64_t> sequence)
    : message_(std::move(message)),
      headers_(headers),
      sequence_(headers != nullptr ? sequence : std::nullopt),
      atoms_(message_.value->atoms),
      counting_(!in_fragments()) {
  if (headers_ == nullptr || !headers_->cached()) return;
  std::vector<bool> taken(atom_cache::slots);
  for (auto& each : atoms_) {
    if (referred_.size() == max_referred_atoms) break;
    const auto slot = slot_of(each);
    if (taken[slot]) continue;
    taken[slot] = true;
    const auto number = static_cast<char>(referred_.size());
    referred_.push_back({slot, each});
    each = {static_cast<char>(term_tag::atom_reference), number};
  }
}

std::size_t long_writing::footprint() const noexcept {
  constexpr std::size_t an_atom = 64;
  return message_.control.capacity() + message_.payload.capacity() +
         (atoms_.size() + referred_.size()) * an_atom;
}

void long_writing::turn(byte_string& to) {
  if (counting_) {
    byte_string piece;
    message_.value->append(next_, atoms_, piece);
    size_ += piece.size();
    if (size_ > UINT32_MAX / 2) throw std::length_error("an answer of more than a frame can have");
    counting_ = ++next_ < message_.value->pieces;
    if (!counting_) next_ = 0;
    return;
  }
  if (in_fragments()) {
    append_fragment(to);
  } else {
    if (next_ == 0) begin(to);
    message_.value->append(next_, atoms_, to);
  }
  ++next_;
}

// All that stands before the first piece.
void long_writing::begin(byte_string& to) {
  const auto at = to.size();
  to.append(prefix, '\0');
  if (headers_ != nullptr) {
    to.append({term_tag::version, whole_message});
    headers_->append_atoms(to, referred_);
    to.append(message_.control).append(message_.payload);
  } else {
    to.append({pass_through, term_tag::version}).append(message_.control);
    if (!message_.payload.empty()) to.append({term_tag::version}).append(message_.payload);
  }
  fill_in_length(to, at, size_);
}

void long_writing::append_fragment(byte_string& to) {
  const auto at = to.size();
  to.append(prefix, '\0');
  to.append({term_tag::version, next_ == 0 ? first_fragment : later_fragment});
  put_number(to, *sequence_, 8);
  put_number(to, message_.value->pieces - next_, 8);
  if (next_ == 0) {
    headers_->append_atoms(to, referred_);
    to.append(message_.control).append(message_.payload);
  }
  message_.value->append(next_, atoms_, to);
  fill_in_length(to, at);
}

}  // namespace rollcall::cnode
