// A name server's answers: see answers.hpp.
#include "test/fuzz/answers.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
  rollcall::discovery::fuzz::answered({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
