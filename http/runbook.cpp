#include "http/runbook.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

#include "http/page.hpp"

namespace rollcall::http {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const auto c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') + 1 - first);
}

// What stands between two marks at the beginning of the text, and takes it off it; nothing when the second
// one is missing.
bool take_between(std::string_view& text, std::string_view open, std::string_view close,
                  std::string_view& inside) {
  if (!text.starts_with(open)) return false;
  const auto end = text.find(close, open.size());
  if (end == std::string_view::npos) return false;
  inside = text.substr(open.size(), end - open.size());
  text.remove_prefix(end + close.size());
  return true;
}

std::string inline_html(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::string_view inside;
    const auto before = text;
    if (take_between(text, "`", "`", inside)) {
      out += "<code>" + escaped(inside) + "</code>";
    } else if (take_between(text, "**", "**", inside)) {
      out += "<strong>" + inline_html(inside) + "</strong>";
    } else if (!text.starts_with("* ") && !text.starts_with("**") && take_between(text, "*", "*", inside)) {
      out += "<em>" + inline_html(inside) + "</em>";
    } else if (take_between(text, "[", "](", inside)) {
      std::string_view to;
      text = before.substr(before.size() - text.size() - 1);
      if (!take_between(text, "(", ")", to)) to = {};
      const bool served = to.starts_with("#") || to.starts_with("https://") || to.starts_with("http://");
      out += served ? "<a href=\"" + escaped(to) + "\">" + inline_html(inside) + "</a>" : inline_html(inside);
    } else {
      const auto plain = std::max<std::size_t>(1, std::min(text.find_first_of("`*[", 1), text.size()));
      out += escaped(text.substr(0, plain));
      text.remove_prefix(plain);
    }
  }
  return out;
}

std::string anchor(std::string_view heading) {
  std::string id;
  for (const auto c : heading) {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_')
      id += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (c == ' ')
      id += '-';
  }
  return id;
}

bool is_numbered(std::string_view line) {
  const auto digits = line.find_first_not_of("0123456789");
  return digits != 0 && digits != std::string_view::npos && line.substr(digits).starts_with(". ");
}

// Lines to blocks. A block ends at an empty line, or where one of another kind begins.
class converter {
 public:
  explicit converter(std::string_view markdown) {
    while (!markdown.empty()) {
      const auto end = std::min(markdown.find('\n'), markdown.size());
      lines_.push_back(markdown.substr(0, end));
      markdown.remove_prefix(std::min(end + 1, markdown.size()));
    }
  }

  std::string run() {
    while (at_ < lines_.size()) {
      const auto line = lines_[at_];
      if (line.empty())
        ++at_;
      else if (line.starts_with("```"))
        code();
      else if (line.starts_with("#"))
        heading();
      else if (line.starts_with("|"))
        table();
      else if (is_item(line))
        list();
      else
        paragraph();
    }
    return std::move(out_);
  }

 private:
  static bool is_item(std::string_view line) { return line.starts_with("- ") || is_numbered(line); }
  static bool ends_paragraph(std::string_view line) {
    return line.empty() || line.starts_with("```") || line.starts_with("#") || line.starts_with("|") ||
           is_item(line);
  }

  void code() {
    out_ += "<pre tabindex=\"0\"><code>";
    for (++at_; at_ < lines_.size() && !lines_[at_].starts_with("```"); ++at_)
      out_ += escaped(lines_[at_]) + "\n";
    out_ += "</code></pre>\n";
    ++at_;
  }

  void heading() {
    const auto line = lines_[at_++];
    const auto level = std::to_string(std::min<std::size_t>(line.find_first_not_of('#'), 6));
    const auto text = trimmed(line.substr(std::min(line.find_first_not_of('#'), line.size())));
    out_ += "<h" + level + " id=\"" + anchor(text) + "\">" + inline_html(text) + "</h" + level + ">\n";
  }

  void table() {
    out_ += "<div class=\"scroll whole\" tabindex=\"0\" role=\"group\" aria-label=\"table\"><table>\n";
    for (bool head = true; at_ < lines_.size() && lines_[at_].starts_with("|"); ++at_) {
      if (lines_[at_].find_first_not_of("|-: ") == std::string_view::npos && !head) continue;
      out_ += "<tr>";
      auto rest = trimmed(lines_[at_]).substr(1);
      while (!rest.empty()) {
        const auto end = std::min(rest.find('|'), rest.size());
        const auto* cell = head ? "th" : "td";
        out_ += "<" + std::string(cell) + ">" + inline_html(trimmed(rest.substr(0, end))) + "</" + cell + ">";
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
      out_ += "</tr>\n";
      head = false;
    }
    out_ += "</table></div>\n";
  }

  void list() {
    const std::string kind = is_numbered(lines_[at_]) ? "ol" : "ul";
    out_ += "<" + kind + ">\n";
    while (at_ < lines_.size() && is_item(lines_[at_])) {
      std::string text(lines_[at_].substr(lines_[at_].find(' ') + 1));
      for (++at_; at_ < lines_.size() && lines_[at_].starts_with("  "); ++at_)
        text += "\n" + std::string(trimmed(lines_[at_]));
      out_ += "<li>" + inline_html(text) + "</li>\n";
    }
    out_ += "</" + kind + ">\n";
  }

  void paragraph() {
    std::string text(lines_[at_++]);
    for (; at_ < lines_.size() && !ends_paragraph(lines_[at_]); ++at_)
      text += "\n" + std::string(lines_[at_]);
    out_ += "<p>" + inline_html(text) + "</p>\n";
  }

  std::vector<std::string_view> lines_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string html_of_markdown(std::string_view markdown) {
  return converter(markdown).run();
}

std::string render_runbook() {
  const auto files = page_files();
  const auto found = std::ranges::find(files, "runbook.md", &page_file::name);
  return R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Rollcall: runbook</title>
<link rel="icon" href="page/icon.svg">
<link rel="stylesheet" href="page/page.css">
</head>
<body class="document">
<nav><a href="./">The cluster</a></nav>
<article>
)" + html_of_markdown(found == files.end() ? std::string_view{} : found->text) +
         "</article>\n</body>\n</html>\n";
}

}  // namespace rollcall::http
