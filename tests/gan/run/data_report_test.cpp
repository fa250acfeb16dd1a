// What duel data says of a data set: numbers that are known, on sets made for it and on MNIST.
#include "duel/gan/run/data_report.h"

#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/io/internal/json.h"
#include "tests/gan/files.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;
namespace fs = std::filesystem;

void put_small_picture(const fs::path& file, const Bytes& pixels) {
  fs::create_directories(file.parent_path());
  write_png_gray(file, 2, 2, pixels);
}

TEST(DataReports, CountsWhatIsOdd) {
  const Scratch scratch;
  const fs::path set = scratch / "set";
  const Bytes steps{0, 51, 102, 255};
  put_small_picture(set / "train/a/0.png", Bytes(4, 0));
  put_small_picture(set / "train/a/1.png", Bytes(4, 0));
  put_small_picture(set / "train/b/0.png", steps);
  put_small_picture(set / "train/b/1.png", {0, 0, 0, 204});
  put_small_picture(set / "test/b/0.png", steps);
  put_small_picture(set / "test/b/1.png", {1, 2, 3, 4});
  const DataReport report = report_data({.data = set.string(), .count = 3, .out = scratch / "grid.png"});
  const DataHalfReport& train = report.train;
  EXPECT_EQ(report.kind, "folders of pictures, one for each class");
  EXPECT_EQ(train.count, 4);
  EXPECT_EQ(train.constant, 2);
  EXPECT_EQ(train.duplicates, 1);
  EXPECT_EQ(train.least, 0);
  EXPECT_EQ(train.greatest, 255);
  // Of 16 pixels 0.2, 0.4, 0.8 and 1 once, else 0: sum 2.4, of squares 1.84.
  EXPECT_NEAR(train.mean.at(0), 0.15, 1e-12);
  EXPECT_NEAR(train.deviation.at(0), std::sqrt(1.84 / 16 - 0.15 * 0.15), 1e-12);
  ASSERT_EQ(train.classes.size(), 2U);
  EXPECT_EQ(train.classes[1].name, "b");
  EXPECT_EQ(train.classes[1].count, 2);
  ASSERT_TRUE(report.test);
  EXPECT_EQ(report.test->count, 2);
  EXPECT_EQ(report.shared, 1);
  EXPECT_EQ(report.grid.width, 2 + 3 * 4);
  EXPECT_EQ(read_picture(scratch / "grid.png").width, report.grid.width);
  EXPECT_TRUE(
      has(error_of([&] { report_data({.data = set.string(), .out = scratch / "grid.png"}); }), "--force"));

  const std::string text = to_text(report);
  for (const char* part : {"set: folders of pictures", "2x2", "0.15", "2 (50 %)", "1 (25 %)", "1 b"})
    EXPECT_TRUE(has(text, part)) << part << "\n" << text;
  const json::Json line = json::parse(to_json_line(report), {});
  EXPECT_EQ(line["shared"], 1);
  EXPECT_EQ(line["train"]["duplicates"], 1);
  EXPECT_EQ(line["test"]["classes"][0]["name"], "b");
}

TEST(DataReports, OptionsAndMadeSets) {
  const Scratch scratch;
  for (int i = 0; i < 3; ++i)
    put_small_picture(scratch / ("p/" + std::to_string(i) + ".png"), Bytes(4, static_cast<uint8_t>(i)));
  const DataReport small = report_data({.data = (scratch / "p").string(), .options = {.resize = 1}});
  EXPECT_EQ(small.train.height, 1);
  EXPECT_FALSE(small.test);
  EXPECT_TRUE(small.train.classes.empty());
  EXPECT_TRUE(has(to_text(small), "no classes"));
  EXPECT_TRUE(json::parse(to_json_line(small), {})["test"].is_null());
  EXPECT_TRUE(
      has(error_of([&] { report_data({.data = (scratch / "p").string(), .options = {.classes = "1"}}); }),
          "data-classes: " + (scratch / "p").string() + " has no labels"));
  EXPECT_TRUE(has(error_of([] { report_data({.data = "synthetic", .options = {.resize = 32}}); }),
                  "resize: drawn digits"));
}

TEST(DataReports, RealMnist) {
  const fs::path dir = real_mnist();
  if (dir.empty()) GTEST_SKIP() << "no MNIST in $DUEL_TEST_MNIST or ../shared/data/mnist";
  const DataReport report = report_data({.data = dir.string()});
  EXPECT_NEAR(report.train.mean.at(0), 0.1307, 5e-5);
  EXPECT_NEAR(report.train.deviation.at(0), 0.3081, 5e-5);
  ASSERT_TRUE(report.test);
  EXPECT_EQ(report.test->count, 10000);
  EXPECT_EQ(report.shared, 0);
  EXPECT_EQ(report.train.classes.at(1).count, 6742);
}

}  // namespace
}  // namespace duel::gan
