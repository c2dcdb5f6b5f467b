// A test program that lost its tests.
