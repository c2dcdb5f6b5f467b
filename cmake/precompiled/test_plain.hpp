// The same for tests (ROLLCALL_PCH).
#include "plain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
