// The files that TLS with nodes is made of: --tls-cert, --tls-key, --tls-ca, or what the nodes' own file
// names. Read again when one of them changes; what cannot be used then is told, and the last good ones stay.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/configuration.hpp"
#include "app/watched_files.hpp"
#include "tls/context.hpp"

namespace rollcall::app {

struct side_files;  // which files one direction takes

class tls_files {
 public:
  // Throws configuration_error: a file that cannot be read, or is of no use.
  explicit tls_files(const configuration&);

  // Null with --tls off.
  const std::shared_ptr<const tls::context>& current() const noexcept { return current_; }
  // Looks at the files again (cheap: stat first). True when current() changed. `problem`: a sentence, once,
  // at the second look that finds it: files that are replaced one by one do not fit each other in between.
  bool refresh(std::string& problem);
  // To be logged once: what the nodes' own file says, and is of no use here.
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

 private:
  // A sentence about what is wrong; empty: current_ is what the files say.
  std::string load();
  std::string read_side(tls::side_settings& into, const side_files& from);

  const configuration& configuration_;
  std::shared_ptr<const tls::context> current_;
  watched_files files_;
  std::vector<std::string> warnings_;
  std::string last_problem_;
  bool told_ = false;
};

}  // namespace rollcall::app
