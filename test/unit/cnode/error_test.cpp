// Every error has its own sentence.
#include "cnode/error.hpp"

#include <gtest/gtest.h>

#include <set>

namespace rollcall::cnode {
namespace {

TEST(Error, EveryValueHasItsOwnSentence) {
  std::set<std::string> sentences;
  const auto last = static_cast<int>(error::superseded);
  for (int value = 1; value <= last; ++value) {
    const auto sentence = make_error_code(static_cast<error>(value)).message();
    EXPECT_NE(sentence, "unknown cnode error") << value;
    EXPECT_TRUE(sentences.insert(sentence).second) << sentence;
  }
  EXPECT_EQ(make_error_code(static_cast<error>(last + 1)).message(), "unknown cnode error");
}

TEST(Error, IsComparableAndNamesItsCategory) {
  const boost::system::error_code code = error::cookie_refused;
  EXPECT_EQ(code, error::cookie_refused);
  EXPECT_NE(code, error::name_mismatch);
  EXPECT_STREQ(code.category().name(), "cnode");
  EXPECT_EQ(code.message(), "the cookies differ");
}

}  // namespace
}  // namespace rollcall::cnode
