#include "http/pieces.hpp"

namespace rollcall::http {
namespace {

// Rows of pairs: of a thousand members 64,000 pairs at most, an eighth of all.
constexpr int most_pieces = 64;

}  // namespace

bool append_pieces(const answer& of, std::string& out, std::size_t size) {
  const auto most = out.size() + size;
  for (int made = 0; made < most_pieces; ++made) {
    if (!of.next(out)) return false;
    if (of.held || out.size() >= most) break;
  }
  return true;
}

}  // namespace rollcall::http
