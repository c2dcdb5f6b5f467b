// The challenges of this program's handshakes. A stranger can hand a challenge that we sent on one connection
// back to us as its own on another, and use the digest we answer with where we asked for it: a peer that
// sends one of ours gets no digest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace rollcall::cnode {

namespace detail {
struct known_challenges;
}

// One of ours, for one handshake. It is outstanding until this goes, and remembered for a while after that.
class challenge {
 public:
  // Known to nobody else: for a handshake that is the only one there is.
  explicit challenge(std::uint32_t fixed);
  ~challenge();
  challenge(challenge&&) noexcept = default;
  challenge& operator=(challenge&&) = delete;

  std::uint32_t value() const noexcept { return value_; }
  // Whether `theirs` is this one, or another of ours that is outstanding or was lately.
  bool is_ours(std::uint32_t theirs) const;
  // A peer that has shown nothing yet is given the digest of `theirs`: it never becomes a challenge of ours.
  void will_be_answered(std::uint32_t theirs) const;

 private:
  friend class challenges;
  challenge(std::uint32_t value, std::shared_ptr<detail::known_challenges> all);

  std::uint32_t value_;
  std::shared_ptr<detail::known_challenges> all_;
};

// Shared by all nodes of one program that hold the same cookie.
class challenges {
 public:
  static constexpr std::size_t max_past = 4096, max_answered = 16'384;

  challenges();
  // With numbers of the caller's choice in place of random ones.
  explicit challenges(std::function<std::uint32_t()> random);
  // Random, and never one that is outstanding, was lately, or was answered for a peer.
  challenge issue();
  std::size_t outstanding() const noexcept;

 private:
  std::function<std::uint32_t()> random_;
  std::shared_ptr<detail::known_challenges> all_;
};

}  // namespace rollcall::cnode
