// Which members are not to be linked to each other: those of different meshes, and releases that refuse each
// other. Such a pair is never asked for, and is missing nowhere.
#pragma once

#include <charconv>

#include "membership/member_table.hpp"
#include "membership/view_matrix.hpp"

namespace rollcall::membership {

// OTP 26 and later refuse a peer whose handshake lacks V4_NC or UNLINK_ID (erts, dist.h): OTP 23.
inline bool insists(const member_record& m) {
  constexpr unsigned from_release = 26;
  unsigned release = 0;
  if (m.otp_release) {
    std::from_chars(m.otp_release->data(), m.otp_release->data() + m.otp_release->size(), release);
  }
  return release >= from_release;
}

inline bool refuse_each_other(const member_record& a, const member_record& b) {
  return (a.old_protocol && insists(b)) || (b.old_protocol && insists(a));
}
inline bool incompatible(const member_record& a, const member_record& b) {
  return a.mesh != b.mesh || refuse_each_other(a, b);
}

// Members that `who` holds for, and of those that each could be linked to, a word at a time.
class compatible_sets {
 public:
  template <class Predicate>
  compatible_sets(const member_table& members, Predicate&& who)
      : of_mesh_(members.meshes(), rank_set(members.size())),
        any_(members.size()),
        old_(members.size()),
        insisting_(members.size()) {
    for (const auto& m : members.all()) {
      if (!who(*m)) continue;
      of_mesh_[m->mesh].insert(m->rank);
      any_.insert(m->rank);
      ++count_;
      if (m->old_protocol) old_.insert(m->rank);
      if (insists(*m)) insisting_.insert(m->rank);
    }
  }
  // Then all it says of its members is equal as well.
  bool operator==(const compatible_sets&) const = default;
  std::size_t count() const noexcept { return count_; }
  word any(std::size_t index) const { return any_.words()[index]; }
  // Without itself.
  word partners(const member_record& m, std::size_t index) const {
    auto bits = of_mesh_[m.mesh].words()[index];
    if (m.old_protocol) bits &= ~insisting_.words()[index];
    if (!old_.words().empty() && old_.words()[index] != 0 && insists(m)) bits &= ~old_.words()[index];
    if (index == m.rank / word_bits) bits &= ~(word{1} << (m.rank % word_bits));
    return bits;
  }

 private:
  std::vector<rank_set> of_mesh_;
  rank_set any_, old_, insisting_;
  std::size_t count_ = 0;
};

// What is counted or found of links between such members: the same where this is equal.
struct link_basis {
  link_generations links;
  compatible_sets between;
  bool operator==(const link_basis&) const = default;
};

}  // namespace rollcall::membership
