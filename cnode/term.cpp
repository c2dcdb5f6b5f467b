#include "cnode/term.hpp"

namespace rollcall::cnode {

bool operator==(const tuple& a, const tuple& b) {
  return a.items == b.items;
}

bool operator==(const list& a, const list& b) {
  if (a.items != b.items || (a.tail == nullptr) != (b.tail == nullptr)) return false;
  return a.tail == nullptr || *a.tail == *b.tail;
}

bool operator==(const map& a, const map& b) {
  return a.items == b.items;
}

}  // namespace rollcall::cnode
