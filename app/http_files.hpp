// The files that the page, the API and the metrics are served with: --http-tls-cert, --http-tls-key,
// --http-auth-file. Read again when one of them changes; what cannot be used then is told, and the last good
// ones stay.
#pragma once

#include <memory>
#include <string>

#include "app/configuration.hpp"
#include "app/watched_files.hpp"
#include "http/passwords.hpp"
#include "tls/context.hpp"

namespace rollcall::app {

class http_files {
 public:
  // Throws configuration_error: a file that cannot be read, or is of no use.
  explicit http_files(const configuration&);

  // Null: plain HTTP; no password is asked for.
  const std::shared_ptr<const tls::context>& context() const noexcept { return context_; }
  const std::shared_ptr<const http::passwords>& passwords() const noexcept { return passwords_; }
  // Looks at the files again. True when something changed. `problem`: a sentence, once, at the second look
  // that finds it: files that are replaced one by one do not fit each other in between.
  bool refresh(std::string& problem);

 private:
  struct part {
    watched_files files;
    std::string last_problem;
    bool told = false;
  };
  // A sentence about what is wrong; empty: what the files say is in use.
  std::string load_certificate();
  std::string load_passwords();

  const configuration& configuration_;
  std::shared_ptr<const tls::context> context_;
  std::shared_ptr<const http::passwords> passwords_;
  part certificate_, names_;
};

}  // namespace rollcall::app
