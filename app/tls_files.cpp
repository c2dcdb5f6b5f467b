#include "app/tls_files.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "app/pem_file.hpp"
#include "app/printable.hpp"
#include "app/tls_optfile.hpp"

namespace rollcall::app {

// And how: options win over the nodes' own file.
struct side_files {
  std::string cert, key, ca, password;
  bool verify = true, certificate_required = true;
  std::vector<std::string> versions{};
  std::optional<int> depth{};
};

namespace {

constexpr std::string_view version_1_2 = "tlsv1.2", version_1_3 = "tlsv1.3";

side_files of_options(const configuration& c) {
  side_files made;
  made.cert = c.tls_cert;
  made.key = c.tls_key.empty() ? c.tls_cert : c.tls_key;
  made.ca = c.tls_ca;
  made.verify = c.tls_verify == tls_verify_mode::peer;
  return made;
}

// What is given as an option counts for both directions.
side_files of_optfile(const configuration& c, const tls_optfile::side& file) {
  side_files made;
  made.cert = c.tls_cert.empty() ? file.certfile.value_or("") : c.tls_cert;
  made.key = !c.tls_key.empty()   ? c.tls_key
             : c.tls_cert.empty() ? file.keyfile.value_or(made.cert)
                                  : made.cert;
  made.ca = c.tls_ca.empty() ? file.cacertfile.value_or("") : c.tls_ca;
  made.password = file.password.value_or("");
  made.verify = c.origin.at("tls-verify") == "default" ? file.verify.value_or(false)
                                                       : c.tls_verify == tls_verify_mode::peer;
  made.certificate_required = file.fail_if_no_peer_cert.value_or(false);
  made.versions = file.versions.value_or(std::vector<std::string>{});
  made.depth = file.depth;
  return made;
}

}  // namespace

tls_files::tls_files(const configuration& c) : configuration_(c) {
  if (!c.tls) return;
  if (const auto problem = load(); !problem.empty()) throw configuration_error(problem);
}

bool tls_files::refresh(std::string& problem) {
  problem.clear();
  if (!files_.changed() && last_problem_.empty()) return false;
  const auto before = current_;
  auto found = load();
  const bool stays = !found.empty() && found == last_problem_;
  if (stays && !told_) problem = found + "; what was read last stays in use";
  told_ = stays;
  last_problem_ = std::move(found);
  return current_ != before;
}

std::string tls_files::read_side(tls::side_settings& into, const side_files& from) {
  std::string problem;
  if (!from.cert.empty()) {
    problem = read_pem(files_, from.cert, "certificate file", into.certificates);
    if (problem.empty()) problem = read_pem(files_, from.key, "key file", into.key);
  }
  if (problem.empty() && from.verify) {
    if (from.ca.empty()) {
      return "to verify the certificates of nodes their CA is needed: give --tls-ca (or cacertfile), or "
             "--tls-verify none";
    }
    problem = read_pem(files_, from.ca, "CA file", into.authorities);
  }
  into.password = from.password;
  into.verify = from.verify;
  into.certificate_required = from.certificate_required;
  into.depth = from.depth;
  if (from.versions.empty()) return problem;
  into.version_1_2 = std::ranges::find(from.versions, version_1_2) != from.versions.end();
  into.version_1_3 = std::ranges::find(from.versions, version_1_3) != from.versions.end();
  if (problem.empty() && !into.version_1_2 && !into.version_1_3) {
    problem = "`versions` names neither 'tlsv1.2' nor 'tlsv1.3': no others are spoken";
  }
  return problem;
}

std::string tls_files::load() {
  files_.clear();
  const auto& c = configuration_;
  auto dialling = of_options(c), accepting = dialling;
  if (!c.tls_optfile.empty()) {
    const auto place = fmt::format("{} (--tls-optfile)", printable(c.tls_optfile));
    std::string text, problem = files_.read(c.tls_optfile, "option file", text);
    if (!problem.empty()) return problem;
    const auto file = read_tls_optfile(text, problem);
    if (!file) return fmt::format("option file {}: {}", place, problem);
    dialling = of_optfile(c, file->client);
    accepting = of_optfile(c, file->server);
    warnings_.clear();
    if (!file->unused.empty()) {
      warnings_.push_back(fmt::format("{}: of no use here: {}", place, fmt::join(file->unused, ", ")));
    }
    if (!dialling.verify || !accepting.verify) {
      warnings_.push_back(
          fmt::format("{}: certificates of nodes {} are not verified, since it does not say "
                      "verify_peer there; --tls-verify peer verifies all",
                      place,
                      dialling.verify    ? "that dial us (server)"
                      : accepting.verify ? "that are dialled (client)"
                                         : "(server and client)"));
    }
  }
  if (accepting.cert.empty()) {
    return "--tls on needs a certificate to show to nodes that dial us: give --tls-cert (and --tls-key), or "
           "--tls-optfile with certfile in its server part";
  }
  tls::settings settings;
  auto problem = read_side(settings.dialling, dialling);
  if (problem.empty()) problem = read_side(settings.accepting, accepting);
  if (!problem.empty()) return problem;
  auto made = tls::context::make(settings, problem);
  if (!made) return fmt::format("TLS with nodes: {} ({})", problem, printable(accepting.cert));
  current_ = std::move(made);
  return {};
}

}  // namespace rollcall::app
