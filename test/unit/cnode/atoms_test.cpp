// A list of names read without a tree of terms.
#include "cnode/atoms.hpp"

#include <gtest/gtest.h>

#include "cnode/term_check.hpp"

namespace {

using namespace rollcall::cnode;
using texts = std::vector<byte_view>;

std::optional<texts> read(const term_writer& written) {
  const auto bytes = written.view();
  EXPECT_EQ(check_term(bytes).value(), bytes.size());
  return atoms_in(bytes);
}

TEST(Atoms, OfAList) {
  term_writer out;
  out.list_header(2).atom("a@b").atom("c@d").nil();
  EXPECT_EQ(read(out), (texts{"a@b", "c@d"}));
  term_writer none;
  none.nil();
  EXPECT_EQ(read(none), texts{});
}

TEST(Atoms, OthersArePassedOver) {
  term_writer out;
  out.list_header(4).integer(7).atom("a@b").tuple_header(1).atom("inside").atom("c@d").nil();
  EXPECT_EQ(read(out), (texts{"a@b", "c@d"}));
  term_writer text;
  text.text("no atoms");
  EXPECT_EQ(read(text), texts{});
}

TEST(Atoms, AListAsTailIsTheSameList) {
  term_writer out;
  out.list_header(1).atom("a@b").list_header(1).atom("c@d").nil();
  EXPECT_EQ(read(out), (texts{"a@b", "c@d"}));
}

TEST(Atoms, WhatIsNoProperListHasNone) {
  term_writer atom;
  atom.atom("a@b");
  EXPECT_EQ(read(atom), std::nullopt);
  term_writer improper;
  improper.list_header(1).atom("a@b").atom("c@d");
  EXPECT_EQ(read(improper), std::nullopt);
}

TEST(Atoms, ATermThatIsCutShortHasNone) {
  term_writer out;
  out.list_header(2).atom("a@b").atom("c@d").nil();
  const auto bytes = out.bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(atoms_in(byte_view(bytes).substr(0, size)), std::nullopt) << size;
  }
}

}  // namespace
