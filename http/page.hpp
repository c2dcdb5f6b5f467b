// The page that shows the cluster: the files of http/page, embedded, without anything from elsewhere. It asks
// the API of its own origin. What comes from the cluster is set as text there: a node's name is never markup.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rollcall::http {

struct page_file {
  std::string_view name, text;
};
std::span<const page_file> page_files() noexcept;  // and runbook.md, see http/runbook.hpp

// Of the page: everything from its own origin, nothing inline.
inline constexpr std::string_view page_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri "
    "'none'; "
    "form-action 'none'; frame-ancestors 'none'";

std::string render_page(std::string_view version);

struct page_resource {
  std::string_view content_type, text;
};
// A file that the page asks for by its name; nothing when there is none of that name.
std::optional<page_resource> find_resource(std::string_view name);

}  // namespace rollcall::http
