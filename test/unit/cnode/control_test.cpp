// Frames and control messages. The bytes are what an OTP 25 node (g@127.0.0.1) sent to a hidden peer
// (peer@127.0.0.1), with and without a sequential trace token; those marked so are written by hand.
#include "cnode/control.hpp"

#include <gtest/gtest.h>

#include "cnode/term_check.hpp"
#include "test/unit/cnode/hex.hpp"

namespace rollcall::cnode {
namespace {

using test::g_atom;
using test::hex;
using test::peer_atom;

const std::string g_pid = hex("58") + g_atom + hex("00000009 00000000 6b02c883");
const std::string peer_pid = hex("58") + peer_atom + hex("00000005 00000006 11223344");
const std::string g_ref = hex("5a 0003") + g_atom + hex("6b02c883 00021de8 d91d0002 01b34b85");
const std::string peer_ref = hex("5a 0003") + peer_atom + hex("11223344 00000001 00000002 00000003");
// {Flags, Label, Serial, From, Previous}
const std::string token = hex("68 05 61 01 61 11 61 5b") + g_pid + hex("61 4f");
const std::string empty_atom = hex("77 00");
const std::string rollcall_atom = hex("77 08 726f6c6c63616c6c");
const std::string hi = hex("77 02 6869");
const std::string mfa = hex("68 03 77 04 65727063 77 0c 657865637574655f63616c6c 61 04");
const std::string monitor_option = hex("6c 00000001 77 07 6d6f6e69746f72 6a");

const pid g{"g@127.0.0.1", 9, 0, 0x6b02c883};
const pid peer{"peer@127.0.0.1", 5, 6, 0x11223344};
const reference ref{"g@127.0.0.1", 0x6b02c883, {0x00021de8, 0xd91d0002, 0x01b34b85}, 3};
const reference alias{"peer@127.0.0.1", 0x11223344, {1, 2, 3}, 3};

std::string text(const process_id& process) {
  return std::visit([](const auto& p) { return to_string(term(p)); }, process);
}

// Every field, so that none can be mixed up unseen.
struct described {
  std::string operator()(const control::link& m) const { return "link " + text(m.from) + text(m.to); }
  std::string operator()(const control::send& m) const { return "send " + text(m.to); }
  std::string operator()(const control::exit& m) const {
    return "exit " + text(m.from) + text(m.to) + to_string(m.reason);
  }
  std::string operator()(const control::unlink& m) const { return "unlink " + text(m.from) + text(m.to); }
  std::string operator()(const control::reg_send& m) const { return "reg_send " + text(m.from) + m.to.text; }
  std::string operator()(const control::group_leader& m) const {
    return "group_leader " + text(m.from) + text(m.to);
  }
  std::string operator()(const control::exit2& m) const {
    return "exit2 " + text(m.from) + text(m.to) + to_string(m.reason);
  }
  std::string operator()(const control::monitor& m) const {
    return "monitor " + text(m.from) + text(m.to) + to_string(m.ref);
  }
  std::string operator()(const control::demonitor& m) const {
    return "demonitor " + text(m.from) + text(m.to) + to_string(m.ref);
  }
  std::string operator()(const control::monitor_exit& m) const {
    return "monitor_exit " + text(m.from) + text(m.to) + to_string(m.ref) + to_string(m.reason);
  }
  std::string operator()(const control::spawn_request& m) const {
    return "spawn_request " + to_string(m.id) + text(m.from) + text(m.group_leader) + m.module.text + ":" +
           m.function.text + "/" + std::to_string(m.arity) + to_string(m.options);
  }
  std::string operator()(const control::spawn_reply& m) const {
    return "spawn_reply " + to_string(m.id) + text(m.to) + std::to_string(m.flags) + text(m.outcome);
  }
  std::string operator()(const control::alias_send& m) const {
    return "alias_send " + text(m.from) + to_string(m.alias);
  }
  std::string operator()(const control::unlink_id& m) const {
    return "unlink_id " + std::to_string(m.id) + text(m.from) + text(m.to);
  }
  std::string operator()(const control::unlink_id_ack& m) const {
    return "unlink_id_ack " + std::to_string(m.id) + text(m.from) + text(m.to);
  }
};

struct row {
  const char* name;
  std::string control;  // after the version byte
  std::string payload;  // likewise; empty: none
  control_message expected;
};

std::string frame_of(const row& r) {
  auto frame = hex("70 83") + r.control;
  if (!r.payload.empty()) frame += hex("83") + r.payload;
  return frame;
}

std::vector<row> untraced() {
  const control::spawn_request spawn{
      ref, g, g, {"erpc"}, {"execute_call"}, 4, list{{atom{"monitor"}}, nullptr}};
  return {
      {"LINK", hex("68 03 61 01") + g_pid + peer_pid, "", control::link{g, peer}},
      {"SEND", hex("68 03 61 02") + empty_atom + peer_pid, hi, control::send{peer}},
      {"EXIT", hex("68 04 61 03") + g_pid + peer_pid + hi, "", control::exit{g, peer, atom{"hi"}}},
      {"UNLINK (by hand)", hex("68 03 61 04") + g_pid + peer_pid, "", control::unlink{g, peer}},
      {"REG_SEND", hex("68 04 61 06") + g_pid + empty_atom + rollcall_atom, hi,
       control::reg_send{g, {"rollcall"}}},
      {"GROUP_LEADER", hex("68 03 61 07") + g_pid + peer_pid, "", control::group_leader{g, peer}},
      {"EXIT2", hex("68 04 61 08") + g_pid + peer_pid + hi, "", control::exit2{g, peer, atom{"hi"}}},
      {"MONITOR_P of a name", hex("68 04 61 13") + g_pid + rollcall_atom + g_ref, "",
       control::monitor{g, atom{"rollcall"}, ref}},
      {"MONITOR_P of a pid", hex("68 04 61 13") + g_pid + peer_pid + g_ref, "",
       control::monitor{g, peer, ref}},
      {"DEMONITOR_P of a name", hex("68 04 61 14") + g_pid + rollcall_atom + g_ref, "",
       control::demonitor{g, atom{"rollcall"}, ref}},
      {"DEMONITOR_P of a pid", hex("68 04 61 14") + g_pid + peer_pid + g_ref, "",
       control::demonitor{g, peer, ref}},
      {"MONITOR_P_EXIT of a pid (by hand)", hex("68 05 61 15") + peer_pid + g_pid + g_ref + hi, "",
       control::monitor_exit{peer, g, ref, atom{"hi"}}},
      {"MONITOR_P_EXIT of a name (by hand)", hex("68 05 61 15") + rollcall_atom + g_pid + g_ref + hi, "",
       control::monitor_exit{atom{"rollcall"}, g, ref, atom{"hi"}}},
      {"SPAWN_REQUEST", hex("68 06 61 1d") + g_ref + g_pid + g_pid + mfa + monitor_option, hex("6a"), spawn},
      {"SPAWN_REPLY with a pid (by hand)", hex("68 05 61 1f") + g_ref + g_pid + hex("61 02") + peer_pid, "",
       control::spawn_reply{ref, g, control::spawn_reply::flag_monitor, peer}},
      {"SPAWN_REPLY with an error (by hand)", hex("68 05 61 1f") + g_ref + g_pid + hex("61 00") + hi, "",
       control::spawn_reply{ref, g, 0, atom{"hi"}}},
      {"ALIAS_SEND", hex("68 03 61 21") + g_pid + peer_ref, hi, control::alias_send{g, alias}},
      {"UNLINK_ID", hex("68 04 61 23 61 04") + g_pid + peer_pid, "", control::unlink_id{4, g, peer}},
      {"UNLINK_ID, greatest (by hand)", hex("68 04 61 23 6e 08 00 ffffffffffffffff") + g_pid + peer_pid, "",
       control::unlink_id{UINT64_MAX, g, peer}},
      {"UNLINK_ID_ACK (by hand)", hex("68 04 61 24 61 04") + g_pid + peer_pid, "",
       control::unlink_id_ack{4, g, peer}},
  };
}

// Read only: we never send these.
std::vector<row> traced() {
  const control::spawn_request spawn{
      ref, g, g, {"erpc"}, {"execute_call"}, 4, list{{atom{"monitor"}}, nullptr}};
  return {
      {"SEND_TT", hex("68 04 61 0c") + empty_atom + peer_pid + token, hi, control::send{peer}},
      {"EXIT_TT", hex("68 05 61 0d") + g_pid + peer_pid + token + hi, "", control::exit{g, peer, atom{"hi"}}},
      {"REG_SEND_TT", hex("68 05 61 10") + g_pid + empty_atom + rollcall_atom + token, hi,
       control::reg_send{g, {"rollcall"}}},
      {"EXIT2_TT (by hand)", hex("68 05 61 12") + g_pid + peer_pid + token + hi, "",
       control::exit2{g, peer, atom{"hi"}}},
      {"SEND_SENDER (by hand)", hex("68 03 61 16") + g_pid + peer_pid, hi, control::send{peer}},
      {"SEND_SENDER_TT (by hand)", hex("68 04 61 17") + g_pid + peer_pid + token, hi, control::send{peer}},
      {"SPAWN_REQUEST_TT", hex("68 07 61 1e") + g_ref + g_pid + g_pid + mfa + monitor_option + token,
       hex("6a"), spawn},
      {"SPAWN_REPLY_TT (by hand)", hex("68 06 61 20") + g_ref + g_pid + hex("61 02") + peer_pid + token, "",
       control::spawn_reply{ref, g, control::spawn_reply::flag_monitor, peer}},
      {"ALIAS_SEND_TT", hex("68 04 61 22") + g_pid + peer_ref + token, hi, control::alias_send{g, alias}},
  };
}

void expect_parsed(const row& r) {
  SCOPED_TRACE(r.name);
  const auto frame = frame_of(r);
  const auto parsed = parse_message(frame);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
  EXPECT_EQ(parsed->control.index(), r.expected.index());
  EXPECT_EQ(std::visit(described(), parsed->control), std::visit(described(), r.expected));
  EXPECT_EQ(parsed->payload, r.payload);
}

TEST(ControlMessage, IsReadAndWrittenAsTheSameBytes) {
  for (const auto& r : untraced()) {
    expect_parsed(r);
    const auto written = encode_message(r.expected, r.payload);
    EXPECT_EQ(byte_view(written).substr(4), frame_of(r)) << r.name;
    const std::array<std::uint8_t, 4> prefix = {
        static_cast<std::uint8_t>(written[0]), static_cast<std::uint8_t>(written[1]),
        static_cast<std::uint8_t>(written[2]), static_cast<std::uint8_t>(written[3])};
    EXPECT_EQ(frame_length(prefix).value(), written.size() - 4) << r.name;
  }
}

TEST(ControlMessage, IsReadWithATraceTokenOrASender) {
  for (const auto& r : traced()) expect_parsed(r);
}

// What a node sends to a peer that announced EXIT_PAYLOAD: the reason stands behind the control message.
TEST(ControlMessage, AReasonMayBeThePayload) {
  const row rows[] = {
      {"PAYLOAD_EXIT", hex("68 03 61 18") + g_pid + peer_pid, hi, control::exit{g, peer, atom{"hi"}}},
      {"PAYLOAD_EXIT_TT", hex("68 04 61 19") + g_pid + peer_pid + token, hi,
       control::exit{g, peer, atom{"hi"}}},
      {"PAYLOAD_EXIT2", hex("68 03 61 1a") + g_pid + peer_pid, hi, control::exit2{g, peer, atom{"hi"}}},
      {"PAYLOAD_EXIT2_TT", hex("68 04 61 1b") + g_pid + peer_pid + token, hi,
       control::exit2{g, peer, atom{"hi"}}},
      {"PAYLOAD_MONITOR_P_EXIT of a pid", hex("68 04 61 1c") + peer_pid + g_pid + g_ref, hi,
       control::monitor_exit{peer, g, ref, atom{"hi"}}},
      {"PAYLOAD_MONITOR_P_EXIT of a name", hex("68 04 61 1c") + rollcall_atom + g_pid + g_ref, hi,
       control::monitor_exit{atom{"rollcall"}, g, ref, atom{"hi"}}},
  };
  for (const auto& r : rows) {
    SCOPED_TRACE(r.name);
    const auto frame = frame_of(r);
    const auto parsed = parse_message(frame);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
    EXPECT_EQ(std::visit(described(), parsed->control), std::visit(described(), r.expected));
    EXPECT_TRUE(parsed->payload.empty());
    const auto kept = parse_message(frame, reasons::kept);
    ASSERT_TRUE(kept.has_value());
    const auto* down = std::get_if<control::monitor_exit>(&kept->control);
    if (down != nullptr) {
      EXPECT_EQ(down->reason, term(opaque{hi}));
    }
    for (std::size_t size = 0; size < frame.size(); ++size) {
      EXPECT_FALSE(parse_message(byte_view(frame).substr(0, size)).has_value()) << size;
    }
    // Of one that is too large: the answer of a call of ours closes the link, nobody waits for the others.
    const auto head = parse_head(frame);
    ASSERT_FALSE(head.has_value());
    EXPECT_EQ(head.error(), down != nullptr ? error::frame_too_large : error::unknown_control);
  }
}

TEST(ControlMessage, EveryCapturedFrameIsUnderstood) {
  for (const auto& [name, frame] : test::corpus("message")) {
    const auto parsed = parse_message(frame);
    EXPECT_TRUE(parsed.has_value()) << name << ": " << parsed.error().message();
  }
}

TEST(ControlMessage, AFrontServesManyMessages) {
  const control::reg_send to{pid{"us@127.0.0.1", 1, 0, 7}, atom{"somebody"}};
  message_front front(to);
  for (const std::size_t size : {300U, 1U, 70'000U}) {
    const auto payload = term_writer().binary(std::string(size, 'x')).bytes();
    EXPECT_EQ(front.with(payload), encode_message(to, payload)) << size;
  }
}

TEST(ControlMessage, EveryTruncationIsRefused) {
  auto all = untraced();
  for (auto& r : traced()) all.push_back(std::move(r));
  for (const auto& r : all) {
    const auto frame = frame_of(r);
    for (std::size_t size = 0; size < frame.size(); ++size) {
      EXPECT_FALSE(parse_message(byte_view(frame).substr(0, size)).has_value())
          << r.name << " cut to " << size;
    }
  }
}

TEST(ControlMessage, PayloadIsThereExactlyWhenTheOperationHasOne) {
  auto all = untraced();
  for (auto& r : traced()) all.push_back(std::move(r));
  for (auto r : all) {
    r.payload = r.payload.empty() ? hi : std::string();
    const auto parsed = parse_message(frame_of(r));
    ASSERT_FALSE(parsed.has_value()) << r.name;
    EXPECT_EQ(parsed.error(), error::bad_control) << r.name;
  }
}

TEST(ControlMessage, RefusesWithTheRightReason) {
  struct refused_row {
    const char* name;
    std::string frame;
    error expected;
  };
  const refused_row rows[] = {
      {"nothing", "", error::truncated},
      {"a distribution header", hex("83 44 00"), error::bad_control},
      {"pass-through and nothing", hex("70"), error::truncated},
      {"no version byte", hex("70 68 00"), error::bad_version},
      {"not a tuple", hex("70 83 6a"), error::bad_control},
      {"empty tuple", hex("70 83 68 00"), error::bad_control},
      {"operation that is no number", hex("70 83 68 01 6a"), error::bad_control},
      {"operation of 64 bits", hex("70 83 68 01 6e 08 00 ffffffffffffffff"), error::bad_control},
      {"operation 0", hex("70 83 68 01 61 00"), error::unknown_control},
      {"NODE_LINK", hex("70 83 68 01 61 05"), error::unknown_control},
      {"PAYLOAD_EXIT without a reason", hex("70 83 68 03 61 18") + g_pid + peer_pid, error::bad_control},
      {"PAYLOAD_MONITOR_P_EXIT whose reason cannot be read",
       hex("70 83 68 04 61 1c") + peer_pid + g_pid + g_ref + hex("83 00"), error::unknown_tag},
      {"operation 37", hex("70 83 68 01 61 25"), error::unknown_control},
      {"negative operation", hex("70 83 68 01 62 ffffffff"), error::unknown_control},
      {"LINK with one pid", hex("70 83 68 02 61 01") + g_pid, error::bad_control},
      {"LINK with three pids", hex("70 83 68 04 61 01") + g_pid + g_pid + g_pid, error::bad_control},
      {"LINK to a name", hex("70 83 68 03 61 01") + g_pid + rollcall_atom, error::bad_control},
      {"MONITOR_P with a pid for a reference", hex("70 83 68 04 61 13") + g_pid + peer_pid + g_pid,
       error::bad_control},
      {"SPAWN_REQUEST of {M, F}",
       hex("70 83 68 06 61 1d") + g_ref + g_pid + g_pid + hex("68 02") + hi + hi + hex("6a 83 6a"),
       error::bad_control},
      {"UNLINK_ID 0", hex("70 83 68 04 61 23 61 00") + g_pid + peer_pid, error::bad_control},
      {"negative UNLINK_ID", hex("70 83 68 04 61 23 62 ffffffff") + g_pid + peer_pid, error::bad_control},
      {"payload without version byte", hex("70 83 68 03 61 02") + empty_atom + peer_pid + hi,
       error::bad_version},
      {"two payloads", hex("70 83 68 03 61 02") + empty_atom + peer_pid + hex("83") + hi + hi,
       error::trailing_bytes},
      {"payload of an unknown tag", hex("70 83 68 03 61 02") + empty_atom + peer_pid + hex("83 00"),
       error::unknown_tag},
      {"reason nested too deeply",
       hex("70 83 68 04 61 03") + g_pid + peer_pid +
           [] {
             std::string deep;
             for (int i = 0; i < 300; ++i) deep += hex("68 01");
             return deep + hex("6a");
           }(),
       error::too_deep},
  };
  for (const auto& row : rows) {
    const auto parsed = parse_message(row.frame);
    ASSERT_FALSE(parsed.has_value()) << row.name;
    EXPECT_EQ(parsed.error(), row.expected) << row.name << ": " << parsed.error().message();
  }
}

TEST(FrameReader, RejectsLengthAboveLimit) {
  EXPECT_EQ(frame_length({0xff, 0xff, 0xff, 0xff}).error(), error::frame_too_large);
  EXPECT_EQ(frame_length({0x10, 0x00, 0x00, 0x01}).error(), error::frame_too_large);
  EXPECT_EQ(frame_length({0x10, 0x00, 0x00, 0x00}).value(), max_skipped_frame_size);
  EXPECT_EQ(frame_length({0x00, 0x80, 0x00, 0x00}).value(), max_frame_size);
  EXPECT_EQ(frame_length({0, 0, 0, 0}).value(), 0U);
}

TEST(ControlMessage, AnswersOfLargeTermsKeepTheirBytes) {
  term_writer payload;
  payload.binary(std::string(5'000'000, 'x'));
  const auto frame = encode_message(control::send{g}, payload.view());
  const auto parsed = parse_message(byte_view(frame).substr(4));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->payload, payload.view());
}

}  // namespace
}  // namespace rollcall::cnode
