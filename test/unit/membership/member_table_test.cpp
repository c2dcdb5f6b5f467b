#include "membership/member_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace rollcall::membership {
namespace {

// In step with a std::map: members come and go for so long that their ids wrap around the table many times,
// and those that stay lie in the way of later ones.
TEST(MemberTable, FindsThoseThatAreThereByTheirIds) {
  std::mt19937 dice(20'262);
  member_table table;
  std::map<std::uint32_t, member_record*> slow;
  std::uint32_t last = 0;
  for (int round = 0; round < 4'000; ++round) {
    if (slow.size() < 5 || (dice() % 2 == 0 && slow.size() < 40)) {
      auto& m = table.add(*node_name::parse("n" + std::to_string(round) + "@host.example"));
      last = m.id;
      slow.emplace(m.id, &m);
    } else {
      const auto goes = std::next(slow.begin(), static_cast<std::ptrdiff_t>(dice() % slow.size()));
      table.remove(*goes->second);
      slow.erase(goes);
    }
    if (dice() % 3 == 0) table.settle();
    if (round % 50 != 0) continue;
    for (std::uint32_t id = 0; id <= last + 1; ++id) {
      const auto known = slow.find(id);
      ASSERT_EQ(table.find(id), known != slow.end() ? known->second : nullptr) << id;
    }
  }
}

}  // namespace
}  // namespace rollcall::membership
