// The state file: see states.hpp.
#include "test/fuzz/states.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
  rollcall::app::fuzz::state({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
