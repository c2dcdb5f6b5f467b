// Files as operators, erl and Kubernetes leave them: modes, several lines, rotation, links that are swapped.
#include "app/cookie.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace rollcall::app {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
namespace fs = std::filesystem;

class CookieJar : public testing::Test {
 protected:
  CookieJar() {
    std::string pattern = (fs::temp_directory_path() / "rollcall-XXXXXX").string();
    home_ = ::mkdtemp(pattern.data());
  }
  ~CookieJar() override { fs::remove_all(home_); }

  std::string write(const std::string& name, const std::string& text, mode_t mode = 0400) const {
    const auto path = home_ + "/" + name;
    fs::create_directories(fs::path(path).parent_path());
    ::unlink(path.c_str());
    std::ofstream(path, std::ios::binary) << text;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  // A jar of an explicit --cookie-file.
  static cookie_jar of_file(const std::string& path) {
    configuration c;
    c.cookie_file = path;
    c.origin["cookie-file"] = "--cookie-file";
    return {c, {}};
  }
  // A jar of the default, as load() leaves it.
  cookie_jar of_home(environment extra = {}) const {
    extra["HOME"] = home_;
    configuration c;
    c.cookie_file = home_ + "/.erlang.cookie";
    c.origin["cookie-file"] = "default";
    return {c, extra};
  }
  static std::string problem_of(const std::function<void()>& make) {
    try {
      make();
    } catch (const configuration_error& problem) {
      return problem.what();
    }
    return {};
  }
  std::string home_;
};

TEST_F(CookieJar, DropsTheTrailingNewlineAndKeepsSpacesAsErlDoes) {
  EXPECT_THAT(of_file(write("c", "SECRET\n")).cookies(), ElementsAre("SECRET"));
  EXPECT_THAT(of_file(write("c", "SECRET")).cookies(), ElementsAre("SECRET"));
  EXPECT_THAT(of_file(write("c", "SECRET\r\n")).cookies(), ElementsAre("SECRET"));
  EXPECT_THAT(of_file(write("c", " SEC RET \n")).cookies(), ElementsAre(" SEC RET "));
}

TEST_F(CookieJar, TriesSeveralLinesInOrderWithoutEmptyOnesOrDuplicates) {
  EXPECT_THAT(of_file(write("c", "\nNEW\n   \nOLD\nNEW\n\n")).cookies(), ElementsAre("NEW", "OLD"));
}

TEST_F(CookieJar, AGivenFileMayBeReadableByOthers) {
  EXPECT_THAT(of_file(write("c", "SECRET", 0644)).cookies(), ElementsAre("SECRET"));
}

TEST_F(CookieJar, WrongFilesAreNamedWithoutWhatTheyHold) {
  struct row {
    std::string text, problem;
  };
  const std::vector<row> rows{
      {"", "holds no cookie: it is empty"},
      {"\n \n", "holds no cookie: it is empty"},
      {"GOOD\nS\xc3\xa9"
       "CRET",
       ", line 2: a cookie holds characters from space to ~ (ASCII) only, as in Erlang"},
      {std::string("SEC\0RET", 7), ", line 1: a cookie holds characters from space to ~"},
      {std::string(256, 'S'), ", line 1: 256 characters are too many for a cookie, at most 255 are allowed"},
      {"S1\nS2\nS3\nS4\nS5\nS6\nS7\nS8\nS9", "holds more than 8 cookies"},
      {std::string(70'000, 'S'), "is larger than 65536 bytes: is it the right file?"},
  };
  for (const auto& [text, problem] : rows) {
    const auto path = write("c", text);
    const auto said = problem_of([&] { of_file(path); });
    EXPECT_THAT(said, HasSubstr("cookie file " + path));
    EXPECT_THAT(said, HasSubstr(problem));
    EXPECT_THAT(said, testing::Not(HasSubstr("RET")));
  }
  EXPECT_EQ(of_file(write("c", std::string(255, 'S'))).cookies().front().size(), max_cookie_length);
}

TEST_F(CookieJar, AGivenFileThatIsMissingIsAnErrorAndIsNotCreated) {
  const auto path = home_ + "/none";
  EXPECT_EQ(problem_of([&] { of_file(path); }),
            "cookie file " + path + " (--cookie-file) cannot be read: No such file or directory");
  EXPECT_FALSE(fs::exists(path));
  EXPECT_EQ(problem_of([&] { of_file(home_); }),
            "cookie file " + home_ + " (--cookie-file) is not a regular file");
}

TEST_F(CookieJar, APipeIsRefusedAndNotWaitedFor) {
  const auto path = home_ + "/pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(problem_of([&] { of_file(path); }),
            "cookie file " + path + " (--cookie-file) is not a regular file");
}

TEST_F(CookieJar, CreatesTheDefaultFileAsErlDoes) {
  const auto jar = of_home();
  ASSERT_EQ(jar.cookies().size(), 1U);
  EXPECT_THAT(jar.cookies().front(), MatchesRegex("[A-Z]{20}"));
  struct stat status {};
  ASSERT_EQ(::stat((home_ + "/.erlang.cookie").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0400U);
  EXPECT_EQ(status.st_size, 20);
  EXPECT_EQ(std::distance(fs::directory_iterator(home_), fs::directory_iterator{}), 1)
      << "no temporary file is left";
  EXPECT_EQ(of_home().cookies(), jar.cookies());
}

TEST_F(CookieJar, TheDefaultFileMustBeTheOwnersOnly) {
  for (const mode_t mode : {0440, 0404, 0640, 0644}) {
    const auto path = write(".erlang.cookie", "SECRET", mode);
    EXPECT_THAT(problem_of([&] { of_home(); }),
                HasSubstr("must be accessible by its owner only, as Erlang asks"));
  }
  write(".erlang.cookie", "SECRET", 0600);
  EXPECT_THAT(of_home().cookies(), ElementsAre("SECRET"));
}

TEST_F(CookieJar, LooksWhereErlLooksNext) {
  write(".config/erlang/.erlang.cookie", "CONFIGURED");
  EXPECT_THAT(of_home().cookies(), ElementsAre("CONFIGURED"));
  EXPECT_FALSE(fs::exists(home_ + "/.erlang.cookie"));
  write("xdg/erlang/.erlang.cookie", "XDG");
  EXPECT_THAT(of_home({{"XDG_CONFIG_HOME", home_ + "/xdg"}}).cookies(), ElementsAre("XDG"));
  write(".erlang.cookie", "FIRST");
  EXPECT_THAT(of_home().cookies(), ElementsAre("FIRST"));
}

TEST_F(CookieJar, WithoutHomeItSaysWhatToSet) {
  EXPECT_EQ(problem_of([] { cookie_jar(configuration{}, {}); }),
            "no cookie: HOME is not set, so there is no ~/.erlang.cookie; give --cookie-file, or set "
            "ROLLCALL_COOKIE or "
            "ROLLCALL_COOKIE_FILE");
}

TEST_F(CookieJar, AHomeThatCannotBeWrittenSaysWhatToSet) {
  configuration c;
  c.cookie_file = home_ + "/none/.erlang.cookie";
  c.origin["cookie-file"] = "default";
  EXPECT_THAT(problem_of([&] {
                cookie_jar(c, {{"HOME", home_ + "/none"}});
              }),
              testing::AllOf(HasSubstr("does not exist and cannot be created: No such file or directory"),
                             HasSubstr("give --cookie-file")));
}

TEST_F(CookieJar, TheVariableIsReadLikeAFile) {
  configuration c;
  c.cookie_from_environment = true;
  cookie_jar jar(c, {{"ROLLCALL_COOKIE", "NEW\nOLD\n"}});
  EXPECT_THAT(jar.cookies(), ElementsAre("NEW", "OLD"));
  std::string problem;
  EXPECT_FALSE(jar.refresh(problem));
  EXPECT_EQ(problem_of([&] {
              cookie_jar(c, {{"ROLLCALL_COOKIE", "\x01secret"}});
            }),
            "ROLLCALL_COOKIE, line 1: a cookie holds characters from space to ~ (ASCII) only, as in Erlang");
}

TEST_F(CookieJar, NoticesAFileWrittenAgain) {
  const auto path = write("c", "OLD\n", 0600);
  auto jar = of_file(path);
  std::string problem;
  EXPECT_FALSE(jar.refresh(problem));
  write("c", "NEW\n", 0600);  // another inode
  EXPECT_TRUE(jar.refresh(problem));
  EXPECT_THAT(jar.cookies(), ElementsAre("NEW"));
  EXPECT_FALSE(jar.refresh(problem));
  std::ofstream(path, std::ios::app) << "OLDER\n";  // the same one, in place
  EXPECT_TRUE(jar.refresh(problem));
  EXPECT_THAT(jar.cookies(), ElementsAre("NEW", "OLDER"));
  EXPECT_EQ(problem, "");
}

TEST_F(CookieJar, NoticesASwappedSecret) {
  // As kubelet lays it out: file -> ..data/file, ..data -> a dated directory; ..data is replaced by rename.
  write("..1/cookie", "OLDONE");
  write("..2/cookie", "NEWONE");
  fs::create_symlink("..1", home_ + "/..data");
  fs::create_symlink("..data/cookie", home_ + "/cookie");
  auto jar = of_file(home_ + "/cookie");
  EXPECT_THAT(jar.cookies(), ElementsAre("OLDONE"));
  fs::create_symlink("..2", home_ + "/..data_tmp");
  fs::rename(home_ + "/..data_tmp", home_ + "/..data");
  std::string problem;
  EXPECT_TRUE(jar.refresh(problem));
  EXPECT_THAT(jar.cookies(), ElementsAre("NEWONE"));
}

TEST_F(CookieJar, AnEmptyFileMayBeFilledLater) {
  const auto path = write("c", "\n");
  configuration c;
  c.cookie_file = path;
  c.origin["cookie-file"] = "--cookie-file";
  cookie_jar jar(c, {}, cookie_jar::empty_file::may_be_filled);
  EXPECT_THAT(jar.cookies(), IsEmpty());
  const auto sentence = "cookie file " + path + " (--cookie-file) holds no cookie: it is empty";
  EXPECT_EQ(jar.problem(), sentence);
  std::string problem;
  EXPECT_FALSE(jar.refresh(problem));
  EXPECT_EQ(problem, "") << "it was told once";
  fs::remove(path);
  EXPECT_FALSE(jar.refresh(problem));
  EXPECT_THAT(problem, EndsWith("cannot be read: No such file or directory"));
  write("c", "NEW\n");
  EXPECT_TRUE(jar.refresh(problem));
  EXPECT_THAT(jar.cookies(), ElementsAre("NEW"));
  EXPECT_EQ(jar.problem(), "");
  EXPECT_EQ(problem_of([&] { of_file(write("d", "")); }),
            "cookie file " + home_ + "/d (--cookie-file) holds no cookie: it is empty");
}

TEST_F(CookieJar, KeepsTheLastCookiesAndComplainsOnceWhenTheFileGoes) {
  const auto path = write("c", "OLD");
  auto jar = of_file(path);
  fs::remove(path);
  std::string problem;
  EXPECT_FALSE(jar.refresh(problem));
  EXPECT_EQ(problem, "cookie file " + path +
                         " (--cookie-file) cannot be read: No such file or directory; the last good cookie "
                         "stays in use");
  EXPECT_THAT(jar.cookies(), ElementsAre("OLD"));
  EXPECT_FALSE(jar.refresh(problem));
  EXPECT_EQ(problem, "");
  write("c", "");
  EXPECT_FALSE(jar.refresh(problem));
  EXPECT_THAT(problem, HasSubstr("holds no cookie"));
  write("c", "OLD");
  EXPECT_FALSE(jar.refresh(problem)) << "back, and the same";
  EXPECT_EQ(problem, "");
  fs::remove(path);
  EXPECT_FALSE(jar.refresh(problem));
  EXPECT_NE(problem, "") << "a second absence is told again";
  write("c", "NEW");
  EXPECT_TRUE(jar.refresh(problem));
  EXPECT_THAT(jar.cookies(), ElementsAre("NEW"));
}

}  // namespace
}  // namespace rollcall::app
