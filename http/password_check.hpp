// Whether a password is right. A hash is made to take long (bcrypt: 60 ms and more), so a child process works
// it out while the loop goes on; one at a time, addresses in turn. What was right once is known again.
//
//   check -> known already, refused at once, or: waits in line -> a child -> right or wrong
#pragma once

#include <sys/types.h>

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <set>

#include "http/passwords.hpp"
#include "http/waiting_line.hpp"

namespace rollcall::http {

namespace asio = boost::asio;

class password_check : public std::enable_shared_from_this<password_check> {
 public:
  static constexpr std::size_t most_waiting = 64, most_known = 64;
  // So that no address fills the line alone.
  static constexpr std::size_t most_waiting_of_client = 16;
  // Wrong ones of an address in that time; then it has to wait for the rest of it.
  static constexpr std::size_t most_wrong = 10;
  static constexpr std::chrono::seconds wrong_count_for{60};

  explicit password_check(asio::io_context&);

  enum class verdict { right, wrong, too_many, busy, cannot_tell };
  // `given` is the value of the field Authorization.
  asio::awaitable<verdict> check(std::shared_ptr<const passwords>, client_address, std::string given);
  void stop();

 private:
  using digest = std::array<unsigned char, 32>;
  struct wrong_ones {
    std::size_t count = 0;
    std::chrono::steady_clock::time_point since{};
  };

  digest digest_of(std::string_view) const;
  bool has_guessed_too_often(const client_address&);
  void note_wrong(const client_address&);
  asio::awaitable<void> wait_for_turn(client_address);
  asio::awaitable<verdict> work_out(const std::string& hash, const std::string& password);
  bool has_room_for(const client_address&) const;
  void let_next_go();

  asio::io_context& io_;
  std::array<unsigned char, 32> secret_{};  // so that what is known cannot be found by its digest
  std::shared_ptr<const passwords> of_;     // whose right ones are known
  std::set<digest> known_;
  std::map<client_address, wrong_ones> wrong_;
  waiting_line line_;
  bool busy_ = false, stopped_ = false;
};

}  // namespace rollcall::http
