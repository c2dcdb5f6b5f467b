// The same for tests (ROLLCALL_PCH).
#include "network.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
