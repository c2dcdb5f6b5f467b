// The programs people type: iex with the helper to copy, and Elixir's own ways of reaching a node.
#include "test/iex/shell.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

constexpr const char* examples = ROLLCALL_SOURCE_DIR "/deploy/examples/iex/";

class IexPrograms : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(eventually([&] { return program.whole(2); }, 60s, "both members are up and meshed"));
  }

  // An Elixir program as a node beside the cluster, what is typed into it, and all it wrote.
  finished typed(std::vector<std::string> arguments, const std::string& input,
                 std::map<std::string, std::string> environment = {}) {
    environment["ERL_EPMD_PORT"] = std::to_string(nodes.mapper().port());
    arguments.insert(arguments.begin() + 1,
                     {"--name", "shell@127.0.0.1", "--cookie", "chocolate", "--erl", "-start_epmd false"});
    process run({.arguments = of_otp(otp_root(), std::move(arguments)),
                 .environment = std::move(environment),
                 .network_namespace = {},
                 .write_input = true});
    run.write(input);
    finished result;
    if (run.wait(60s)) result.exit_code = run.exit_code().value_or(-1);
    run.kill();
    result.output = run.output();
    result.errors = run.errors();
    return result;
  }

  loopback nodes{{"one", "two"}};
  rollcall_program program = nodes.rollcall();
};

TEST_F(IexPrograms, TheHelperToCopy) {
  const auto said = typed({"iex", "--dot-iex", std::string(examples) + ".iex.exs"},
                          "Rollcall.table\n"
                          "IO.inspect Rollcall.nodes, label: \"up\"\n"
                          "IO.inspect Rollcall.members(:down), label: \"down\"\n"
                          "IO.inspect Rollcall.member(:\"one@127.0.0.1\").state, label: \"one\"\n"
                          "IO.inspect Rollcall.target, label: \"target\"\n"
                          "IO.inspect is_binary(Rollcall.version), label: \"version\"\n"
                          "System.halt(7)\n",
                          {{"ASK_ROLLCALL", "rollcall@127.0.0.1"}});
  EXPECT_EQ(said.exit_code, 7) << said.output << said.errors;
  for (const auto* line :
       {"node           state  reason  sees  misses  partition  otp",
        "one@127.0.0.1  up             1     0       0", "2 of 2 up, 1 partition(s), 0 link(s) missing: ok",
        "up: [:\"one@127.0.0.1\", :\"two@127.0.0.1\"]", "down: []", "one: :up",
        "target: :\"rollcall@127.0.0.1\"", "version: true"}) {
    EXPECT_NE(said.output.find(line), std::string::npos) << line << "\n" << said.output << said.errors;
  }
}

TEST_F(IexPrograms, TheHelperFindsRollcallAndSaysWhatIsWrong) {
  const auto said =
      typed({"iex", "--dot-iex", std::string(examples) + ".iex.exs"},
            "IO.inspect Rollcall.target, label: \"by namespace\"\n"
            "Node.connect(:\"rollcall@127.0.0.1\")\n"
            "IO.inspect Rollcall.target, label: \"by link\"\n"
            "Rollcall.at(:\"nobody@127.0.0.1\")\n"
            "IO.inspect (try do Rollcall.nodes rescue e -> Exception.message(e) end), label: \"error\"\n"
            "System.halt(7)\n",
            {{"ASK_ROLLCALL", ""}, {"NAMESPACE", "shop"}});
  EXPECT_EQ(said.exit_code, 7) << said.output << said.errors;
  for (const auto* line : {"by namespace: :\"rollcall@rollcall.shop.svc.cluster.local\"",
                           "by link: :\"rollcall@127.0.0.1\"", "error: \"no link to nobody@127.0.0.1:"}) {
    EXPECT_NE(said.output.find(line), std::string::npos) << line << "\n" << said.output << said.errors;
  }
}

// There is no Elixir to evaluate with: said at once.
TEST_F(IexPrograms, RpcEvalIsRefused) {
  const auto said = typed({"elixir", "--rpc-eval", "rollcall@127.0.0.1", "node()"}, "");
  EXPECT_EQ(said.exit_code, 1);
  EXPECT_NE((said.output + said.errors).find("undef"), std::string::npos) << said.output << said.errors;
}

}  // namespace
}  // namespace rollcall::test
