// The port mapper's protocol, byte for byte, both as client and as server.
#include "cnode/epmd.hpp"

#include <gtest/gtest.h>

#include "test/unit/cnode/hex.hpp"

namespace rollcall::cnode::epmd {
namespace {

using test::hex;

registration g() {
  registration out;
  out.alive = "g";
  out.port = 0x1267;
  out.node_type = 77;
  out.highest = 6;
  out.lowest = 5;
  return out;
}

// port type protocol highest lowest length name extra
const std::string g_bytes = hex("1267 4d 00 0006 0005 0001 67 0000");

TEST(PortMapper, RequestsHaveTheirLengthInFront) {
  EXPECT_EQ(encode_port_please("g"), hex("0002 7a 67"));
  EXPECT_EQ(encode_names(), hex("0001 6e"));
  EXPECT_EQ(encode_alive(g()), hex("000e 78") + g_bytes);
  registration ours;
  ours.alive = "rollcall";
  ours.port = 1;
  EXPECT_EQ(encode_alive(ours), hex("0015 78 0001 48 00 0006 0006 0008") + "rollcall" + hex("0000"));
}

TEST(PortMapper, PortReplyIsReadByteByByte) {
  const auto whole = hex("77 00") + g_bytes;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto part = decode_port_reply(byte_view(whole).substr(0, size));
    ASSERT_TRUE(part.has_value()) << size;
    EXPECT_FALSE(part->has_value()) << size;
  }
  const auto reply = decode_port_reply(whole).value();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->alive, "g");
  EXPECT_EQ(reply->port, 0x1267);
  EXPECT_EQ(reply->node_type, 77);
  EXPECT_EQ(reply->highest, 6);
  EXPECT_EQ(reply->lowest, 5);
  EXPECT_EQ(decode_port_reply(hex("77 01")).error(), error::not_registered);
  EXPECT_EQ(decode_port_reply(hex("78")).error(), error::bad_reply);
  EXPECT_EQ(decode_port_reply("HTTP/1.1 400 Bad Request").error(), error::bad_reply);
  EXPECT_EQ(decode_port_reply(hex("77 00 1267 4d 00 0006 0005 ffff")).error(), error::bad_reply)
      << "a name of 64 KiB";
  EXPECT_EQ(decode_port_reply(hex("77 00 1267 4d 00 0006 0005 0000")).error(), error::bad_reply) << "no name";
  EXPECT_EQ(decode_port_reply(hex("77 00 1267 4d 00 0006 0005 0001 67 ffff")).error(), error::bad_reply);
}

TEST(PortMapper, AliveReplyIsReadByteByByte) {
  for (const auto& [whole, creation] :
       {std::pair{hex("76 00 6b02c883"), 0x6b02c883U}, std::pair{hex("79 00 0002"), 2U}}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto part = decode_alive_reply(byte_view(whole).substr(0, size));
      ASSERT_TRUE(part.has_value());
      EXPECT_FALSE(part->has_value());
    }
    EXPECT_EQ(decode_alive_reply(whole).value(), creation);
  }
  EXPECT_EQ(decode_alive_reply(hex("76 01")).error(), error::name_taken);
  EXPECT_EQ(decode_alive_reply(hex("79 01 0063")).error(), error::name_taken);
  EXPECT_EQ(decode_alive_reply(hex("77")).error(), error::bad_reply);
}

TEST(PortMapper, NamesReplyIsALinePerName) {
  const std::string port = hex("00001111");
  const auto entries = decode_names_reply(port + "name a at port 4711\nname b-2 at port 65535\n").value();
  EXPECT_EQ(entries, (std::vector<name_entry>{{"a", 4711}, {"b-2", 65535}}));
  EXPECT_TRUE(decode_names_reply(port).value().empty());

  struct refused_row {
    const char* name;
    std::string bytes;
    error expected;
  };
  const refused_row rows[] = {
      {"nothing", "", error::truncated},
      {"half a port", hex("0000"), error::truncated},
      {"a line without its end", port + "name a at port 4711", error::truncated},
      {"another line", port + "active name a\n", error::bad_reply},
      {"no port", port + "name a at port \n", error::bad_reply},
      {"port beyond 65535", port + "name a at port 65536\n", error::bad_reply},
      {"negative port", port + "name a at port -1\n", error::bad_reply},
      {"words after the port", port + "name a at port 1 x\n", error::bad_reply},
      {"no name", port + "name  at port 1\n", error::bad_reply},
      {"1 MiB and more", port + std::string(max_names_reply, '\n'), error::bad_reply},
  };
  for (const auto& row : rows) {
    const auto reply = decode_names_reply(row.bytes);
    ASSERT_FALSE(reply.has_value()) << row.name;
    EXPECT_EQ(reply.error(), row.expected) << row.name;
  }
}

TEST(PortMapper, ServesWhatNodesAsk) {
  const auto alive = decode_request(hex("78") + g_bytes).value();
  ASSERT_TRUE(std::holds_alternative<registration>(alive));
  EXPECT_EQ(std::get<registration>(alive).alive, "g");
  EXPECT_EQ(std::get<registration>(alive).port, 0x1267);
  const auto port = decode_request(hex("7a") + "g").value();
  ASSERT_TRUE(std::holds_alternative<port_please>(port));
  EXPECT_EQ(std::get<port_please>(port).alive, "g");
  EXPECT_TRUE(std::holds_alternative<names>(decode_request(hex("6e")).value()));
}

TEST(PortMapper, RefusesRequestsItDoesNotServe) {
  struct refused_row {
    const char* name;
    std::string body;
    error expected;
  };
  const refused_row rows[] = {
      {"nothing", "", error::truncated},
      {"kill", "k", error::bad_reply},
      {"dump", "d", error::bad_reply},
      {"stop", "sg", error::bad_reply},
      {"port of no name", "z", error::bad_reply},
      {"port of a name with a line end", "za\nname b at port 1", error::bad_reply},
      {"registration of a name with a space", hex("78 1267 4d 00 0006 0005 0003") + "a b" + hex("0000"),
       error::bad_reply},
      {"registration without a name", hex("78 1267 4d 00 0006 0005 0000 0000"), error::bad_reply},
      {"registration without a port", hex("78 0000 4d 00 0006 0005 0001 67 0000"), error::bad_reply},
      {"registration that is cut", hex("78") + g_bytes.substr(0, g_bytes.size() - 1), error::truncated},
      {"more than a request can be", "z" + std::string(max_request, 'a'), error::bad_reply},
  };
  for (const auto& row : rows) {
    const auto request = decode_request(row.body);
    ASSERT_FALSE(request.has_value()) << row.name;
    EXPECT_EQ(request.error(), row.expected) << row.name;
  }
}

TEST(PortMapper, AnswersAsEpmdDoes) {
  const auto entry = g();
  EXPECT_EQ(encode_port_reply(&entry), hex("77 00") + g_bytes);
  EXPECT_EQ(encode_port_reply(nullptr), hex("77 01"));
  EXPECT_EQ(encode_alive_reply(true, 0x6b02c883), hex("76 00 6b02c883"));
  EXPECT_EQ(encode_alive_reply(false, 0), hex("76 01 00000000"));
  EXPECT_EQ(encode_names_reply(4369, {{"a", 1}, {"b", 2}}),
            hex("00001111") + "name a at port 1\nname b at port 2\n");
}

}  // namespace
}  // namespace rollcall::cnode::epmd
