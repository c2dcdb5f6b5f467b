#include "http/passwords.hpp"

#include <crypt.h>
#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>

namespace rollcall::http {

namespace {

constexpr std::size_t max_users = 1'000, max_encoded = 1'024;
// Each step doubles the time of one guess: 14 takes a second.
constexpr int max_cost = 14;
// Of SHA-crypt, which takes as many when none are named as 5,000; a million take a second.
constexpr unsigned long max_rounds = 1'000'000;
constexpr std::size_t bcrypt_length = 60;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

std::string_view unquoted(std::string_view text) {
  const bool quoted =
      text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front();
  return quoted ? text.substr(1, text.size() - 2) : text;
}

// A phrase with what is wrong; empty: crypt(3) takes it.
std::string wrong_with(const std::string& hash) {
  if (hash.starts_with("$apr1$") || hash.starts_with("{SHA}")) {
    return "has a hash of an old kind: `htpasswd -B` writes bcrypt";
  }
  if (!hash.starts_with('$')) return "has no hash: a password is never written here itself (`htpasswd -nB`)";
  if (hash.starts_with("$2") && hash.size() > 6) {
    if (hash.size() != bcrypt_length) return "has a hash that is cut off, or has something after it";
    int cost = 0;
    std::from_chars(hash.data() + 4, hash.data() + 6, cost);
    if (cost > max_cost) {
      return fmt::format("has a hash of cost {}: at most {}, or one guess takes seconds", cost, max_cost);
    }
  }
  if (const auto named = hash.find("$rounds="); named != std::string::npos) {
    const char* const digits = hash.data() + named + std::string_view("$rounds=").size();
    unsigned long rounds = 0;
    const auto read = std::from_chars(digits, hash.data() + hash.size(), rounds);
    if (read.ec != std::errc() || rounds > max_rounds) {
      return fmt::format("has a hash of more than {} rounds: one guess takes seconds", max_rounds);
    }
  }
  const auto answer = ::crypt_checksalt(hash.c_str());
  if (answer == CRYPT_SALT_INVALID || answer == CRYPT_SALT_METHOD_DISABLED)
    return "has a hash that is not of crypt(3): `htpasswd -nB` makes one";
  return {};
}

}  // namespace

std::optional<credentials> credentials_in(std::string_view authorization) {
  constexpr std::string_view scheme = "basic ";
  const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
  if (authorization.size() < scheme.size() ||
      !std::equal(scheme.begin(), scheme.end(), authorization.begin(), same)) {
    return {};
  }
  const auto encoded = trimmed(authorization.substr(scheme.size()));
  if (encoded.empty() || encoded.size() > max_encoded || encoded.size() % 4 != 0) return {};
  std::string decoded(encoded.size() / 4 * 3, '\0');
  const auto size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()),
                                    reinterpret_cast<const unsigned char*>(encoded.data()),
                                    static_cast<int>(encoded.size()));
  if (size < 0) return {};
  const auto padding = encoded.size() - encoded.find_last_not_of('=') - 1;
  if (padding > 2) return {};
  decoded.resize(static_cast<std::size_t>(size) - padding);
  const auto colon = decoded.find(':');
  if (colon == std::string::npos || decoded.find('\0') != std::string::npos) return {};
  return credentials{decoded.substr(0, colon), decoded.substr(colon + 1)};
}

std::optional<passwords> passwords::parse(std::string_view text, std::string& problem) {
  passwords made;
  if (constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF"; text.starts_with(byte_order_mark)) {
    text.remove_prefix(byte_order_mark.size());
  }
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#') || line == "basic_auth_users:") continue;
    const auto colon = line.find(':');
    const std::string name(unquoted(trimmed(line.substr(0, colon))));
    std::string wrong;
    if (colon == std::string_view::npos || name.empty()) {
      wrong = "is not NAME:HASH (`htpasswd -nB NAME` writes one)";
    } else if (const std::string hash(unquoted(trimmed(line.substr(colon + 1)))); hash.empty()) {
      wrong = "has no hash; of Prometheus' web.yml only basic_auth_users is taken";
    } else {
      wrong = wrong_with(hash);
      if (wrong.empty() && !made.hashes_.emplace(name, hash).second) wrong = "has a name for the second time";
    }
    if (made.hashes_.size() > max_users) wrong = fmt::format("is more than {} users", max_users);
    if (wrong.empty()) continue;
    problem = fmt::format("line {} {}", number, wrong);
    return {};
  }
  if (made.hashes_.empty()) {
    problem = "it names nobody: a line is NAME:HASH (`htpasswd -nB NAME` writes one)";
    return {};
  }
  return made;
}

const std::string& passwords::hash_for(const std::string& name) const {
  const auto found = hashes_.find(name);
  return found != hashes_.end() ? found->second : hashes_.begin()->second;
}

}  // namespace rollcall::http
