// HTTP requests: see requests.hpp.
#include "test/fuzz/requests.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
  rollcall::http::fuzz::connection({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
