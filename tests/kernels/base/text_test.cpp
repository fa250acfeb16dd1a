// Text for people, numbers from and to text, and what is set from outside: one rule each, in every locale.
#include "duel/kernels/base/text.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "duel/kernels/base/settings.h"
#include "tests/files.h"

namespace duel {
namespace {

using duel::testing::error_of;
using duel::testing::has;

TEST(Text, ControlCharactersAreSeen) {
  EXPECT_EQ(visible("plain näme €\U0001F600"), "plain näme €\U0001F600");
  EXPECT_EQ(visible("\x1b[2J\x07\x7f"), "\\x1b[2J\\x07\\x7f");
  EXPECT_EQ(visible("a\nb\tc\r"), "a\\nb\\tc\\r");
  EXPECT_EQ(visible(std::string("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(visible("\xc2\x9b"
                    "31m"),
            "\\u009b31m");  // the escape sequence's own character
  EXPECT_EQ(visible("\xe2\x80\xae"
                    "txt"),
            "\\u202etxt");  // right to left from here
  EXPECT_EQ(visible("\xff\xc3(\xed\xa0\x80\xc0\xaf\xe2\x82"),
            "\\xff\\xc3(\\xed\\xa0\\x80\\xc0\\xaf\\xe2\\x82");
  EXPECT_EQ(visible_lines("a\nb\tc\x1b\r\n"), "a\nb\tc\\x1b\\r\n");
}

TEST(Text, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ(shown("äöü", 3), "äöü");
  EXPECT_EQ(shown("äöüß", 3), "äöü…");
  EXPECT_EQ(shown(std::string(1 << 20, 'x')).size(), 80 + std::string("…").size());
  EXPECT_EQ(in_quotes("a\x1b"), "\"a\\x1b\"");
}

TEST(Text, AnErrorIsOneLineOfVisibleCharacters) {
  const std::string text =
      error_of([] { fail("config", "{}: unknown key '{}'", "c\n.json", "\x1b[2J\x1b]0;owned\x07"); });
  EXPECT_EQ(text, "[config] c\\n.json: unknown key '\\x1b[2J\\x1b]0;owned\\x07'");
  EXPECT_LT(error_of([] { fail("config", "{}", std::string(1 << 20, 'x')); }).size(), 5000u);
}

TEST(Text, ShellWords) {
  EXPECT_EQ(shell_word("runs/00001-a=b"), "runs/00001-a=b");
  EXPECT_EQ(shell_word("my run's"), "'my run'\\''s'");
  EXPECT_EQ(shell_word(""), "''");
}

void expect_numbers() {
  EXPECT_EQ(shortest(1.5), "1.5");
  EXPECT_EQ(shortest(0.1f), "0.1");
  EXPECT_EQ(shortest(-1e-8), "-1e-08");
  EXPECT_EQ(shortest(1e300), "1e+300");
  EXPECT_EQ(shortest(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(shortest(std::nan("")), "nan");
  EXPECT_EQ(shortest(-std::nan("")), "nan");
  EXPECT_EQ(shortest(-INFINITY), "-inf");
  EXPECT_EQ(fixed(2.345678, 2), "2.35");
  EXPECT_EQ(fixed(-std::numeric_limits<double>::max(), 3).size(), 1 + 309 + 4u);
  EXPECT_EQ(significant(1234567.0, 4), "1.235e+06");
  EXPECT_EQ(significant(0.5, 6), "0.5");
  EXPECT_EQ(message("got {} and {}", 1.5, -1e-8f), "got 1.5 and -1e-08");
  EXPECT_EQ(parse_number<double>("1.5"), 1.5);
  EXPECT_FALSE(parse_number<double>("1,5"));
}

TEST(Text, NumbersAreShortAndReadBack) {
  expect_numbers();
  for (const double v : {1e-320, 1.0 / 3, 123456789.125, 5e-5, 1e22, -0.0})
    EXPECT_EQ(*parse_number<double>(shortest(v)), v);
}

TEST(Text, NumbersAreTheSameUnderADecimalComma) {
  const duel::testing::Scratch scratch;
  const std::string make =
      "localedef -i de_DE -f UTF-8 '" + (scratch / "de_DE.UTF-8").string() + "' >/dev/null 2>&1";
  ::setenv("LOCPATH", scratch.dir().c_str(), 1);
  const bool made = std::system(make.c_str()) == 0 && std::setlocale(LC_ALL, "de_DE.UTF-8") != nullptr;
  ::unsetenv("LOCPATH");
  if (!made)
    GTEST_SKIP() << "no localedef, or no sources of de_DE: no locale with a decimal comma can be made";
  ASSERT_EQ(std::to_string(1.5), "1,500000");  // the locale is in force
  expect_numbers();
  std::setlocale(LC_ALL, "C");
}

TEST(Text, OneRuleForNumbers) {
  EXPECT_EQ(parse_number<int64_t>("+12"), 12);
  EXPECT_EQ(parse_number<int64_t>("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(parse_number<uint64_t>("18446744073709551615"), UINT64_MAX);
  for (const char* wrong : {"", " 1", "1 ", "1x", "1e3", "0x10", "+-1", "++1", "9223372036854775808", "1.0"})
    EXPECT_FALSE(parse_number<int64_t>(wrong)) << wrong;
  for (const char* wrong : {"-1", "-0", "18446744073709551616"})
    EXPECT_FALSE(parse_number<uint64_t>(wrong)) << wrong;
  for (const char* wrong : {"nan", "inf", "1e400", "1,5", ""})
    EXPECT_FALSE(parse_number<double>(wrong)) << wrong;
  EXPECT_FALSE(parse_number<double>(std::string_view("1\0junk", 6)));
  EXPECT_EQ(error_of([] { parsed<uint64_t>("config", "seed", "-1"); }),
            "[config] seed: expected an integer from 0 to 2^64 - 1, got '-1'");
  EXPECT_EQ(error_of([] { parsed<double>("option", "lr", "fast"); }),
            "[option] lr: expected a finite number, got 'fast'");
}

TEST(Settings, AWordOfTheEnvironment) {
  ::setenv("DUEL_TEST_WORD", "two", 1);
  EXPECT_EQ(chosen("DUEL_TEST_WORD", {"one", "two"}), 1);
  EXPECT_EQ(error_of([] {
              chosen("DUEL_TEST_WORD", {"one", "three"});
            }),
            "[environment] DUEL_TEST_WORD: expected one or three, got 'two'");
  ::setenv("DUEL_TEST_WORD", "", 1);
  EXPECT_EQ(chosen("DUEL_TEST_WORD", {"one", "two"}), 0);
  ::unsetenv("DUEL_TEST_WORD");
  EXPECT_EQ(chosen("DUEL_TEST_WORD", {"one", "two"}), 0);
}

TEST(Failures, AFullDiskIsNotTheCallersMistake) {
  EXPECT_THROW(fail_system(ENOSPC, "write", "full"), Failure);
  EXPECT_THROW(fail_system(EFBIG, "write", "full"), Failure);
  EXPECT_THROW(fail_system(EIO, "read", "broken"), Failure);
  for (const int code : {ENOENT, EACCES, EISDIR, ENOTDIR}) {
    try {
      fail_system(code, "write", "wrong name");
    } catch (const Failure&) {
      ADD_FAILURE() << code << " is the caller's";
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), "[write] wrong name");
    }
  }
}

TEST(Text, NearestNamesAreSlipsAndNotOtherWords) {
  const std::vector<std::string> names{"seed", "steps", "gan", "consensus", "--batch"};
  const auto nearest = [&](const char* word) { return nearest_name(word, names); };
  EXPECT_EQ(nearest("seed"), "seed");
  EXPECT_EQ(nearest("SEED"), "seed");
  EXPECT_EQ(nearest("sede"), "seed") << "two letters exchanged are one slip";
  EXPECT_EQ(nearest("stpe"), "") << "two slips in four letters are another word";
  EXPECT_EQ(nearest("gna"), "gan");
  EXPECT_EQ(nearest("gn"), "gan");
  EXPECT_EQ(nearest("--bacth"), "--batch");
  EXPECT_EQ(nearest("concensis"), "consensus");
  EXPECT_EQ(nearest("nonsense"), "");
  EXPECT_EQ(nearest("dan"), "gan");
  EXPECT_EQ(nearest(""), "");
  EXPECT_EQ(nearest_name("ab", {"abx", "aby"}), "abx") << "the first of equals";
  EXPECT_EQ(nearest_name("ab", {"abx", "ab"}), "ab");
}

}  // namespace
}  // namespace duel
