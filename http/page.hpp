// The page that shows the cluster: one HTML text without anything from elsewhere, which asks the API of its
// own origin.
#pragma once

#include <string>
#include <string_view>

namespace rollcall::http {

struct page {
  std::string html;
  std::string content_security_policy;
};

// The policy and the page's own script and style carry `nonce`, which must be new for every answer.
page render_page(std::string_view nonce, std::string_view version);
std::string fresh_nonce();

}  // namespace rollcall::http
