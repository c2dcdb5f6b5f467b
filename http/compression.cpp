#include "http/compression.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <memory>
#include <new>
#include <optional>

#include "http/pieces.hpp"

namespace rollcall::http {

namespace {

constexpr std::size_t slice_size = 64U << 10;
// A window of 8 KiB: names repeat within less. A stream takes 2^(13+2) + 2^(7+9) bytes (zconf.h), 96 KiB,
// and its own tables; zlib's defaults take 256 KiB.
constexpr int window_bits = 13, memory_level = 7, with_gzip_header = 16;
constexpr std::size_t stream_size =
    (std::size_t{1} << (window_bits + 2)) + (std::size_t{1} << (memory_level + 9)) + 8'192;

class gzip {
 public:
  gzip() {
    if (::deflateInit2(&stream_, Z_BEST_SPEED, Z_DEFLATED, window_bits + with_gzip_header, memory_level,
                       Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~gzip() { ::deflateEnd(&stream_); }
  gzip(const gzip&) = delete;
  gzip& operator=(const gzip&) = delete;

  void add(std::string_view bytes, bool last, std::string& out) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib does not write there
    stream_.avail_in = static_cast<uInt>(bytes.size());
    std::array<char, 16U << 10> room;
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(room.data());
      stream_.avail_out = static_cast<uInt>(room.size());
      ::deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
      out.append(room.data(), room.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

 private:
  z_stream stream_{};
};

// An answer on its way through gzip.
struct passage {
  explicit passage(answer a) : from(std::move(a)) {}

  bool next(std::string& out) {
    if (from.next) {
      slice.clear();
      const bool more = append_pieces(from, slice, slice_size);
      to.add(slice, !more, out);
      return more;
    }
    const auto size = std::min(slice_size, from.body.size() - done);
    const bool last = done + size == from.body.size();
    to.add(std::string_view(from.body).substr(done, size), last, out);
    done += size;
    return !last;
  }
  std::size_t held() const { return stream_size + from.body.capacity() + slice.capacity(); }

  answer from;
  gzip to;
  std::string slice;
  std::size_t done = 0;
};

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

bool same_word(std::string_view text, std::string_view lower_case) {
  return std::ranges::equal(text, lower_case, {}, [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
}

// Of what follows the ';': only "q=0", "q=0.0" and so on mean no.
bool means_no(std::string_view parameters) {
  const auto weight = trimmed(parameters);
  if (weight.size() < 3 || !same_word(weight.substr(0, 2), "q=")) return false;
  return weight.find_first_not_of("0.", 2) == std::string_view::npos;
}

}  // namespace

bool takes_gzip(std::string_view accept_encoding) {
  std::optional<bool> any;
  for (auto rest = accept_encoding; !rest.empty();) {
    const auto end = std::min(rest.find(','), rest.size());
    const auto item = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const auto semicolon = std::min(item.find(';'), item.size());
    const auto coding = trimmed(item.substr(0, semicolon));
    const bool yes = !means_no(item.substr(std::min(semicolon + 1, item.size())));
    if (same_word(coding, "gzip") || same_word(coding, "x-gzip")) return yes;
    if (coding == "*") any = yes;
  }
  return any.value_or(false);
}

bool compressible(const answer& made) {
  return !made.follow && (made.next || made.body.size() >= least_compressed);
}

answer compressed(answer from) {
  answer made{.status = from.status,
              .content_type = from.content_type,
              .body = {},
              .fields = std::move(from.fields),
              .next = {}};
  made.fields.emplace_back("Content-Encoding", "gzip");
  const auto through = std::make_shared<passage>(std::move(from));
  made.next = [through](std::string& out) { return through->next(out); };
  made.held = [through] { return through->held(); };
  return made;
}

}  // namespace rollcall::http
