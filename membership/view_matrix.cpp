// The bits of who sees which node, and their transpose, kept in step.
#include "membership/view_matrix.hpp"

namespace rollcall::membership {

void view_matrix::reorder(std::span<const std::size_t> previous) {
  const auto old_size = size_;
  const auto old_words = row_words_;
  const auto old = std::move(sees_);
  std::vector<std::size_t> moved_to(old_size, previous.size());
  for (std::size_t rank = 0; rank < previous.size(); ++rank) {
    if (previous[rank] < old_size) moved_to[previous[rank]] = rank;
  }
  size_ = previous.size();
  row_words_ = (size_ + word_bits - 1) / word_bits;
  count_ = 0;
  ++generation_;
  sees_.assign(size_ * row_words_, 0);
  seen_by_.assign(size_ * row_words_, 0);
  for (std::size_t from = 0; from < old_size; ++from) {
    if (moved_to[from] == previous.size()) continue;
    each_rank(std::span(old).subspan(from * old_words, old_words), [&](std::size_t to) {
      if (moved_to[to] != previous.size()) set(moved_to[from], moved_to[to]);
    });
  }
}

void view_matrix::set(std::size_t from, std::size_t to) {
  if (from == to || sees(from, to)) return;
  ++count_;
  ++generation_;
  sees_[from * row_words_ + to / word_bits] |= word{1} << (to % word_bits);
  seen_by_[to * row_words_ + from / word_bits] |= word{1} << (from % word_bits);
}

void view_matrix::unset(std::size_t from, std::size_t to) {
  if (!sees(from, to)) return;
  --count_;
  ++generation_;
  sees_[from * row_words_ + to / word_bits] &= ~(word{1} << (to % word_bits));
  seen_by_[to * row_words_ + from / word_bits] &= ~(word{1} << (from % word_bits));
}

bool view_matrix::replace(std::size_t rank, const rank_set& view) {
  bool changed = false;
  const auto self = word{1} << (rank % word_bits);
  for (std::size_t i = 0; i < row_words_; ++i) {
    auto& mine = sees_[rank * row_words_ + i];
    const auto wanted = i == rank / word_bits ? view.words()[i] & ~self : view.words()[i];
    for (auto differing = mine ^ wanted; differing != 0; differing &= differing - 1) {
      const auto to = i * word_bits + static_cast<std::size_t>(std::countr_zero(differing));
      seen_by_[to * row_words_ + rank / word_bits] ^= self;
      ((wanted >> (to % word_bits)) & 1U) != 0 ? ++count_ : --count_;
      changed = true;
    }
    mine = wanted;
  }
  if (changed) ++generation_;
  return changed;
}

view_matrix view_matrix::without(const view_matrix& pairs) const {
  auto rest = *this;
  ++rest.generation_;
  for (std::size_t i = 0; i < rest.sees_.size() && i < pairs.sees_.size(); ++i) {
    rest.count_ -= bits_in(rest.sees_[i] & pairs.sees_[i]);
    rest.sees_[i] &= ~pairs.sees_[i];
    rest.seen_by_[i] &= ~pairs.sees_[i];
  }
  return rest;
}

}  // namespace rollcall::membership
