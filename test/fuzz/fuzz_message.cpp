// libFuzzer target; the corpus is corpus/message.
#include "test/fuzz/decoders.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rollcall::cnode::fuzz::message({reinterpret_cast<const char*>(data), size});
  return 0;
}
