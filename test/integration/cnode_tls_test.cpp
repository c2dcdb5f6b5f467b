// TLS with real nodes: each version, each way a certificate can be wrong, both directions; new keys under
// load.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/beam.hpp"
#include "test/support/certificates.hpp"
#include "test/support/epmd.hpp"
#include "test/support/files.hpp"
#include "test/unit/cnode/node_under_test.hpp"

namespace rollcall::test {
namespace {

using cnode::error;
using testing::HasSubstr;

// Both sides know it.
const authority& cluster_ca() {
  static const authority made("the CA of the cluster");
  return made;
}

std::string quoted(const std::string& path) {
  return "\"" + path + "\"";
}

// An optfile whose node shows `own` and takes what the CA signed, of nodes that dial it, too.
std::string optfile(const temporary_directory& folder, const certificate& own, const std::string& version,
                    const std::string& more = "") {
  const auto one = quoted(folder.write("cert.pem", own.text)), key = quoted(folder.write("key.pem", own.key)),
             ca = quoted(folder.write("ca.pem", cluster_ca().text()));
  const auto shown = own.text.empty() ? "" : "{certfile," + one + "},{keyfile," + key + "},";
  const auto common =
      shown + "{cacertfile," + ca + "},{verify,verify_peer},{versions,['" + version + "']}" + more;
  return folder.write("tls.conf",
                      "[{server,[" + common + ",{fail_if_no_peer_cert,true}]},{client,[" + common + "]}].");
}

struct tls_node {
  tls_node(const std::string& name, std::uint16_t epmd_port, const std::string& version,
           const certificate& own, const std::string& more = "")
      : node(options(name, epmd_port, optfile(folder, own, version, more)), false) {}
  static beam_options options(const std::string& name, std::uint16_t epmd_port, const std::string& file) {
    beam_options made;
    made.name = name;
    made.epmd_port = epmd_port;
    made.arguments = {"-proto_dist", "inet_tls", "-ssl_dist_optfile", file};
    return made;
  }
  temporary_directory folder;
  beam node;
};

struct way_of_ours {
  const char* what;
  certificate own;
  const char* as_client;  // why a node that we dial refuses it; null: it does not
  const char* as_server;  // why a node that dials us does
};

std::vector<way_of_ours> ways_of_ours() {
  const authority other("another CA");
  const auto& ca = cluster_ca();
  return {
      {"good", ca.issue(), nullptr, nullptr},
      {"wrong CA", other.issue(), "does not know the CA of our certificate",
       "does not know the CA of our certificate"},
      // Whose name a client has no node asks.
      {"wrong name", ca.issue({.names = "DNS:elsewhere.test"}), nullptr, "it refuses our certificate"},
      {"none", {}, "we have none to show", "we have no certificate to show"},
      {"wrong usage", ca.issue({.usage = "codeSigning"}), "our certificate", "our certificate"},
      {"expired", ca.issue({.begins = std::chrono::seconds(-7'200), .ends = std::chrono::seconds(-3'600)}),
       "our certificate has expired", "our certificate has expired"},
  };
}

class CnodeTls : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    mapper = new epmd();
    const auto& ca = cluster_ca();
    older = new tls_node("older@127.0.0.1", mapper->port(), "tlsv1.2", ca.issue());
    newer = new tls_node("newer@127.0.0.1", mapper->port(), "tlsv1.3", ca.issue());
    older->node.ready();
    newer->node.ready();
  }
  static void TearDownTestSuite() {
    delete newer;
    delete older;
    delete mapper;
  }

  static std::shared_ptr<const tls::context> showing(const certificate& own) {
    tls::side_settings side;
    side.certificates = own.text;
    side.key = own.key;
    side.authorities = cluster_ca().text();
    std::string problem;
    auto made = tls::context::make({side, side}, problem);
    EXPECT_TRUE(made) << problem;
    return made;
  }
  void start(node_under_test& ours, std::shared_ptr<const tls::context> tls) const {
    ours.options.port_mapper = cnode::port_mapper_mode::register_only;
    ours.options.port_mapper_port = mapper->port();
    ours.options.tls = std::move(tls);
    ASSERT_TRUE(ours.start());
  }
  static cnode::target at(const std::string& alive) {
    return {*node_name::parse(alive + "@127.0.0.1"), alive, "127.0.0.1", {}, {}};
  }
  void dials_and_is_dialled(tls_node& peer, const std::string& alive, const std::string& version) {
    int number = 0;
    for (const auto& way : ways_of_ours()) {
      SCOPED_TRACE(way.what);
      const auto own = alive + "_roll" + std::to_string(++number);
      node_under_test ours(thread, own + "@127.0.0.1");
      start(ours, showing(way.own));
      ASSERT_TRUE(until([&] { return mapper->knows(own); }, 30s, "our registration"));

      const auto linked = ours.dial(at(alive));
      if (way.as_client == nullptr) {
        ASSERT_TRUE(linked) << linked.error().detail;
        EXPECT_EQ(linked->tls, version);
        EXPECT_TRUE(ours.call(alive + "@127.0.0.1", "erlang", "nodes"));
        thread.on([&] { (*ours).hang_up(linked->name); });
        ASSERT_TRUE(
            until([&] { return peer.node.eval("nodes(connected)") == "[]"; }, 30s, "the node saw it"));
      } else {
        ASSERT_FALSE(linked);
        EXPECT_EQ(linked.error().code, cnode::make_error_code(error::tls));
        EXPECT_THAT(linked.error().detail, HasSubstr(way.as_client));
      }

      const auto answer = peer.node.eval("net_kernel:connect_node('" + own + "@127.0.0.1')");
      EXPECT_EQ(answer, way.as_server == nullptr ? "true" : "false");
      if (way.as_server != nullptr) {
        EXPECT_TRUE(until([&] { return ours.seen.has_handshake(cnode::direction::incoming, error::tls); },
                          30s, "told"));
        for (const auto& told : ours.seen.handshakes()) {
          if (told.which == cnode::direction::incoming) {
            EXPECT_THAT(told.detail, HasSubstr(way.as_server));
          }
        }
      } else {
        EXPECT_TRUE(ours.call(alive + "@127.0.0.1", "erlang", "nodes"));
      }
      ours.stop();
      ASSERT_TRUE(
          until([&] { return peer.node.eval("nodes(connected)") == "[]"; }, 30s, "the node saw us leave"));
    }
  }

  static inline epmd* mapper = nullptr;
  static inline tls_node *older = nullptr, *newer = nullptr;
  io_thread thread;
};

TEST_F(CnodeTls, WhatWeShowTo12) {
  dials_and_is_dialled(*older, "older", "TLSv1.2");
}

TEST_F(CnodeTls, WhatWeShowTo13) {
  dials_and_is_dialled(*newer, "newer", "TLSv1.3");
}

struct way_of_a_node {
  const char* alive;
  certificate own;
  const char* dialled;  // why it is refused when we dial it; null: a TLS server needs one, and may only close
  const char* dialling;  // when it dials us
};

std::vector<way_of_a_node> ways_of_a_node() {
  const authority other("another CA");
  const auto& ca = cluster_ca();
  return {
      {"ca", other.issue(), "of a CA that we do not know", "of a CA that we do not know"},
      {"name", ca.issue({.names = "DNS:elsewhere.test"}), "is for elsewhere.test, not for 127.0.0.1",
       nullptr},
      {"none", {}, nullptr, "shows no certificate"},
      {"usage", ca.issue({.usage = "codeSigning"}), "extendedKeyUsage needs serverAuth",
       "extendedKeyUsage needs clientAuth"},
      {"late", ca.issue({.begins = std::chrono::seconds(-7'200), .ends = std::chrono::seconds(-3'600)}),
       "has expired", "has expired"},
  };
}

class CnodeTlsNode : public CnodeTls, public testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(Speaks, CnodeTlsNode, testing::Values("tlsv1.2", "tlsv1.3"),
                         [](const auto& version) { return "Tls1" + version.param.substr(6); });

TEST_P(CnodeTlsNode, ShowsWhatIsRefused) {
  const auto version = GetParam().substr(6);
  const auto ways = ways_of_a_node();
  node_under_test ours(thread, "watcher" + version + "@127.0.0.1");
  start(ours, showing(cluster_ca().issue()));
  std::vector<std::unique_ptr<tls_node>> nodes;
  for (const auto& way : ways) {
    nodes.push_back(
        std::make_unique<tls_node>(way.alive + version + "@127.0.0.1", mapper->port(), GetParam(), way.own));
  }
  for (std::size_t i = 0; i < ways.size(); ++i) {
    SCOPED_TRACE(ways[i].alive);
    auto& node = nodes[i]->node;
    node.ready();
    const auto linked = ours.dial(at(ways[i].alive + version));
    ASSERT_FALSE(linked);
    if (ways[i].dialled != nullptr) {
      EXPECT_EQ(linked.error().code, cnode::make_error_code(error::tls));
      EXPECT_THAT(linked.error().detail, HasSubstr(ways[i].dialled));
    } else if (node.eval("list_to_integer(erlang:system_info(otp_release)) > 23") == "true") {
      // One of OTP 23 closes when it is spoken to, as one without TLS does.
      EXPECT_THAT(linked.error().detail,
                  testing::AnyOf(HasSubstr("has none itself"), HasSubstr("in the middle of TLS")));
    }

    const auto before = ours.seen.handshakes().size();
    EXPECT_EQ(node.eval("net_kernel:connect_node('watcher" + version + "@127.0.0.1')"),
              ways[i].dialling != nullptr ? "false" : "true");
    ASSERT_TRUE(until([&] { return ours.seen.handshakes().size() > before; }, 30s, "told"));
    const auto told = ours.seen.handshakes().back();
    EXPECT_EQ(told.which, cnode::direction::incoming);
    if (ways[i].dialling != nullptr) {
      EXPECT_THAT(told.detail, HasSubstr(ways[i].dialling));
    }
  }
}

// Its sender renegotiates after so many records (1.2), or changes its key (1.3), while both sides send.
TEST_F(CnodeTls, NewKeysUnderLoad) {
  node_under_test ours(thread, "loaded@127.0.0.1");
  start(ours, showing(cluster_ca().issue()));
  ASSERT_TRUE(until([&] { return mapper->knows("loaded"); }, 30s, "our registration"));
  tls_node old_keys("keys2@127.0.0.1", mapper->port(), "tlsv1.2", cluster_ca().issue(),
                    ",{renegotiate_at,50}");
  tls_node new_keys("keys3@127.0.0.1", mapper->port(), "tlsv1.3", cluster_ca().issue(),
                    ",{key_update_at,100000}");
  const std::string large(100U << 10U, 'x');
  for (auto* peer : {&old_keys, &new_keys}) {
    for (const bool we_dial : {true, false}) {
      SCOPED_TRACE(peer->node.name() + (we_dial ? " is dialled" : " dials"));
      peer->node.ready();
      const auto name = peer->node.name();
      if (we_dial) {
        const auto linked = ours.dial(at(name.substr(0, name.find('@'))));
        ASSERT_TRUE(linked) << linked.error().detail;
      } else {
        ASSERT_EQ(peer->node.eval("net_kernel:connect_node('loaded@127.0.0.1')"), "true");
      }
      for (int i = 0; i < 20; ++i) {
        const auto back = ours.call(name, "binary", "copy", {cnode::binary{large}});
        ASSERT_TRUE(back) << i << ": " << back.error().detail;
        ASSERT_EQ(back->as<cnode::binary>()->data, large);
      }
      EXPECT_FALSE(ours.seen.has_down(name, error::tls));
      peer->node.eval("erlang:disconnect_node('loaded@127.0.0.1')");
      ASSERT_TRUE(until([&] { return ours.peers().empty(); }, 30s, "the link is gone"));
    }
  }
}

TEST_F(CnodeTls, OneSideWithoutIt) {
  beam_options plain;
  plain.name = "plain@127.0.0.1";
  plain.epmd_port = mapper->port();
  beam without(plain);
  node_under_test secure(thread, "secure@127.0.0.1"), open(thread, "open@127.0.0.1");
  start(secure, showing(cluster_ca().issue()));
  start(open, nullptr);
  ASSERT_TRUE(
      until([&] { return mapper->knows("secure") && mapper->knows("open"); }, 30s, "our registrations"));
  const auto to_plain = secure.dial(at("plain"));
  ASSERT_FALSE(to_plain);
  EXPECT_EQ(to_plain.error().code, cnode::make_error_code(error::tls));
  EXPECT_THAT(to_plain.error().detail,
              HasSubstr("does not speak TLS, and we do: start it with -proto_dist inet_tls"));
  const auto to_tls = open.dial(at("newer"));
  ASSERT_FALSE(to_tls);
  // OTP 23 closes where later ones send an alert, so that nothing tells TLS from any other refusal.
  if (newer->node.eval("list_to_integer(erlang:system_info(otp_release)) > 23") == "true") {
    EXPECT_EQ(to_tls.error().code, cnode::make_error_code(error::tls));
    EXPECT_THAT(to_tls.error().detail, HasSubstr("speaks TLS, and we do not"));
  } else {
    EXPECT_THAT(to_tls.error().detail, HasSubstr("closed the connection during the handshake"));
  }
  EXPECT_EQ(without.eval("net_kernel:connect_node('secure@127.0.0.1')"), "false");
  EXPECT_TRUE(
      until([&] { return secure.seen.has_handshake(cnode::direction::incoming, error::tls); }, 30s, "told"));
  EXPECT_EQ(newer->node.eval("net_kernel:connect_node('open@127.0.0.1')"), "false");
  EXPECT_TRUE(
      until([&] { return open.seen.has_handshake(cnode::direction::incoming, error::tls); }, 30s, "told"));
}

}  // namespace
}  // namespace rollcall::test
