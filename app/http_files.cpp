#include "app/http_files.hpp"

#include <fmt/format.h>

#include <utility>

#include "app/printable.hpp"

namespace rollcall::app {

http_files::http_files(const configuration& c) : configuration_(c) {
  if (const auto problem = load(); !problem.empty()) throw configuration_error(problem);
}

bool http_files::refresh(std::string& problem) {
  problem.clear();
  if (!files_.changed() && last_problem_.empty()) return false;
  const auto context = context_;
  const auto passwords = passwords_;
  auto found = load();
  if (!found.empty() && found != last_problem_) problem = found + "; what was read last stays in use";
  last_problem_ = std::move(found);
  return context_ != context || passwords_ != passwords;
}

std::string http_files::load() {
  files_.clear();
  const auto& c = configuration_;
  std::shared_ptr<const tls::context> context;
  std::shared_ptr<const http::passwords> passwords;
  if (!c.http_tls_cert.empty()) {
    tls::settings settings;
    settings.dialling.verify = settings.accepting.verify = false;
    auto& own = settings.accepting;
    auto problem = files_.read(c.http_tls_cert, "certificate file", own.certificates);
    const auto& key = c.http_tls_key.empty() ? c.http_tls_cert : c.http_tls_key;
    if (problem.empty()) problem = files_.read(key, "key file", own.key);
    if (problem.empty()) context = tls::context::make(settings, problem);
    if (!problem.empty()) return fmt::format("HTTPS: {} ({})", problem, printable(c.http_tls_cert));
  }
  if (!c.http_auth_file.empty()) {
    std::string text;
    auto problem = files_.read(c.http_auth_file, "password file", text);
    if (!problem.empty()) return problem;
    auto parsed = http::passwords::parse(text, problem);
    if (!parsed) return fmt::format("password file {}: {}", printable(c.http_auth_file), problem);
    passwords = std::make_shared<const http::passwords>(*std::move(parsed));
  }
  context_ = std::move(context);
  passwords_ = std::move(passwords);
  return {};
}

}  // namespace rollcall::app
