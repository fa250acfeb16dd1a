// JSON and small files from outside: everything that is well-formed comes in, what is hostile is one Error,
// at once.
#include "duel/core/io/internal/json.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <thread>

#include "duel/core/io/internal/read_file.h"
#include "tests/files.h"

namespace duel {
namespace {

using duel::testing::error_of;
using duel::testing::has;
using json::Json;

double seconds(const auto& body) {
  const auto began = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

std::string refusal(const std::string& text, json::Rules rules = {}) {
  rules.op = "config";
  rules.source = "c.json";
  EXPECT_TRUE(json::parse_or_null(text, rules).is_null());
  return error_of([&] { json::parse(text, rules); });
}

TEST(Json, ReadsWhatNlohmannReads) {
  const std::string text =
      R"({"z": 1, "a": [true, null, -2, 2.5, "x\u00e9\n"], "m": {"q": {}, "p": []}, "u": 18446744073709551615})";
  EXPECT_EQ(json::parse(text, {}), Json::parse(text));
  EXPECT_EQ(json::dumped(json::parse(text, {})), Json::parse(text).dump());  // in the same order
  for (const char* scalar : {"3", "\"x\"", "null", "[]"})
    EXPECT_EQ(json::parse(scalar, {}), Json::parse(scalar));
}

TEST(Json, DepthIsLimitedWhileParsing) {
  EXPECT_NO_THROW(json::parse(std::string(16, '[') + std::string(16, ']'), {}));
  EXPECT_TRUE(has(refusal(std::string(17, '[') + std::string(17, ']')), "nested deeper than 16"));
  EXPECT_TRUE(has(refusal("{\"lr\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}"),
                  "nested deeper than 16"));
  EXPECT_TRUE(has(refusal(std::string(100'000, '[')), "nested deeper than 16"));
}

TEST(Json, KeysThatStandTwice) {
  EXPECT_EQ(refusal(R"({"batch": 8, "batch": 16})"),
            "[config] c.json: key 'batch' is there twice; leave one of them out");
  EXPECT_TRUE(has(refusal(R"({"a": {"b": 1, "b": 1}})"), "key 'b' is there twice"));
  EXPECT_NO_THROW(json::parse(R"([{"a": 1}, {"a": {"a": 2}}])", {}));
}

TEST(Json, KeysAreCheckedBeforeTheirValuesAreRead) {
  json::Rules rules;
  rules.check_key = [](const std::string& key) {
    if (key != "known") fail("config", "unknown key '{}'", shown(key));
  };
  EXPECT_NO_THROW(json::parse(R"({"known": {"inner": 1}})", rules));
  EXPECT_EQ(refusal("{\"known\": 1, \"x\\u001b\": [[[", rules), "[config] unknown key 'x\\x1b'");
}

TEST(Json, TimeIsLinearInTheKeys) {
  std::string text = "{";
  for (int i = 0; i < 60'000; ++i) text += (i > 0 ? ",\"k" : "\"k") + std::to_string(i) + "\":0";
  text += "}";
  // nlohmann's own reader took 20 s for them.
  EXPECT_LT(seconds([&] { EXPECT_EQ(json::parse(text, {}).size(), 60'000u); }), 2.0);
}

TEST(Json, DamagedText) {
  EXPECT_TRUE(has(refusal("{\"lr\": 1e-4"), "not JSON: parse error at line 1"));
  EXPECT_TRUE(has(refusal(std::string("{\"a\": 1}\0 anything", 17)), "byte 8 is zero"));
  EXPECT_TRUE(has(refusal("{} {}"), "not JSON"));
  EXPECT_TRUE(has(refusal("{\"a\": 1e999}"), "not JSON"));
  EXPECT_TRUE(has(refusal("[1]", {.bytes = 2}), "longer than 2 bytes"));
  EXPECT_LT(refusal("\"" + std::string(1'000'000, 'x')).size(), 1000u);
  EXPECT_EQ(refusal("\"\x1b\"").find('\x1b'), std::string::npos);
}

TEST(Json, ARemedyOfTheCallers) {
  for (const char* text : {"{", "[[[", "{\"a\": 1, \"a\": 1}"})
    EXPECT_TRUE(refusal(text, {.remedy = "delete it", .depth = 2}).ends_with("; delete it")) << text;
}

TEST(Json, ValuesInMessages) {
  const Json all = json::parse(R"([2.5, "fast", true, null, [[[[1]]]], {"a": 1}])", {});
  const char* words[] = {"2.5", "\"fast\"", "true", "null", "a list", "an object"};
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(json::described(all[i]), words[i]);
  EXPECT_LT(json::described(Json(std::string(1 << 20, 'x'))).size(), 100u);
}

TEST(ReadFile, WholeFilesAndPipes) {
  const duel::testing::Scratch scratch;
  const std::string text = std::string("a\0b\n", 4) + std::string(200'000, 'x');
  duel::testing::put(scratch / "f", {text.begin(), text.end()});
  EXPECT_EQ(read_file("config", scratch / "f", text.size(), "x"), text);
  EXPECT_TRUE(has(error_of([&] { read_file("config", scratch / "f", text.size() - 1, "the config.json"); }),
                  "longer than 200003 bytes; expected the config.json"));
  EXPECT_TRUE(has(error_of([&] { read_file("config", scratch.dir(), 10, "a file"); }),
                  "is a folder; expected a file"));
  EXPECT_TRUE(has(error_of([&] { read_file("config", scratch / "none", 10, "a file"); }),
                  "No such file or directory; expected a file"));
  EXPECT_TRUE(
      has(error_of([&] { read_file("config", "/dev/zero", 1 << 20, "a file"); }), "longer than 1 MiB"));
  // A pipe whose writer comes late, as of a shell's <(…).
  ASSERT_EQ(::mkfifo((scratch / "pipe").c_str(), 0600), 0);
  std::thread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    std::ofstream(scratch / "pipe") << "late";
  });
  EXPECT_EQ(read_file("config", scratch / "pipe", 10, "x"), "late");
  writer.join();
}

TEST(ReadFile, APipeThatNobodyWritesTo) {
  const duel::testing::Scratch scratch;
  ASSERT_EQ(::mkfifo((scratch / "pipe").c_str(), 0600), 0);
  EXPECT_LT(seconds([&] {
              EXPECT_TRUE(has(error_of([&] { read_file("config", scratch / "pipe", 10, "a file"); }),
                              "nothing came for 5 seconds"));
            }),
            30.0);
}

}  // namespace
}  // namespace duel
