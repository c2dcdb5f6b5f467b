// What a connection begins with, before OpenSSL sees it: it makes room for the whole of a message as soon as
// its length is there.
#pragma once

#include <cstddef>
#include <string_view>

namespace rollcall::tls {

inline constexpr std::size_t max_client_hello = 16U << 10;
// The least that shows it.
inline constexpr std::size_t hello_prefix = 9;

enum class beginning { more, hello, too_large, something_else };
// Of the first bytes that came.
beginning begins_with(std::string_view first) noexcept;

}  // namespace rollcall::tls
