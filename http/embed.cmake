# Writes OUTPUT: http::page_files(), the name and the text of every file in FOLDER, and of the file MORE.
# (cmake -D OUTPUT=... -D FOLDER=... -D MORE=... -P embed.cmake)
file(GLOB files ${FOLDER}/*)
list(SORT files)
list(APPEND files ${MORE})
set(body "")
foreach(file ${files})
  get_filename_component(name ${file} NAME)
  file(READ ${file} text)
  string(APPEND body "    page_file{\"${name}\", R\"file(${text})file\"},\n")
endforeach()
file(WRITE ${OUTPUT} "// Made by http/embed.cmake from the files of the page.
#include \"http/page.hpp\"

namespace rollcall::http {
namespace {
constexpr page_file files[]{
${body}};
}  // namespace

std::span<const page_file> page_files() noexcept {
  return files;
}
}  // namespace rollcall::http
")
