#include "app/cookie.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/system/result.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>

#include "app/printable.hpp"

namespace rollcall::app {
namespace {

constexpr std::size_t max_cookie_file_bytes = 64U << 10;
constexpr std::size_t created_cookie_length = 20;
constexpr std::string_view what_to_set = "give --cookie-file, or set ROLLCALL_COOKIE or ROLLCALL_COOKIE_FILE";

struct descriptor {
  int value = -1;
  explicit descriptor(int fd) : value(fd) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (value >= 0) ::close(value);
  }
};

std::string reason(int error) {
  return std::strerror(error);
}  // NOLINT(concurrency-mt-unsafe): one thread

// A sentence about what is wrong, or the cookies, of which there may be none. The sentence never holds a byte
// of the file.
using parsed = std::variant<std::string, std::vector<std::string>>;

// The characters are those auth.erl takes from a file: space to tilde. Spaces belong to the cookie, as they
// do there.
parsed parse_cookies(std::string_view text, std::string_view where) {
  std::vector<std::string> cookies;
  std::size_t number = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    while (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(' ') == std::string_view::npos) continue;
    if (!std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; })) {
      return fmt::format("{}, line {}: a cookie holds characters from space to ~ (ASCII) only, as in Erlang",
                         where, number);
    }
    if (line.size() > max_cookie_length) {
      return fmt::format("{}, line {}: {} characters are too many for a cookie, at most {} are allowed",
                         where, number, line.size(), max_cookie_length);
    }
    if (std::ranges::find(cookies, line) != cookies.end()) continue;
    if (cookies.size() == max_cookies) {
      return fmt::format("{} holds more than {} cookies, one a line: they would all be tried on every node",
                         where, max_cookies);
    }
    cookies.emplace_back(line);
  }
  return cookies;
}

std::string name_of_file(const std::string& path) {
  return fmt::format("cookie file {} (--cookie-file)", printable(path));
}

parsed read_cookies(const std::string& path) {
  const auto where = name_of_file(path);
  // Without O_NONBLOCK opening a pipe would wait for a writer that may never come.
  const descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.value < 0) return fmt::format("{} cannot be read: {}", where, reason(errno));
  struct stat status {};
  if (::fstat(file.value, &status) != 0) return fmt::format("{} cannot be read: {}", where, reason(errno));
  if (!S_ISREG(status.st_mode)) return fmt::format("{} is not a regular file", where);
  std::string text(max_cookie_file_bytes + 1, '\0');
  std::size_t used = 0;
  while (used < text.size()) {
    const auto count = ::read(file.value, text.data() + used, text.size() - used);
    if (count == 0) break;
    if (count < 0) {
      if (errno == EINTR) continue;
      return fmt::format("{} cannot be read: {}", where, reason(errno));
    }
    used += static_cast<std::size_t>(count);
  }
  if (used > max_cookie_file_bytes) {
    return fmt::format("{} is larger than {} bytes: is it the right file?", where, max_cookie_file_bytes);
  }
  return parse_cookies(std::string_view(text).substr(0, used), where);
}

std::string holds_none(std::string_view where) {
  return fmt::format("{} holds no cookie: it is empty", where);
}

std::vector<std::string> cookies_or_throw(parsed outcome) {
  if (auto* problem = std::get_if<std::string>(&outcome)) throw configuration_error(*problem);
  return std::get<std::vector<std::string>>(std::move(outcome));
}

std::string random_letters() {
  std::random_device source;
  std::uniform_int_distribution<int> letter(0, 25);
  std::string text;
  for (std::size_t i = 0; i < created_cookie_length; ++i) text += static_cast<char>('A' + letter(source));
  return text;
}

// A node started at the same moment must never read half a cookie, nor one that is replaced a moment later:
// the file is written under another name and linked to its own, which fails when somebody was faster.
void create_cookie_file(const std::string& path) {
  auto temporary = path + ".XXXXXX";
  const auto failed = [&] {
    return configuration_error(fmt::format("cookie file {} does not exist and cannot be created: {}; {}",
                                           printable(path), reason(errno), what_to_set));
  };
  const descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));  // O_EXCL, mode 0600
  if (file.value < 0) throw failed();
  const auto cookie = random_letters();
  const bool written =
      ::write(file.value, cookie.data(), cookie.size()) == static_cast<ssize_t>(cookie.size()) &&
      ::fchmod(file.value, S_IRUSR) == 0 && ::fsync(file.value) == 0 &&
      (::link(temporary.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const int error = errno;
  ::unlink(temporary.c_str());
  errno = error;
  if (!written) throw failed();
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 || errno != ENOENT;
}

std::string value_of(const environment& variables, const std::string& name) {
  const auto found = variables.find(name);
  return found == variables.end() ? std::string() : found->second;
}

// The two places where `erl` (OTP 25) looks; the first one is created when neither exists.
std::string home_cookie_file(const std::string& path, const environment& variables) {
  const auto home = value_of(variables, "HOME");
  if (path.empty() && home.empty()) {
    throw configuration_error(
        fmt::format("no cookie: HOME is not set, so there is no ~/.erlang.cookie; {}", what_to_set));
  }
  auto first = path.empty() ? home + "/.erlang.cookie" : path;
  if (exists(first)) return first;
  const auto configured = value_of(variables, "XDG_CONFIG_HOME");
  auto second = (configured.empty() ? home + "/.config" : configured) + "/erlang/.erlang.cookie";
  if (exists(second)) return second;
  create_cookie_file(first);
  return first;
}

// `erl` refuses such a file, too: the nodes that share it would not have started.
void refuse_if_others_may_read(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    throw configuration_error(
        fmt::format("cookie file {} must be accessible by its owner only, as Erlang asks (chmod 400 {}); a "
                    "file that is given "
                    "with --cookie-file may be readable by others",
                    printable(path), printable(path)));
  }
}

}  // namespace

cookie_jar::cookie_jar(const configuration& config, const environment& variables, empty_file if_empty) {
  if (config.cookie_from_environment) {
    cookies_ = cookies_or_throw(parse_cookies(value_of(variables, "ROLLCALL_COOKIE"), "ROLLCALL_COOKIE"));
    if (cookies_.empty()) throw configuration_error(holds_none("ROLLCALL_COOKIE"));
    return;
  }
  const auto origin = config.origin.find("cookie-file");
  const bool by_default =
      config.cookie_file.empty() || (origin != config.origin.end() && origin->second == "default");
  path_ = config.cookie_file;
  if (by_default) {
    path_ = home_cookie_file(path_, variables);
    refuse_if_others_may_read(path_);
  }
  look();
  cookies_ = cookies_or_throw(read_cookies(path_));
  if (!cookies_.empty()) return;
  last_problem_ = holds_none(name_of_file(path_));
  if (if_empty == empty_file::is_an_error) throw configuration_error(last_problem_);
}

// Remembers what the file looks like from outside; true when that is not what it was. A Secret's file is a
// link that is swapped: stat follows it and sees another inode. The change time also tells of a chmod.
bool cookie_jar::look() {
  struct stat status {};
  const bool found = ::stat(path_.c_str(), &status) == 0;
  const auto in_ns = [](const timespec& at) { return at.tv_sec * 1'000'000'000LL + at.tv_nsec; };
  const auto modified = found ? in_ns(status.st_mtim) : 0;
  const auto changed = found ? in_ns(status.st_ctim) : 0;
  const long long size = found ? status.st_size : -1;
  const unsigned long long inode = found ? status.st_ino : 0;
  const bool same = modified == modified_ns_ && changed == changed_ns_ && size == size_ && inode == inode_;
  modified_ns_ = modified;
  changed_ns_ = changed;
  size_ = size;
  inode_ = inode;
  return !same;
}

bool cookie_jar::refresh(std::string& problem) {
  problem.clear();
  if (path_.empty()) return false;
  if (!look() && last_problem_.empty()) return false;
  auto outcome = read_cookies(path_);
  if (const auto* read = std::get_if<std::vector<std::string>>(&outcome); read != nullptr && read->empty())
    outcome = holds_none(name_of_file(path_));
  if (auto* failure = std::get_if<std::string>(&outcome)) {
    if (*failure != last_problem_)
      problem = *failure + (cookies_.empty() ? "" : "; the last good cookie stays in use");
    last_problem_ = std::move(*failure);
    return false;
  }
  last_problem_.clear();
  auto& fresh = std::get<std::vector<std::string>>(outcome);
  if (fresh == cookies_) return false;
  cookies_ = std::move(fresh);
  return true;
}

}  // namespace rollcall::app
