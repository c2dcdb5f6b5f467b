// Answers of the Kubernetes API server: see slices.hpp.
#include "test/fuzz/slices.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
  rollcall::discovery::fuzz::answer({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
