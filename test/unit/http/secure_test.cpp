// HTTPS and passwords: what is served over TLS and to those who show a password, and what floods of either do
// to others.
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <thread>

#include "http/password_check.hpp"
#include "http/passwords.hpp"
#include "http/transport.hpp"
#include "test/support/certificates.hpp"
#include "test/unit/http/server_under_test.hpp"

namespace rollcall::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// Of roll: "secret" and "other" by bcrypt of cost 4; "secret" of cost 12, which takes a quarter of a second.
constexpr auto secret = "roll:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n";
constexpr auto other = "roll:$2b$04$abcdefghijklmnopqrstuu0HtfOlPbTiymk5tcV.3TsFPDd3SYZqu\n";
constexpr auto slow_secret = "roll:$2b$12$abcdefghijklmnopqrstuuT1Iwu6o8Wx7BoOyIMHfgVJq6JO/IJhW\n";
constexpr auto shows_secret = "Basic cm9sbDpzZWNyZXQ=", shows_other = "Basic cm9sbDpvdGhlcg==",
               shows_wrong = "Basic cm9sbDp3cm9uZw==", of_nobody = "Basic bm9ib2R5OnNlY3JldA==";

std::shared_ptr<const tls::context> context(int version = 0) {
  static const test::authority ca("the CA of the page");
  const auto own = ca.issue();
  tls::settings settings;
  settings.dialling.verify = settings.accepting.verify = false;
  settings.accepting.certificates = own.text;
  settings.accepting.key = own.key;
  settings.accepting.version_1_2 = version != 13;
  settings.accepting.version_1_3 = version != 12;
  std::string problem;
  auto made = tls::context::make(settings, problem);
  EXPECT_EQ(problem, "");
  return made;
}

// A client that speaks TLS, and waits.
class secure_client {
 public:
  explicit secure_client(const tcp::endpoint& at, const char* from = "127.0.0.1") : plain_(at, from) {
    SSL_set_fd(session_.get(), plain_.socket().native_handle());
  }
  bool shake() { return SSL_connect(session_.get()) == 1; }
  std::string version() const { return SSL_get_version(session_.get()); }
  std::string get(std::string_view target, std::string_view fields = {}) {
    const auto asked =
        "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" + std::string(fields) + "\r\n";
    SSL_write(session_.get(), asked.data(), static_cast<int>(asked.size()));
    std::string all;
    std::array<char, 4096> bytes{};
    for (std::size_t end = std::string::npos;;) {
      const auto count = SSL_read(session_.get(), bytes.data(), static_cast<int>(bytes.size()));
      if (count <= 0) return all;
      all.append(bytes.data(), static_cast<std::size_t>(count));
      if (end == std::string::npos) end = all.find("\r\n\r\n");
      const auto field = all.find("Content-Length: ");
      if (end != std::string::npos && field < end &&
          all.size() >= end + 4 + std::stoul(all.substr(field + 16)))
        return all;
    }
  }

 private:
  client plain_;
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_{SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
  std::unique_ptr<SSL, void (*)(SSL*)> session_{SSL_new(context_.get()), SSL_free};
};

// A client that writes records of TLS 1.3 of its own making.
class record_writer {
 public:
  explicit record_writer(const tcp::endpoint& at) : plain_(at) {
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(context_.get(), "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set_keylog_callback(context_.get(), [](const SSL* of, const char* line) {
      constexpr std::string_view label = "CLIENT_TRAFFIC_SECRET_0 ";
      const std::string_view said(line);
      if (said.starts_with(label))
        *static_cast<std::string*>(SSL_get_app_data(of)) = said.substr(label.size() + 65);
    });
    session_.reset(SSL_new(context_.get()));
    SSL_set_app_data(session_.get(), &hex_);
    SSL_set_fd(session_.get(), plain_.socket().native_handle());
  }
  bool shake() { return SSL_connect(session_.get()) == 1; }
  client& plain() { return plain_; }

  // RFC 8446, 5.2 and 7.3. The first one after the handshake has the number 0.
  std::string record(char kind, std::string text) {
    text += kind;
    const auto key = derived("key", 16);
    auto nonce = derived("iv", 12);
    nonce.back() = static_cast<char>(nonce.back() ^ static_cast<char>(number_++));
    const auto size = static_cast<int>(text.size());
    std::string made("\x17\x03\x03", 3);
    made += static_cast<char>((size + 16) >> 8);
    made += static_cast<char>((size + 16) & 0xff);
    std::string sealed(text.size() + 16, '\0');
    const std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> with(EVP_CIPHER_CTX_new(),
                                                                          EVP_CIPHER_CTX_free);
    int taken = 0;
    EVP_EncryptInit_ex(with.get(), EVP_aes_128_gcm(), nullptr, bytes_of(key), bytes_of(nonce));
    EVP_EncryptUpdate(with.get(), nullptr, &taken, bytes_of(made), static_cast<int>(made.size()));
    auto* const to = reinterpret_cast<unsigned char*>(sealed.data());
    EVP_EncryptUpdate(with.get(), to, &taken, bytes_of(text), size);
    EVP_EncryptFinal_ex(with.get(), to + size, &taken);
    EVP_CIPHER_CTX_ctrl(with.get(), EVP_CTRL_GCM_GET_TAG, 16, to + size);
    return made + sealed;
  }

 private:
  static const unsigned char* bytes_of(const std::string& text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  }
  std::string derived(const std::string& what, unsigned size) const {
    std::string from;
    for (std::size_t i = 0; i + 1 < hex_.size(); i += 2)
      from += static_cast<char>(std::stoi(hex_.substr(i, 2), nullptr, 16));
    const auto label = "tls13 " + what;
    std::string info{'\0', static_cast<char>(size), static_cast<char>(label.size())};
    info += label;
    info += '\0';
    info += '\1';
    std::array<unsigned char, EVP_MAX_MD_SIZE> made{};
    HMAC(EVP_sha256(), from.data(), static_cast<int>(from.size()), bytes_of(info), info.size(), made.data(),
         nullptr);
    return {reinterpret_cast<const char*>(made.data()), size};
  }

  client plain_;
  std::string hex_;
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_{SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
  std::unique_ptr<SSL, void (*)(SSL*)> session_{nullptr, SSL_free};
  unsigned number_ = 0;
};

class Secure : public server_under_test {
 protected:
  void serve_secured(int version = 0) {
    options with;
    with.tls = [made = context(version)] { return made; };
    serve(std::move(with), std::string(300'000, 'x') + "\n");
  }
  void serve_with(const std::string& file) {
    change(file);
    options with;
    with.passwords = [this] { return passwords_; };
    serve(std::move(with));
  }
  void change(const std::string& file) {
    std::string problem;
    auto parsed = http::passwords::parse(file, problem);
    ASSERT_TRUE(parsed) << problem;
    passwords_ = std::make_shared<const http::passwords>(*std::move(parsed));
  }
  std::string ask(std::string_view target, std::string_view authorization, const char* from = "127.0.0.1") {
    client one(at_, from);
    one.send("GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" +
             (authorization.empty() ? "" : "Authorization: " + std::string(authorization) + "\r\n") + "\r\n");
    return one.answer();
  }

  std::shared_ptr<const http::passwords> passwords_;
};

class SecureVersion : public Secure, public testing::WithParamInterface<std::pair<int, const char*>> {};

TEST_P(SecureVersion, IsServed) {
  serve_secured(GetParam().first);
  secure_client one(at_);
  ASSERT_TRUE(one.shake());
  EXPECT_EQ(one.version(), GetParam().second);
  EXPECT_THAT(one.get("/healthz"), StartsWith("HTTP/1.1 200"));
  EXPECT_GT(one.get("/metrics").size(), 300'000U) << "many records";
  EXPECT_THAT(one.get("/nowhere"), StartsWith("HTTP/1.1 404"));
}

INSTANTIATE_TEST_SUITE_P(, SecureVersion, testing::Values(std::pair(12, "TLSv1.2"), std::pair(13, "TLSv1.3")),
                         [](const auto& row) { return std::to_string(row.param.first); });

TEST_F(Secure, SaysToThoseWhoAskWithoutTlsWhatToDo) {
  serve_secured();
  client plain(at_);
  plain.get("/healthz");
  EXPECT_THAT(plain.answer(), testing::AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("ask with https://")));
}

TEST_F(Secure, HelloThatNeverEndsIsGivenUpWhenARequestWouldBe) {
  options with;
  with.tls = [made = context()] { return made; };
  with.request_limit = 300ms;
  serve(std::move(with));
  client halfway(at_);
  halfway.send(std::string("\x16\x03\x01\x01\x00\x01\x00\x00\xfc", 9));
  EXPECT_EQ(halfway.rest(), "");
}

TEST_F(Secure, HelloThatAnnouncesTooMuchIsRefusedAtOnce) {
  serve_secured();
  client large(at_);
  large.send(std::string("\x16\x03\x01\x40\x00\x01\x01\x00\x00", 9));
  EXPECT_THAT(large.answer(), StartsWith("HTTP/1.1 400"));
}

// 300 connections, more than there may be, that say hello and then nothing: another address is served.
TEST_F(Secure, HelloWithoutEndKeepsNobodyOut) {
  serve_secured();
  std::list<client> rude;
  for (int i = 0; i < 300; ++i)
    rude.emplace_back(at_, "127.0.0.66").send(std::string("\x16\x03\x01\x01\x00", 5));
  secure_client patient(at_, "127.0.0.88");
  ASSERT_TRUE(patient.shake());
  EXPECT_THAT(patient.get("/healthz"), StartsWith("HTTP/1.1 200"));
  EXPECT_LE(open_connections(), 256U);
}

// Nothing can be written before the rest of it has come, while the socket can be written all the time.
TEST_F(Secure, AMessageAboutKeysThatStopsHalfWayIsNoReasonToSpin) {
  constexpr char application_data = 23, handshake = 22;
  options with;
  with.tls = [made = context()] { return made; };
  with.request_limit = 5min;
  serve(std::move(with));
  record_writer rude(at_);
  ASSERT_TRUE(rude.shake());
  const auto asked = rude.record(application_data, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  rude.plain().send(asked + rude.record(handshake, std::string("\x18\0\0\1", 4)));
  EXPECT_EQ(rude.plain().rest(), "");
}

TEST_F(Secure, RecordsOfItsOwnMakingAreAnswered) {
  serve_secured();
  record_writer one(at_);
  ASSERT_TRUE(one.shake());
  one.plain().send(one.record(23, "GET /healthz HTTP/1.0\r\n\r\n"));
  EXPECT_GT(one.plain().rest().size(), 100U);
}

TEST_F(Secure, AnswersThoseWhoShowAPasswordAndTheProbes) {
  serve_with(secret);
  EXPECT_THAT(ask("/healthz", ""), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("/readyz?verbose", ""), testing::AllOf(StartsWith("HTTP/1.1 200"), EndsWith("\r\nok\n")));
  EXPECT_THAT(ask("/readyz", shows_wrong), EndsWith("\r\nok\n")) << "why is for those who may ask";
  EXPECT_THAT(ask("/readyz", shows_secret), EndsWith("\r\nrounds are working\n"));
  for (const auto* target : {"/", "/metrics", "/api/v1/status", "/healthz/", "/nowhere"}) {
    EXPECT_THAT(ask(target, ""), testing::AllOf(StartsWith("HTTP/1.1 401"),
                                                HasSubstr("WWW-Authenticate: Basic realm=\"rollcall\"")))
        << target;
  }
  EXPECT_THAT(ask("/metrics", shows_secret), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("/metrics", shows_wrong), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(ask("/metrics", of_nobody), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(ask("/metrics", "Bearer x"), StartsWith("HTTP/1.1 401"));
  on_thread([this] {
    EXPECT_EQ(noticed_, std::vector<std::string>{"127.0.0.1 asks over HTTP with a wrong password"});
  });
}

TEST_F(Secure, GuessesOfAnAddressEndWhileItsRightPasswordAndOthersAreTaken) {
  serve_with(secret);
  EXPECT_THAT(ask("/metrics", shows_secret, "127.0.0.66"), StartsWith("HTTP/1.1 200"));
  for (std::size_t i = 0; i < password_check::most_wrong; ++i) {
    EXPECT_THAT(ask("/metrics", shows_wrong, "127.0.0.66"), StartsWith("HTTP/1.1 401"));
  }
  EXPECT_THAT(ask("/metrics", shows_wrong, "127.0.0.66"),
              testing::AllOf(StartsWith("HTTP/1.1 429"), HasSubstr("Retry-After: 60")));
  EXPECT_THAT(ask("/metrics", shows_secret, "127.0.0.66"), StartsWith("HTTP/1.1 200")) << "known";
  EXPECT_THAT(ask("/metrics", shows_secret, "127.0.0.88"), StartsWith("HTTP/1.1 200"));
}

TEST_F(Secure, AChangedFileIsTakenAtOnce) {
  serve_with(secret);
  EXPECT_THAT(ask("/metrics", shows_secret), StartsWith("HTTP/1.1 200"));
  on_thread([this] { change(other); });
  EXPECT_THAT(ask("/metrics", shows_secret), StartsWith("HTTP/1.1 401")) << "no longer known";
  EXPECT_THAT(ask("/metrics", shows_other), StartsWith("HTTP/1.1 200"));
}

TEST_F(Secure, AStreamEndsWhenThePasswordItWasOpenedWithIsChanged) {
  serve_with(secret);
  client reader(at_);
  const auto field = "Authorization: " + std::string(shows_secret) + "\r\n";
  ASSERT_THAT(open_stream(reader, field), StartsWith("HTTP/1.1 200"));
  on_thread([this] { change(other); });
  EXPECT_THAT(reader.rest(), testing::Not(EndsWith("still open")));
  client again(at_);
  again.send("GET /api/v1/events/stream HTTP/1.1\r\nHost: x\r\n" + field + "\r\n");
  EXPECT_THAT(again.answer(), StartsWith("HTTP/1.1 401"));
}

TEST_F(Secure, GuessesAtWhatIsOpenAreToldToo) {
  serve_with(secret);
  EXPECT_THAT(ask("/healthz", shows_wrong), StartsWith("HTTP/1.1 200"));
  on_thread([this] { EXPECT_EQ(noticed_.size(), 1U); });
}

// More guesses at once than may wait, of one address: another one finds room, and has its turn.
TEST_F(Secure, NoAddressFillsTheLineAlone) {
  serve_with(slow_secret);
  std::list<client> guessing;
  for (std::size_t i = 0; i < 2 * password_check::most_waiting; ++i) {
    guessing.emplace_back(at_, "127.0.0.66")
        .send("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: " + std::string(shows_wrong) + "\r\n\r\n");
  }
  EXPECT_THAT(ask("/metrics", shows_secret, "127.0.0.88"), StartsWith("HTTP/1.1 200"));
}

// Twelve hashes, of a quarter of a second each, are worked out one after the other: the loop goes on
// meanwhile.
TEST_F(Secure, ProbesAreAnsweredWhilePasswordsAreWorkedOut) {
  serve_with(slow_secret);
  std::list<client> guessing;
  for (int i = 0; i < 12; ++i) {
    guessing.emplace_back(at_, ("127.0.0." + std::to_string(100 + i)).c_str())
        .send("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: " + std::string(shows_wrong) + "\r\n\r\n");
  }
  for (int i = 0; i < 3; ++i) EXPECT_THAT(ask("/healthz", ""), StartsWith("HTTP/1.1 200"));
  const auto unanswered =
      std::ranges::count_if(guessing, [](client& one) { return one.socket().available() == 0; });
  EXPECT_GT(unanswered, 0);
}

TEST(Credentials, AreReadOrNot) {
  const auto good = credentials_in("Basic cm9sbDpjYWxsOmFsbA==");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->name, "roll");
  EXPECT_EQ(good->password, "call:all");
  EXPECT_TRUE(credentials_in("basic cm9sbDo="));
  for (const auto* bad : {"", "Basic", "Basic ", "Basic x", "Bearer cm9sbDpj",
                          "Basic cm9sbA==", "Basic ====", "Basic cm9s!DpjYWxs", "Basic AAA6AAAA"}) {
    EXPECT_FALSE(credentials_in(bad)) << bad;
  }
}

TEST(Passwords, AreReadFromHtpasswdAndFromWebYml) {
  std::string problem;
  const std::string hash = "$2y$04$" + std::string(53, 'a');
  const auto both = http::passwords::parse(
      "\xEF\xBB\xBF# readers\nroll:" + hash + "\n\nbasic_auth_users:\n  call: \"" + hash + "\"\n", problem);
  ASSERT_TRUE(both) << problem;
  EXPECT_TRUE(both->knows("roll"));
  EXPECT_TRUE(both->knows("call"));
  EXPECT_FALSE(both->knows("basic_auth_users"));
  for (const auto& [text, words] : std::map<std::string, std::string>{
           {"", "it names nobody"},
           {"roll", "line 1 is not NAME:HASH"},
           {"roll:secret", "a password is never written here itself"},
           {"a:" + hash + "\na:" + hash, "line 2 has a name for the second time"},
           {"roll:$apr1$x$y", "`htpasswd -B` writes bcrypt"},
           {"tls_server_config:", "only basic_auth_users is taken"},
           {"roll:$2y$17$" + std::string(53, 'a'), "a hash of cost 17: at most 14"},
           {"roll:$2y$04$" + std::string(40, 'a'), "a hash that is cut off"},
           {"roll:$6$rounds=999999999$salt$hash", "a hash of more than 1000000 rounds"},
           {"roll:$6$rounds=x$salt$hash", "a hash of more than 1000000 rounds"}}) {
    EXPECT_FALSE(http::passwords::parse(text, problem)) << text;
    EXPECT_THAT(problem, HasSubstr(words));
    EXPECT_THAT(problem, testing::Not(HasSubstr(std::string(53, 'a'))));
  }
}

// The field may be written in another way, and other clients may wait meanwhile.
TEST(PasswordCheck, WhatWasRightOnceIsKnownAtOnce) {
  std::string problem;
  const auto of = std::make_shared<const passwords>(passwords::parse(secret, problem).value());
  asio::io_context io;
  const auto check = std::make_shared<password_check>(io);
  std::optional<password_check::verdict> found;
  const auto ask = [&](const std::string& field) {
    found.reset();
    const auto who = asio::ip::make_address("127.0.0.1");
    asio::co_spawn(io, check->check(of, who, field),
                   [&](const std::exception_ptr&, password_check::verdict made) { found = made; });
    io.restart();
  };
  ask(shows_secret);
  io.run();
  ASSERT_EQ(found, password_check::verdict::right);
  for (const std::string field : {shows_secret, "BASIC cm9sbDpzZWNyZXQ=", "basic   cm9sbDpzZWNyZXQ= "}) {
    ask(field);
    io.poll();  // and waits for nothing
    EXPECT_EQ(found, password_check::verdict::right) << field;
  }
}

}  // namespace
}  // namespace rollcall::http
