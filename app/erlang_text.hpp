// Terms as people write them in a file for Erlang (file:consult/1): what options for TLS are made of.
// https://www.erlang.org/doc/apps/kernel/file.html#consult/1
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::app {

struct erlang_value {
  enum class kind { atom, number, text, list, tuple, map, other };  // text: a string or a binary
  kind is = kind::other;
  std::string text{};                 // of an atom, a number or a text; of `other` as it was written
  std::vector<erlang_value> items{};  // of a list or a tuple; of a map its keys and values in turn

  bool is_atom(std::string_view name) const { return is == kind::atom && text == name; }
};

// The first term of the file, up to its dot. Absent: `problem` is a phrase that says where, and nothing of
// what is written there.
std::optional<erlang_value> read_erlang_text(std::string_view file, std::string& problem);

}  // namespace rollcall::app
