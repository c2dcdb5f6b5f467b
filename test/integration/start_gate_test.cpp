// The start-up gate of the example app (rel/overlays/bin/gate) as the kubelet runs it: it waits for "not yet"
// alone, and not for longer than it is told; a Rollcall that is away, hangs or talks nonsense keeps nobody
// from starting.
#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "test/support/files.hpp"
#include "test/support/manifest.hpp"
#include "test/support/process.hpp"
#include "test/support/rollcall_program.hpp"
#include "test/support/socket.hpp"
#include "test/support/wait.hpp"

namespace rollcall::test {
namespace {

using std::chrono::steady_clock;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

const std::string examples = std::string(ROLLCALL_SOURCE_DIR) + "/deploy/examples/";
const std::string node = "app@app-0.app.default.svc.cluster.local";

// Answers every connection with what it is told, and counts them; an empty answer: it listens and never says
// a word.
class web {
 public:
  explicit web(std::string answer)
      : answer_(std::move(answer)), thread_([this](const std::stop_token& stop) { serve(stop); }) {}
  std::string url() const { return "http://127.0.0.1:" + std::to_string(local_port(listener_)); }
  void become(const std::string& answer) {
    const std::lock_guard hold(lock_);
    answer_ = answer;
  }
  int asked() const { return asked_; }
  std::string request() const {
    const std::lock_guard hold(lock_);
    return request_;
  }

 private:
  void serve(const std::stop_token& stop) {
    std::vector<socket> silent;
    while (!stop.stop_requested()) {
      auto connection = accept_from(listener_, 50ms);
      if (!connection.open()) continue;
      ++asked_;
      std::string text;
      while (text.find("\r\n\r\n") == std::string::npos) {
        const auto one = connection.receive(1, 2s);
        if (!one) break;
        text += *one;
      }
      const std::lock_guard hold(lock_);
      request_ = text;
      if (!answer_.empty()) connection.send(answer_);
      if (!answer_.ends_with('\n')) silent.push_back(std::move(connection));
    }
  }
  mutable std::mutex lock_;
  std::string answer_, request_;
  std::atomic<int> asked_{0};
  socket listener_ = listen_tcp("127.0.0.1", 0);
  std::jthread thread_;
};

std::string http(int status, const std::string& reason) {
  return "HTTP/1.1 " + std::to_string(status) + " " + reason +
         "\r\ncontent-length: 3\r\nconnection: close\r\n\r\n{}\n";
}

// What an image has: every tool of this machine, bash among them (Debian), or busybox and nothing else
// (Alpine).
enum class image { debian, alpine };

class gate {
 public:
  explicit gate(image kind) {
    files_.write("node", node + "\n");
    if (kind == image::debian) return;
    const auto tools = files_.path() / "bin";
    std::filesystem::create_directory(tools);
    for (const char* tool : {"cat", "date", "sh", "sleep", "timeout", "wget"}) {
      std::filesystem::create_symlink(busybox(), tools / tool);
    }
    path_ = tools.string();
  }
  static std::string busybox() {
    for (const char* where : {"/bin/busybox", "/usr/bin/busybox"}) {
      if (std::filesystem::exists(where)) return where;
    }
    return {};
  }

  struct outcome {
    int exit_code;
    milliseconds took;
    std::string said;
  };
  // Once, as an exec probe.
  outcome run_once(const std::string& url, int seconds, bool writable_log = true) {
    const auto log = writable_log ? files_.write("log", "") : (files_.path() / "no/such/folder/log").string();
    std::map<std::string, std::string> environment{{"ROLLCALL_URL", url},
                                                   {"GATE_SECONDS", std::to_string(seconds)},
                                                   {"HOME", files_.path().string()},
                                                   {"GATE_LOG", log}};
    if (!path_.empty()) environment["PATH"] = path_;
    const auto begun = steady_clock::now();
    const auto ended =
        run({.arguments = {"/bin/sh", "-c", "exec \"$0\"", examples + "app/rel/overlays/bin/gate"},
             .environment = std::move(environment),
             .network_namespace = {}},
            120s);
    EXPECT_THAT(ended.errors, IsEmpty());
    return {ended.exit_code, std::chrono::duration_cast<milliseconds>(steady_clock::now() - begun),
            read_file(log)};
  }
  void forget_node() { std::filesystem::remove(files_.path() / "node"); }
  void write_node() { files_.write("node", node + "\n"); }

 private:
  temporary_directory files_;
  std::string path_;
};

class StartGate : public ::testing::TestWithParam<image> {
 protected:
  void SetUp() override {
    if (GetParam() != image::alpine || !gate::busybox().empty()) return;
    GTEST_SKIP() << "there is no busybox to play an Alpine image";
  }
};
INSTANTIATE_TEST_SUITE_P(Images, StartGate, ::testing::Values(image::debian, image::alpine),
                         [](const auto& row) { return row.param == image::debian ? "Debian" : "Alpine"; });

constexpr int long_wait = 60;  // seconds; a gate that ends well before did not wait for it
constexpr milliseconds soon{30'000};

TEST_P(StartGate, OpensAtOnceWhenTheNodeIsLinkedToAll) {
  gate g(GetParam());
  const web rollcall(http(200, "OK"));
  const auto ended = g.run_once(rollcall.url(), long_wait);
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_LT(ended.took, soon);
  EXPECT_EQ(ended.said, "gate: open: Rollcall lets " + node + " start\n");
  EXPECT_THAT(rollcall.request(), StartsWith("GET /api/v1/ready/" + node + "?strict=1 HTTP/1."));
}

TEST_P(StartGate, OpensAlsoWhenItCannotSaySo) {
  gate g(GetParam());
  const web rollcall(http(200, "OK"));
  EXPECT_LT(g.run_once(rollcall.url(), long_wait, false).took, soon);
}

TEST_P(StartGate, RollcallThatIsAwayKeepsNobody) {
  gate g(GetParam());
  const auto ended = g.run_once("http://127.0.0.1:" + std::to_string(free_port()), long_wait);
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_LT(ended.took, soon);
  EXPECT_THAT(ended.said, StartsWith("gate: open: no answer from http://127.0.0.1:"));
}

TEST_P(StartGate, RollcallThatHangsKeepsNobody) {
  gate g(GetParam());
  const web rollcall("");
  const auto ended = g.run_once(rollcall.url(), long_wait);
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_LT(ended.took, soon);
  EXPECT_THAT(ended.said, StartsWith("gate: open: no answer from "));
  EXPECT_GE(rollcall.asked(), 1) << "it did listen";
}

TEST_P(StartGate, ANameThatDoesNotResolveKeepsNobody) {
  gate g(GetParam());
  const auto ended = g.run_once("http://rollcall.invalid:14369", long_wait);
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_LT(ended.took, soon);
  EXPECT_EQ(ended.said, "gate: open: no answer from http://rollcall.invalid:14369\n");
}

TEST_P(StartGate, AnswersThatMeanNothingKeepNobody) {
  gate g(GetParam());
  for (const auto& answer :
       {http(404, "Not Found"), http(500, "Internal Server Error"), std::string("garbage\n"),
        std::string("\n"), std::string("HTTP/1.1 503 Serv") /* and then nothing */}) {
    SCOPED_TRACE(answer);
    const web rollcall(answer);
    const auto ended = g.run_once(rollcall.url(), long_wait);
    EXPECT_EQ(ended.exit_code, 0);
    EXPECT_LT(ended.took, soon);
    EXPECT_THAT(ended.said, StartsWith("gate: open: no answer from "));
  }
}

TEST_P(StartGate, NotYetIsWaitedForAndNotForLongerThanAllowed) {
  gate g(GetParam());
  const web rollcall(http(503, "Service Unavailable"));
  const auto ended = g.run_once(rollcall.url(), 4);
  EXPECT_EQ(ended.exit_code, 0) << "it never fails: a start-up probe that does ends the container";
  EXPECT_GE(ended.took, 3'900ms);
  EXPECT_LT(ended.took, soon);
  EXPECT_GE(rollcall.asked(), 2) << "again and again";
  EXPECT_THAT(ended.said,
              AllOf(StartsWith("gate: open after "), HasSubstr(node + " is not linked to all yet\n")));
}

TEST_P(StartGate, OpensAsSoonAsNotYetBecomesYes) {
  gate g(GetParam());
  web rollcall(http(503, "Service Unavailable"));
  const std::jthread later([&](const std::stop_token& over) {
    while (rollcall.asked() < 2 && !over.stop_requested()) std::this_thread::sleep_for(10ms);
    rollcall.become(http(200, "OK"));
  });
  const auto ended = g.run_once(rollcall.url(), long_wait);
  EXPECT_LT(ended.took, soon);
  EXPECT_EQ(ended.said, "gate: open: Rollcall lets " + node + " start\n");
}

TEST_P(StartGate, ANodeThatHasNoNameYetIsWaitedFor) {
  gate g(GetParam());
  const web rollcall(http(200, "OK"));
  g.forget_node();
  const std::jthread later([&] {
    std::this_thread::sleep_for(1'500ms);
    g.write_node();
  });
  const auto ended = g.run_once(rollcall.url(), long_wait);
  EXPECT_EQ(ended.said, "gate: open: Rollcall lets " + node + " start\n");
  EXPECT_GE(ended.took, 1'400ms);
}

TEST_P(StartGate, TheRealRollcallSaysNotYetOfANodeItDoesNotKnow) {
  gate g(GetParam());
  const rollcall_program rollcall(
      {.arguments = {"--node", "other@127.0.0.1", "--epmd", "none"}, .name = "rollcall@127.0.0.1"});
  const auto ended = g.run_once("http://127.0.0.1:" + std::to_string(rollcall.http_port()), 4);
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_GE(ended.took, 3'900ms) << ended.said;
}

TEST(ExampleManifests, AskRollcallAtTheStartOnlyAndWithinTheProbesTime) {
  int seen = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(examples)) {
    if (entry.path().extension() != ".yaml") continue;
    const auto text = read_file(entry.path());
    for (const char* kind : {"readinessProbe", "livenessProbe"}) {
      for (const auto& probe : blocks(text, kind)) {
        ++seen;
        for (const char* word : {"gate", "rollcall", "ROLLCALL", "14369", "/ready"}) {
          EXPECT_THAT(probe, Not(HasSubstr(word)))
              << entry.path() << ": an app's readiness must not hang on Rollcall";
        }
      }
    }
  }
  EXPECT_GE(seen, 2) << "the examples have readiness probes";

  for (const char* file : {"statefulset/app.yaml", "deployment/app.yaml"}) {
    const auto text = read_file(examples + file);
    const auto probes = blocks(text, "startupProbe");
    ASSERT_EQ(probes.size(), 1U) << file;
    EXPECT_THAT(probes[0], HasSubstr("command: [/app/bin/gate]\n"));
    const auto waits =
        std::stoi(environment_of(text, {{"metadata.namespace", "shop"}, {"status.podIP", "10.0.0.7"}})
                      .at("GATE_SECONDS"));
    EXPECT_GE(std::stoi(value_of(probes[0], "timeoutSeconds")), waits + 5)
        << "a gate that the kubelet ends is a failure, and failures end the container";
    EXPECT_GE(std::stoi(value_of(probes[0], "failureThreshold")), 2);
  }
}

}  // namespace
}  // namespace rollcall::test
