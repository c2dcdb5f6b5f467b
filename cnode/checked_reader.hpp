// Reads what check_term has accepted, value after value: what every message has, here; the rest by
// erl_interface. Once the next value was of another kind than asked for (bad_term), or the budget was spent
// (too_many_terms), it stays failed() and gives empty values, so that a caller may check at the end.
#pragma once

#include <optional>

#include "cnode/term.hpp"

namespace rollcall::cnode {

class checked_reader {
 public:
  // `budget` bounds how many terms term() builds, all calls together.
  explicit checked_reader(byte_view checked, std::size_t budget = max_decoded_terms);

  bool failed() const noexcept { return error_.has_value(); }
  cnode::error error() const noexcept { return *error_; }  // once failed()
  bool at_end() const noexcept { return static_cast<std::size_t>(index_) >= bytes_.size(); }
  std::size_t position() const noexcept { return static_cast<std::size_t>(index_); }
  // False at the end, and once failed().
  bool at_atom() const noexcept;
  bool at_pid() const noexcept;
  bool at_tuple() const noexcept;
  bool at_list() const noexcept;  // one that is not empty, and none written as text
  bool at_reference() const noexcept;
  bool at_integer() const noexcept;  // of 64 bits

  std::size_t tuple_header();
  std::size_t list_header();  // that many elements follow, and a tail
  std::int64_t integer();
  std::uint64_t unsigned_integer();
  cnode::atom atom();
  // Whether it is that one; past it only then.
  bool take_atom(std::string_view text);
  bool take_reference(const cnode::reference&);
  // The text of one as nodes write their names, in place; absent, and not past it: written otherwise.
  std::optional<byte_view> take_short_atom();
  cnode::pid pid();
  cnode::reference reference();
  cnode::term term();
  byte_view skip();  // the bytes of the next term, whatever it is
  byte_view rest();  // the same where it is the last one: nothing is walked through

 private:
  // Whether it may go on; `holds` is what has to be true for that.
  bool require(bool holds);
  std::uint8_t tag() const noexcept;                         // 0, which is none, at the end and once failed()
  std::optional<std::uint8_t> second_byte() const noexcept;  // behind the tag; absent where none is left
  byte_view here() const noexcept { return bytes_.substr(static_cast<std::size_t>(index_)); }
  bool spend(std::size_t terms);
  cnode::term spent_term();
  void elements(std::vector<cnode::term>& out, std::size_t count);
  cnode::term list();
  cnode::term map();
  cnode::term number();
  cnode::term big();

  byte_view bytes_;
  int index_ = 0;
  std::size_t budget_;
  std::optional<cnode::error> error_;
};

}  // namespace rollcall::cnode
