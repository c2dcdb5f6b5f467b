// Who sees which node, as bits: row i holds what i's view says, and its transpose who says so of i. Indices
// are ranks. Whole rows are compared by words, so that a thousand members cost a few thousand operations.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace rollcall::membership {

using word = std::uint64_t;
inline constexpr std::size_t word_bits = 64;

// By arithmetic: std::popcount is a call into libgcc's tables for a processor that need not have the
// instruction.
constexpr std::size_t bits_in(word w) noexcept {
  if (w == 0) return 0;
  w -= (w >> 1U) & 0x5555555555555555U;
  w = (w & 0x3333333333333333U) + ((w >> 2U) & 0x3333333333333333U);
  w = (w + (w >> 4U)) & 0x0f0f0f0f0f0f0f0fU;
  return (w * 0x0101010101010101U) >> 56U;
}

// A set of ranks.
class rank_set {
 public:
  rank_set() = default;
  explicit rank_set(std::size_t size) : words_((size + word_bits - 1) / word_bits) {}

  void insert(std::size_t rank) { words_[rank / word_bits] |= word{1} << (rank % word_bits); }
  void erase(std::size_t rank) { words_[rank / word_bits] &= ~(word{1} << (rank % word_bits)); }
  bool contains(std::size_t rank) const {
    return ((words_[rank / word_bits] >> (rank % word_bits)) & 1U) != 0;
  }
  std::size_t count() const {
    std::size_t sum = 0;
    for (const auto w : words_) sum += bits_in(w);
    return sum;
  }
  std::span<const word> words() const { return words_; }
  std::span<word> words() { return words_; }
  bool operator==(const rank_set&) const = default;

 private:
  std::vector<word> words_;
};

// Calls `f(rank)` for each bit set.
template <class F>
void each_rank(std::span<const word> words, F&& f) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (auto w = words[i]; w != 0; w &= w - 1) {
      f(i * word_bits + static_cast<std::size_t>(std::countr_zero(w)));
    }
  }
}

class view_matrix {
 public:
  std::size_t size() const noexcept { return size_; }
  std::size_t row_words() const noexcept { return row_words_; }

  // Ranks changed: `previous[new rank]` is the old rank, or greater than any for a new member.
  void reorder(std::span<const std::size_t> previous);

  std::span<const word> sees(std::size_t rank) const { return row(sees_, rank); }
  std::span<const word> seen_by(std::size_t rank) const { return row(seen_by_, rank); }
  bool sees(std::size_t from, std::size_t to) const {
    return ((sees_[from * row_words_ + to / word_bits] >> (to % word_bits)) & 1U) != 0;
  }

  // By one of them at least.
  bool linked(std::size_t a, std::size_t b) const { return sees(a, b) || sees(b, a); }

  // Returns whether anything changed. The bit for the member itself is ignored.
  bool replace(std::size_t rank, const rank_set& view);
  void clear(std::size_t rank) { replace(rank, rank_set(size_)); }
  void set(std::size_t from, std::size_t to);
  void unset(std::size_t from, std::size_t to);

  bool any() const noexcept { return count_ != 0; }
  // Another number after each change: what was made of this matrix at the same number still holds.
  std::uint64_t generation() const noexcept { return generation_; }
  // These bits without those of `pairs`, which has the same size and is symmetric.
  view_matrix without(const view_matrix& pairs) const;

  const std::vector<word>& bits() const noexcept { return sees_; }

 private:
  std::span<const word> row(const std::vector<word>& of, std::size_t rank) const {
    return std::span(of).subspan(rank * row_words_, row_words_);
  }

  std::size_t size_ = 0, row_words_ = 0;
  std::size_t count_ = 0;  // bits set
  std::uint64_t generation_ = 0;
  std::vector<word> sees_, seen_by_;
};

// Equal as long as neither the views nor what is suspected has changed.
class link_generations {
 public:
  link_generations(const view_matrix& views, const view_matrix& suspected)
      : views_(views.generation()), suspected_(suspected.generation()) {}
  bool operator==(const link_generations&) const = default;

 private:
  std::uint64_t views_, suspected_;
};

}  // namespace rollcall::membership
