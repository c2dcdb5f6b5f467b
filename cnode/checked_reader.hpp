// Reads what check_term has accepted, value after value, by erl_interface. Throws system_error(bad_term) when
// the next value is of another kind than asked for, and system_error(too_many_terms) when the budget is
// spent.
#pragma once

#include "cnode/term.hpp"

namespace rollcall::cnode {

class checked_reader {
 public:
  // `budget` bounds how many terms term() builds, all calls together.
  explicit checked_reader(byte_view checked, std::size_t budget = max_decoded_terms);

  bool at_end() const noexcept { return static_cast<std::size_t>(index_) >= bytes_.size(); }
  std::size_t position() const noexcept { return static_cast<std::size_t>(index_); }
  bool at_atom() const;
  bool at_pid() const;
  bool at_tuple() const;
  bool at_reference() const;

  std::size_t tuple_header();
  std::int64_t integer();
  std::uint64_t unsigned_integer();
  cnode::atom atom();
  cnode::pid pid();
  cnode::reference reference();
  cnode::term term();
  byte_view skip();  // the bytes of the next term, whatever it is

 private:
  std::uint8_t tag() const;
  bool fits_64_bits() const;
  void spend(std::size_t terms);
  cnode::term spent_term();
  void elements(std::vector<cnode::term>& out, std::size_t count);
  cnode::term list();
  cnode::term big();

  byte_view bytes_;
  int index_ = 0;
  std::size_t budget_;
};

}  // namespace rollcall::cnode
