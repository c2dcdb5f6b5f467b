// A file that outlives us: always written whole (a new file takes the old one's place), never trusted when it
// is read.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::app {

class kept_file {
 public:
  kept_file(std::string folder, std::string name, std::size_t max_size)
      : folder_(std::move(folder)), name_(std::move(name)), max_size_(max_size) {}

  // `take` throws what is wrong with the text. A file that it does not take, or that cannot be read, is
  // renamed aside (…damaged-N), so that nothing is lost and nothing stops us. Where that fails, it is not
  // written over. Sentences for the log; none where there is no file.
  std::vector<std::string> read(const std::function<void(std::string_view)>& take);
  // Empty, or why it failed. The folder is made when it is missing.
  std::string write(std::string_view text);

  std::string path() const { return folder_ + '/' + name_; }

 private:
  std::string set_aside(const std::string& problem);

  std::string folder_, name_;
  std::size_t max_size_;
  std::string not_to_be_lost_;  // why there is a file that must stay as it is
};

}  // namespace rollcall::app
