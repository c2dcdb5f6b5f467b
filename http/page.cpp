#include "http/page.hpp"

#include <algorithm>
#include <array>

namespace rollcall::http {
namespace {

constexpr std::string_view version_mark = "{{version}}";

struct type_of_ending {
  std::string_view ending, content_type;
};
constexpr std::array types{type_of_ending{".css", "text/css; charset=utf-8"},
                           type_of_ending{".js", "text/javascript; charset=utf-8"},
                           type_of_ending{".svg", "image/svg+xml"}};

const page_file* find_file(std::string_view name) {
  const auto files = page_files();
  const auto found = std::ranges::find(files, name, &page_file::name);
  return found == files.end() ? nullptr : &*found;
}

}  // namespace

std::string render_page(std::string_view version) {
  std::string html(find_file("page.html")->text);
  const auto mark = html.find(version_mark);
  if (mark != std::string::npos) html.replace(mark, version_mark.size(), version);
  return html;
}

std::optional<page_resource> find_resource(std::string_view name) {
  const auto type = std::ranges::find_if(types, [&](const auto& t) { return name.ends_with(t.ending); });
  const auto* file = find_file(name);
  if (type == types.end() || file == nullptr) return std::nullopt;
  return page_resource{type->content_type, file->text};
}

}  // namespace rollcall::http
