// Certificates of a test's own: CAs, and what they sign for nodes.
#pragma once

#include <chrono>
#include <memory>
#include <string>

namespace rollcall::test {

// PEM.
struct certificate {
  std::string text, key;
};

struct certificate_request {
  std::string names = "DNS:127.0.0.1,IP:127.0.0.1";   // subjectAltName
  std::string usage = "serverAuth,clientAuth";        // extendedKeyUsage
  std::chrono::seconds begins{-3'600}, ends{86'400};  // from now
};

class authority {
 public:
  explicit authority(const std::string& name);
  ~authority();
  const std::string& text() const noexcept { return text_; }  // PEM
  certificate issue(const certificate_request& = {}) const;

 private:
  struct signing;
  std::unique_ptr<signing> signing_;
  std::string text_;
};

}  // namespace rollcall::test
