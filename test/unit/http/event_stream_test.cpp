// Events as a stream: what is new and nothing twice, from where a client left off, and what it is too late
// for.
#include "http/event_stream.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "http/routes.hpp"

namespace rollcall::http {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// Events with the ids first ... last.
membership::snapshot holding(std::uint64_t first, std::uint64_t last) {
  membership::snapshot now;
  for (auto id = first; id <= last; ++id) {
    membership::event each;
    each.id = id;
    each.at = membership::wall_time(std::chrono::milliseconds(1000 * id));
    each.type = membership::event_type::member_up;
    each.text = "event " + std::to_string(id);
    now.events.push_back(each);
  }
  return now;
}

std::string told(event_stream& stream, const membership::snapshot& now) {
  std::string out;
  stream.append(now, out);
  return out;
}

// The ids and names in it, in order: "missed 3up 4up".
std::string outline(const std::string& text) {
  std::string all, id;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("id: ")) id = line.substr(4);
    if (!line.starts_with("event: ")) continue;
    all += (all.empty() ? "" : " ") + (line == "event: missed" ? "missed" : id + line.substr(14));
  }
  return all;
}

TEST(EventStream, TellsWhatHappensFromNowOnAndNothingTwice) {
  auto stream = event_stream::from_now(holding(1, 3), 0);
  EXPECT_THAT(told(stream, holding(1, 3)), IsEmpty());
  EXPECT_EQ(told(stream, holding(1, 4)),
            "id: 4\nevent: member_up\n"
            "data: "
            "{\"id\":4,\"at\":4000,\"type\":\"member_up\",\"node\":null,\"reason\":null,\"netsplit\":null,"
            "\"text\":\"event "
            "4\"}\n\n");
  EXPECT_THAT(told(stream, holding(1, 4)), IsEmpty());
  EXPECT_EQ(outline(told(stream, holding(3, 6))), "5up 6up");
}

TEST(EventStream, TellsTheLastOnesFirstWhenAsked) {
  auto two = event_stream::from_now(holding(5, 9), 2);
  EXPECT_EQ(outline(told(two, holding(5, 9))), "8up 9up");
  auto more_than_there_are = event_stream::from_now(holding(5, 7), 100);
  EXPECT_EQ(outline(told(more_than_there_are, holding(5, 7))), "5up 6up 7up");
  auto of_none = event_stream::from_now(holding(1, 0), 100);
  EXPECT_THAT(told(of_none, holding(1, 0)), IsEmpty());
  EXPECT_EQ(outline(told(of_none, holding(1, 1))), "1up");
}

TEST(EventStream, GoesOnWhereAClientLeftOff) {
  auto stream = event_stream::after("7");
  EXPECT_EQ(outline(told(stream, holding(3, 9))), "8up 9up");
  auto up_to_date = event_stream::after("9");
  EXPECT_THAT(told(up_to_date, holding(3, 9)), IsEmpty());
  auto just_in_time = event_stream::after("2");
  EXPECT_EQ(outline(told(just_in_time, holding(3, 4))), "3up 4up");
}

TEST(EventStream, SaysWhatAClientIsTooLateFor) {
  auto stream = event_stream::after("2");
  const auto text = told(stream, holding(6, 7));
  EXPECT_EQ(outline(text), "missed 6up 7up");
  EXPECT_THAT(
      text,
      StartsWith("event: missed\n"
                 "data: {\"id\":null,\"at\":null,\"type\":\"missed\",\"node\":null,\"reason\":null,"
                 "\"netsplit\":null,\"text\":\"3 events are too long ago to be told\",\"count\":3}\n\n"))
      << "the keys of every other event, and one more";
  EXPECT_THAT(told(stream, holding(6, 7)), IsEmpty()) << "once";
  // While it was connected, too.
  EXPECT_EQ(outline(told(stream, holding(20, 20))), "missed 20up");
}

TEST(EventStream, AnIdThatIsNotOursIsOfAnotherRun) {
  for (const auto* id : {"57", "x", "-1", "7 ", "99999999999999999999999"}) {
    SCOPED_TRACE(id);
    auto stream = event_stream::after(id);
    const auto text = told(stream, holding(1, 2));
    EXPECT_EQ(outline(text), "missed 1up 2up");
    EXPECT_THAT(text, HasSubstr("\"count\":null}"));
    EXPECT_EQ(outline(told(stream, holding(1, 3))), "3up");
  }
  auto before_anything = event_stream::after("57");
  EXPECT_EQ(outline(told(before_anything, holding(1, 0))), "missed");
  EXPECT_EQ(outline(told(before_anything, holding(1, 1))), "1up");
}

std::vector<std::string> keys_of_data(const std::string& text) {
  std::vector<std::string> keys;
  const auto begin = text.find("data: {");
  const auto line = text.substr(begin, text.find('\n', begin) - begin);
  static const std::regex key(R"re([{,]"(\w+)":)re");
  for (std::sregex_iterator at(line.begin(), line.end(), key), end; at != end; ++at) keys.push_back((*at)[1]);
  return keys;
}

TEST(EventStream, HasTheKeysThatItsDocumentShows) {
  std::ifstream file(ROLLCALL_SOURCE_DIR "/docs/metrics.md");
  std::stringstream document;
  document << file.rdbuf();
  const auto shown = keys_of_data(document.str());
  EXPECT_EQ(shown.size(), 7U);
  auto stream = event_stream::after("2");
  EXPECT_EQ(keys_of_data(told(stream, holding(3, 3))), shown);
}

TEST(EventStream, ARouteOfItsOwn) {
  content from;
  auto now = holding(1, 3);
  from.snapshot = [&now] { return std::make_shared<const membership::snapshot>(now); };
  std::string out;
  auto made = respond(from, "GET", "/api/v1/events/stream");
  EXPECT_EQ(made.status, 200U);
  EXPECT_EQ(made.content_type, "text/event-stream");
  made.follow(out);
  EXPECT_THAT(out, IsEmpty());
  now = holding(1, 4);
  made.follow(out);
  EXPECT_EQ(outline(out), "4up");
  out.clear();
  respond(from, "GET", "/api/v1/events/stream?last=2").follow(out);
  EXPECT_EQ(outline(out), "3up 4up");
  out.clear();
  respond(from, "GET", "/api/v1/events/stream?last=2", "1").follow(out);
  EXPECT_EQ(outline(out), "2up 3up 4up") << "a client that comes back says what it has";
  EXPECT_EQ(respond(from, "GET", "/api/v1/events/stream?last=-2").status, 400U);
  EXPECT_EQ(respond(from, "POST", "/api/v1/events/stream").status, 405U);
}

}  // namespace
}  // namespace rollcall::http
