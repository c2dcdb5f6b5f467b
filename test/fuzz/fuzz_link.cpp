// libFuzzer target; the corpus is corpus/link.
#include "test/fuzz/linked_peer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rollcall::cnode::fuzz::linked({reinterpret_cast<const char*>(data), size});
  return 0;
}
