// TLS between nodes of ours: what is accepted, what is refused and with which words, and what goes over it.
#include "tls/context.hpp"

#include <gmock/gmock.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include "test/support/certificates.hpp"
#include "test/unit/cnode/node_under_test.hpp"

namespace rollcall::test {
namespace {

using cnode::error;
using namespace std::string_literals;
using testing::HasSubstr;
using tcp = boost::asio::ip::tcp;

const authority& ours_and_theirs() {
  static const authority made("the CA of the cluster");
  return made;
}

tls::side_settings side(const certificate& own) {
  tls::side_settings made;
  made.certificates = own.text;
  made.key = own.key;
  made.authorities = ours_and_theirs().text();
  return made;
}

tls::settings both(const certificate& own) {
  return {side(own), side(own)};
}

std::shared_ptr<const tls::context> made(const tls::settings& settings) {
  std::string problem;
  auto result = tls::context::make(settings, problem);
  EXPECT_TRUE(result) << problem;
  return result;
}

std::shared_ptr<const tls::context> good() {
  return made(both(ours_and_theirs().issue()));
}

class Tls : public testing::Test {
 protected:
  // Why a dial of `dialler` to `listener` fails; empty: it does not.
  std::string problem(std::shared_ptr<const tls::context> dialling,
                      std::shared_ptr<const tls::context> accepting) {
    node_under_test dialler(thread, "dialler@127.0.0.1"), listener(thread, "listener@127.0.0.1");
    dialler.options.tls = std::move(dialling);
    listener.options.tls = std::move(accepting);
    EXPECT_TRUE(dialler.start() && listener.start());
    const auto linked = dialler.dial("listener@127.0.0.1", listener.port());
    told.clear();
    if (linked) return {};
    EXPECT_EQ(linked.error().code, cnode::make_error_code(error::tls)) << linked.error().detail;
    EXPECT_TRUE(until([&] { return !listener.seen.handshakes().empty(); }, 30s, "the listener tells of it"));
    told = listener.seen.handshakes().front().detail;
    return linked.error().detail;
  }
  // It speaks TLS, and gives up handshakes after `limit`.
  static bool listens_with(node_under_test& listener, std::chrono::milliseconds limit) {
    listener.options.tls = good();
    listener.options.handshake_limit = limit;
    return listener.start().has_value();
  }
  io_thread thread;
  std::string told;  // of the listener
};

TEST_F(Tls, EachVersionIsSpoken) {
  for (const bool newer : {false, true}) {
    auto settings = both(ours_and_theirs().issue());
    settings.dialling.version_1_2 = !newer;
    settings.dialling.version_1_3 = newer;
    node_under_test dialler(thread, "dialler@127.0.0.1"), listener(thread, "listener@127.0.0.1");
    dialler.options.tls = made(settings);
    listener.options.tls = good();
    ASSERT_TRUE(dialler.start() && listener.start());
    const auto linked = dialler.dial("listener@127.0.0.1", listener.port());
    ASSERT_TRUE(linked) << linked.error().detail;
    EXPECT_EQ(linked->tls, newer ? "TLSv1.3" : "TLSv1.2");
    const std::string large(3U << 20U, 'x');
    const auto echoed = dialler.call("listener@127.0.0.1", "rollcall", "echo", {cnode::binary{large}});
    ASSERT_TRUE(echoed) << echoed.error().detail;
    EXPECT_EQ(echoed->as<cnode::binary>()->data, large);
    listener.stop();
    EXPECT_TRUE(
        until([&] { return dialler.seen.has_down("listener@127.0.0.1", error::closed); }, 30s, "closed"));
  }
}

TEST_F(Tls, WhatAListenerShowsIsVerified) {
  const auto& ca = ours_and_theirs();
  const authority other("another CA");
  const auto shown = [&](const certificate& own) { return problem(good(), made(both(own))); };
  EXPECT_EQ(shown(ca.issue()), "");
  EXPECT_EQ(shown(ca.issue({.names = "DNS:127.0.0.1"})), "");
  EXPECT_EQ(shown(ca.issue({.names = "IP:127.0.0.1"})), "");
  EXPECT_THAT(
      shown(ca.issue({.names = "DNS:elsewhere.test,DNS:*.0.0.1"})),
      HasSubstr("its certificate is for elsewhere.test, *.0.0.1, not for 127.0.0.1: its subjectAltName"));
  EXPECT_THAT(shown(other.issue()), HasSubstr("of a CA that we do not know: --tls-ca"));
  EXPECT_THAT(told, HasSubstr("does not know the CA of our certificate"));
  EXPECT_THAT(shown(ca.issue({.usage = "clientAuth"})), HasSubstr("its extendedKeyUsage needs serverAuth"));
  EXPECT_THAT(shown(ca.issue({.begins = -7'200s, .ends = -3'600s})),
              HasSubstr("has expired (its own ends 20"));
  EXPECT_THAT(told, HasSubstr("our certificate has expired"));
}

TEST_F(Tls, WhatADiallerShowsIsVerified) {
  const auto& ca = ours_and_theirs();
  const authority other("another CA");
  for (const bool newer : {false, true}) {
    SCOPED_TRACE(newer ? "1.3" : "1.2");
    const auto shown = [&](const certificate& own) {
      auto settings = both(own);
      settings.dialling.version_1_2 = !newer;
      settings.dialling.version_1_3 = newer;
      return problem(made(settings), good());
    };
    EXPECT_EQ(shown(ca.issue({.names = "DNS:elsewhere.test"})), "");
    EXPECT_THAT(shown(other.issue()), HasSubstr("does not know the CA of our certificate"));
    EXPECT_THAT(told, HasSubstr("of a CA that we do not know"));
    EXPECT_THAT(shown(ca.issue({.usage = "serverAuth"})), HasSubstr("its extendedKeyUsage needs clientAuth"));
    EXPECT_THAT(told, HasSubstr("its extendedKeyUsage needs clientAuth"));
    EXPECT_THAT(shown(ca.issue({.begins = -7'200s, .ends = -3'600s})),
                HasSubstr("our certificate has expired"));
    EXPECT_THAT(shown({}), HasSubstr("we have none to show"));
    EXPECT_THAT(told, HasSubstr("it shows no certificate"));
  }
}

TEST_F(Tls, VersionsThatDoNotMeet) {
  auto older = both(ours_and_theirs().issue()), newer = older;
  older.accepting.version_1_3 = false;
  newer.dialling.version_1_2 = false;
  EXPECT_THAT(problem(made(newer), made(older)), HasSubstr("no version of TLS that we"));
}

TEST_F(Tls, OneSideWithoutIt) {
  EXPECT_THAT(problem(good(), nullptr), HasSubstr("does not speak TLS, and we do"));
  EXPECT_THAT(told, HasSubstr("came with TLS, and we do not speak it: give --tls on"));
  node_under_test dialler(thread, "dialler@127.0.0.1"), listener(thread, "listener@127.0.0.1");
  listener.options.tls = good();
  ASSERT_TRUE(dialler.start() && listener.start());
  EXPECT_FALSE(dialler.dial("listener@127.0.0.1", listener.port()));
  EXPECT_TRUE(until([&] { return listener.seen.has_handshake(cnode::direction::incoming, error::tls); }, 30s,
                    "told"));
  EXPECT_THAT(listener.seen.handshakes().front().detail, HasSubstr("it does not speak TLS, and we do"));
}

TEST_F(Tls, NewCertificatesAreForNewLinksAndOldLinksStay) {
  node_under_test dialler(thread, "dialler@127.0.0.1"), listener(thread, "listener@127.0.0.1"),
      late(thread, "late@127.0.0.1");
  for (auto* node : {&dialler, &listener, &late}) {
    node->options.tls = good();
    ASSERT_TRUE(node->start());
  }
  ASSERT_TRUE(dialler.dial("listener@127.0.0.1", listener.port()));
  const authority other("another CA");
  auto settings = both(other.issue());
  thread.on([&] { (*listener).tls(made(settings)); });
  const auto refused = late.dial("listener@127.0.0.1", listener.port());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, cnode::make_error_code(error::tls));
  EXPECT_TRUE(dialler.call("listener@127.0.0.1", "rollcall", "members"));
}

// Who has not shown the cookie is gone after the limit, in the middle of TLS as anywhere.
TEST_F(Tls, AConnectionThatNeverFinishesIsClosed) {
  node_under_test listener(thread, "listener@127.0.0.1");
  ASSERT_TRUE(listens_with(listener, 300ms));
  boost::asio::io_context io;
  tcp::socket silent(io), halfway(io);
  const tcp::endpoint at(boost::asio::ip::address_v4::loopback(), listener.port());
  silent.connect(at);
  halfway.connect(at);
  boost::asio::write(halfway, boost::asio::buffer(std::string("\x16\x03\x01\x01\x00\x01", 6)));
  EXPECT_TRUE(until([&] { return listener.seen.handshakes().size() == 2; }, 30s, "both are given up"));
  for (const auto& ended : listener.seen.handshakes()) {
    EXPECT_EQ(ended.code, cnode::make_error_code(error::timed_out)) << ended.detail;
  }
}

// OpenSSL would make room for 128 KiB before a byte of them is there.
TEST_F(Tls, AHelloThatAnnouncesTooMuchIsRefusedAtOnce) {
  node_under_test listener(thread, "listener@127.0.0.1");
  ASSERT_TRUE(listens_with(listener, 30s));
  boost::asio::io_context io;
  tcp::socket large(io);
  large.connect({boost::asio::ip::address_v4::loopback(), listener.port()});
  boost::asio::write(large, boost::asio::buffer("\x16\x03\x01\x40\x00\x01\x00\x40\x01\x03\x03"s +
                                                std::string((16U << 10U) - 6, 'x')));
  EXPECT_TRUE(until([&] { return listener.seen.handshakes().size() == 1; }, 30s, "it is refused"));
  const auto ended = listener.seen.handshakes().front();
  EXPECT_EQ(ended.code, cnode::make_error_code(error::tls)) << ended.detail;
  EXPECT_THAT(ended.detail, HasSubstr("its first message is larger than 16 KiB"));
}

TEST_F(Tls, SettingsThatAreOfNoUse) {
  const auto& ca = ours_and_theirs();
  std::string problem;
  auto wrong = both(ca.issue());
  wrong.dialling.key = ca.issue().key;
  EXPECT_FALSE(tls::context::make(wrong, problem));
  EXPECT_THAT(problem, HasSubstr("the key is not the certificate's"));
  wrong.dialling.key = "no key";
  EXPECT_FALSE(tls::context::make(wrong, problem));
  EXPECT_THAT(problem, HasSubstr("holds no private key"));
  wrong.dialling.certificates = "nothing";
  EXPECT_FALSE(tls::context::make(wrong, problem));
  EXPECT_THAT(problem, HasSubstr("holds no certificate"));
  auto lonely = both(ca.issue());
  lonely.accepting.authorities.clear();
  EXPECT_FALSE(tls::context::make(lonely, problem));
  EXPECT_THAT(problem, HasSubstr("file of CAs"));
}

// A chain of which a part cannot be read would be shown, or believed, without that part.
TEST_F(Tls, AChainIsReadToItsEndOrNotAtAll) {
  const auto& ca = ours_and_theirs();
  const auto second = ca.issue().text;
  const std::string no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  for (const auto& broken :
       {second.substr(0, second.size() / 2), std::string("-----BEGIN CERTIFI"), std::string("--"),
        second.substr(second.find('\n') + 1),
        std::string("-----BEGIN CERTIFICATE----\nAAAA\n-----END CERTIFICATE-----\n"), no_certificate}) {
    const std::string what = broken == no_certificate ? "has a certificate 2 that cannot be read"
                                                      : "is cut off behind certificate 1: copy it whole";
    std::string problem;
    auto shown = both(ca.issue());
    shown.dialling.certificates += broken;
    EXPECT_FALSE(tls::context::make(shown, problem));
    EXPECT_THAT(problem, HasSubstr("the certificate file " + what));
    auto believed = both(ca.issue());
    believed.accepting.authorities += broken;
    EXPECT_FALSE(tls::context::make(believed, problem));
    EXPECT_THAT(problem, HasSubstr("the file of CAs " + what));
  }
  std::string problem;
  auto whole = both(ca.issue());
  whole.dialling.certificates += second + "text behind it\n" + whole.dialling.key;
  EXPECT_TRUE(tls::context::make(whole, problem)) << problem;
}

TEST_F(Tls, TheEarliestEndIsKnown) {
  auto settings = both(ours_and_theirs().issue({.ends = 86'400s * 3}));
  settings.accepting = side(ours_and_theirs().issue({.ends = 86'400s}));
  const auto left = made(settings)->valid()->end - std::chrono::system_clock::now();
  EXPECT_LT(left, 86'410s);
  EXPECT_GT(left, 86'000s);
}

}  // namespace
}  // namespace rollcall::test
