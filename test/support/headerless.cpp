// A module of ours in the place of the one that an Erlang node shakes hands with.
#include "test/support/headerless.hpp"

#include <map>
#include <mutex>
#include <stdexcept>

#include "test/support/files.hpp"

namespace rollcall::test {
namespace {

// OTP's include/dist.hrl.
constexpr unsigned atom_cache = 0x2000, fragments = 0x800000;

unsigned rejected(wire spoken) {
  if (spoken == wire::headers) return 0;
  return spoken == wire::fragments_only ? atom_cache : atom_cache | fragments;
}

constexpr const char* sources = ROLLCALL_SOURCE_DIR "/test/support/headerless";

temporary_directory made_of(const std::string& root) {
  temporary_directory made;
  const auto program =
      "{ok, Name, Code} = compile:file(\"" + std::string(sources) +
      "/headerless\", [binary, report]), {module, _} = code:load_binary(Name, \"headerless\", "
      "Code), Name:make(\"" +
      std::string(sources) + "\", \"" + made.path().string() + "\"), halt(0).";
  const auto done = run({.arguments = of_otp(root, {"erl", "-noshell", "-eval", program}),
                         .environment = {},
                         .network_namespace = {}});
  if (done.exit_code != 0) {
    throw std::runtime_error("no module that shakes hands with less: " + done.output + done.errors);
  }
  return made;
}

}  // namespace

std::vector<std::string> arguments_of(wire spoken, const std::string& root) {
  if (spoken == wire::headers) return {};
  static std::mutex one_at_a_time;
  static std::map<std::string, temporary_directory> made;
  const std::lock_guard lock(one_at_a_time);
  auto found = made.find(root);
  if (found == made.end()) found = made.emplace(root, made_of(root)).first;
  return {"-pa", found->second.path().string(), "-rejects", std::to_string(rejected(spoken))};
}

testing::AssertionResult announced(beam& node, wire spoken) {
  constexpr auto both = atom_cache | fragments;
  const auto said = spoken == wire::headers ? node.eval("code:which(dist_true)")
                                            : node.eval("lists:usort([Flags band " + std::to_string(both) +
                                                        " || Flags <- dist_util:announced()])");
  const auto wanted =
      spoken == wire::headers ? "non_existing" : "[" + std::to_string(both & ~rejected(spoken)) + "]";
  if (said == wanted) return testing::AssertionSuccess();
  return testing::AssertionFailure() << node.name() << " announced " << said << ", not " << wanted;
}

}  // namespace rollcall::test
