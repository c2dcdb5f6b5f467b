// libFuzzer target; the corpus is corpus/header.
#include "test/fuzz/decoders.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rollcall::cnode::fuzz::headers({reinterpret_cast<const char*>(data), size});
  return 0;
}
