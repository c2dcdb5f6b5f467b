#include "app/http_files.hpp"

#include <fmt/format.h>

#include <utility>

#include "app/pem_file.hpp"
#include "app/printable.hpp"

namespace rollcall::app {

http_files::http_files(const configuration& c) : configuration_(c) {
  auto problem = load_certificate();
  if (problem.empty()) problem = load_passwords();
  if (!problem.empty()) throw configuration_error(problem);
}

// Each by itself: a name that is taken out has to be out, also while a certificate is half replaced.
bool http_files::refresh(std::string& problem) {
  problem.clear();
  bool taken = false;
  const auto look = [&](part& one, std::string (http_files::*load)()) {
    if (!one.files.changed() && one.last_problem.empty()) return;
    auto found = (this->*load)();
    if (found.empty()) taken = true;
    const bool stays = !found.empty() && found == one.last_problem;
    if (stays && !one.told) problem += (problem.empty() ? "" : "; ") + found;
    one.told = stays;
    one.last_problem = std::move(found);
  };
  look(certificate_, &http_files::load_certificate);
  look(names_, &http_files::load_passwords);
  if (!problem.empty()) problem += "; what was read last stays in use";
  return taken;
}

std::string http_files::load_certificate() {
  const auto& c = configuration_;
  auto& files = certificate_.files;
  files.clear();
  if (c.http_tls_cert.empty()) return {};
  tls::settings settings;
  settings.dialling.verify = settings.accepting.verify = false;
  auto& own = settings.accepting;
  auto problem = read_pem(files, c.http_tls_cert, "certificate file", own.certificates);
  const auto& key = c.http_tls_key.empty() ? c.http_tls_cert : c.http_tls_key;
  if (problem.empty()) problem = read_pem(files, key, "key file", own.key);
  std::shared_ptr<const tls::context> made;
  if (problem.empty()) made = tls::context::make(settings, problem);
  if (!problem.empty()) return fmt::format("HTTPS: {} ({})", problem, printable(c.http_tls_cert));
  context_ = std::move(made);
  return {};
}

std::string http_files::load_passwords() {
  const auto& c = configuration_;
  names_.files.clear();
  if (c.http_auth_file.empty()) return {};
  std::string text;
  auto problem = names_.files.read(c.http_auth_file, "password file", text);
  if (!problem.empty()) return problem;
  auto parsed = http::passwords::parse(text, problem);
  if (!parsed) return fmt::format("password file {}: {}", printable(c.http_auth_file), problem);
  passwords_ = std::make_shared<const http::passwords>(*std::move(parsed));
  return {};
}

}  // namespace rollcall::app
