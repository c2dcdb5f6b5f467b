// The frames in what comes over a link, however it is cut.
#include "cnode/frame_reader.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <vector>

#include "cnode/byte_reader.hpp"

namespace rollcall::cnode {
namespace {

struct seen {
  std::string bytes;
  std::size_t size;
  friend bool operator==(const seen&, const seen&) = default;
  friend std::ostream& operator<<(std::ostream& out, const seen& one) {
    return out << '"' << one.bytes.substr(0, 20) << "\" of " << one.size;
  }
};

std::string frame(std::string_view bytes) {
  byte_string made;
  put_number(made, bytes.size(), 4);
  return made.append(bytes);
}

std::string length(std::size_t size) {
  byte_string made;
  put_number(made, size, 4);
  return made;
}

struct FramesOfALink : testing::Test {
  static constexpr std::size_t kept = 8;
  frame_reader frames{kept};
  std::vector<seen> all;

  // As many as are whole, at most `most`.
  void take(std::string come, std::size_t most = SIZE_MAX) {
    frames.add(come);
    for (; most > 0; --most) {
      const auto next = frames.next();
      ASSERT_TRUE(next) << next.error().message();
      if (!*next) break;
      all.push_back({std::string((*next)->bytes), (*next)->size});
      EXPECT_EQ((*next)->whole(), (*next)->bytes.size() == (*next)->size);
    }
    frames.keep();
    come.assign(come.size(), '?');  // nothing looks at it any more
  }
};

TEST_F(FramesOfALink, GivesTheSameWhereverWhatComesIsCut) {
  const auto stream = frame("one") + frame("") + frame("three") + frame("") + frame("five");
  const std::vector<seen> expected{{"one", 3}, {"", 0}, {"three", 5}, {"", 0}, {"five", 4}};
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    for (std::size_t second = first; second <= stream.size(); ++second) {
      frames = frame_reader(kept);
      all.clear();
      take(stream.substr(0, first));
      take(stream.substr(first, second - first));
      take(stream.substr(second));
      EXPECT_EQ(all, expected) << first << ", " << second;
      EXPECT_LT(frames.footprint(), 64U) << "nothing is kept of what is whole";
    }
  }
}

TEST_F(FramesOfALink, KeepsWhatWasNotAskedForUntilLater) {
  take(frame("one") + frame("two") + frame("three") + frame("half").substr(0, 6), 1);
  EXPECT_EQ(all, (std::vector<seen>{{"one", 3}}));
  take("", 1);
  EXPECT_EQ(all.back(), (seen{"two", 3}));
  take(frame("half").substr(6));
  EXPECT_EQ(all, (std::vector<seen>{{"one", 3}, {"two", 3}, {"three", 5}, {"half", 4}}));
}

TEST_F(FramesOfALink, HoldsWhatCameNotWhatWasAnnounced) {
  take(length(max_frame_size) + "little");
  EXPECT_TRUE(all.empty());
  EXPECT_LT(frames.footprint(), 1'000U);
}

TEST_F(FramesOfALink, RejectsALengthAboveTheLimit) {
  const auto come = length(max_skipped_frame_size + 1);
  frames.add(come);
  const auto next = frames.next();
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error(), error::frame_too_large);
}

TEST_F(FramesOfALink, ReadsPastATooLargeFrameAndKeepsItsHead) {
  const auto size = max_frame_size + 1;
  const std::string some(100'000, 'x');
  take(frame("before") + length(size) + "begi");
  take("nning");
  auto left = size - 9;
  while (left > some.size()) {
    take(some);
    left -= some.size();
    ASSERT_LT(frames.footprint(), 1'000U);
  }
  EXPECT_EQ(all, (std::vector<seen>{{"before", 6}}));
  take(some.substr(0, left) + frame("after"));
  EXPECT_EQ(all, (std::vector<seen>{{"before", 6}, {"beginnin", size}, {"after", 5}}));
}

}  // namespace
}  // namespace rollcall::cnode
