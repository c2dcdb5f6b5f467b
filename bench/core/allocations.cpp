#include "bench/core/allocations.hpp"

#include <cstdlib>
#include <new>

namespace {
std::uint64_t counted = 0;  // programs of one thread use this
}

void* operator new(std::size_t size) {
  ++counted;
  if (void* found = std::malloc(size == 0 ? 1 : size)) return found;
  throw std::bad_alloc();
}
// What the standard library's algorithms ask for (std::stable_sort).
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++counted;
  return std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* where) noexcept {
  std::free(where);
}
void operator delete(void* where, std::size_t) noexcept {
  std::free(where);
}
void operator delete(void* where, const std::nothrow_t&) noexcept {
  std::free(where);
}

namespace rollcall::bench {

std::uint64_t allocations() noexcept {
  return counted;
}

}  // namespace rollcall::bench
