// duel eval: a run's samples and files of images under every measure, and what is refused.
#include <nlohmann/json.hpp>

#include "command.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/data/idx.h"
#include "duel/gan/judge/comparison.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;
using Json = nlohmann::json;

double value(const Json& line, const std::string& key) { return line.at(key + "-digits-v1").at("value"); }
double floor_of(const Json& line, const std::string& key) { return line.at(key + "-digits-v1").at("floor"); }

/// The mean over 3x3 pixels, `times` times.
gan::ImageSet blurred(gan::ImageSet set, int times) {
  for (int t = 0; t < times; ++t) {
    const std::vector<uint8_t> before = set.images;
    for (int64_t i = 0; i < set.count * 784; ++i) {
      int sum = 0;
      for (int64_t dy = -1; dy <= 1; ++dy) {
        for (int64_t dx = -1; dx <= 1; ++dx) {
          const int64_t y = i / 28 % 28 + dy, x = i % 28 + dx;
          if (y >= 0 && y < 28 && x >= 0 && x < 28) sum += before[static_cast<size_t>(i + 28 * dy + dx)];
        }
      }
      set.images[static_cast<size_t>(i)] = static_cast<uint8_t>(sum / 9);
    }
  }
  return set;
}

class Eval : public ::testing::Test {
 protected:
  /// A run of one iteration, which knows nothing yet, shared by all tests.
  static void SetUpTestSuite() {
    folder_ = new Scratch;
    const Result r =
        duel({"train", "--data", "synthetic", "--synthetic-count", "300", "--arch", "mlp", "--steps", "1",
              "--batch", "16", "--ema", "0.9", "--out", (*folder_ / "run").string(), "--quiet"});
    ASSERT_EQ(r.status, 0) << r.err;
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  static std::string run() { return (*folder_ / "run").string(); }

  std::string idx(const std::string& name, const gan::ImageSet& set) const {
    const std::filesystem::path file = scratch_ / name;
    gan::write_idx(file, std::vector<int64_t>{set.count, set.height, set.width}, set.images, true);
    return file.string();
  }
  static Json line_of(const Args& args) {
    const Result r = duel(with({"eval"}, args));
    EXPECT_EQ(r.status, 0) << r.err;
    EXPECT_EQ(std::count(r.out.begin(), r.out.end(), '\n'), 1) << r.out;
    return r.status == 0 ? Json::parse(r.out) : Json();
  }

  inline static Scratch* folder_ = nullptr;
  const Scratch scratch_;
};

TEST_F(Eval, OfAnUntrainedRunNamesEveryMeasureAndIsFarFromItsFloor) {
  const Json line = line_of({run(), "--count", "300", "--json"});
  EXPECT_EQ(line.at("judge"), "digits-v1");
  EXPECT_EQ(line.at("real"), 300);
  EXPECT_EQ(line.at("fake"), 300);
  EXPECT_EQ(line.at("set"), run());
  EXPECT_EQ(line.at("against"), "300 drawn digits, seed 2");
  EXPECT_EQ(line.at("seed"), 1);
  // An untrained G's digits are all one class or hardly any: ms_ssim is there wherever two are of one class.
  for (const gan::QualityMeasure& row : gan::quality_measures()) {
    const std::string key = row.key + "-digits-v1";
    ASSERT_TRUE(line.contains(key)) << key;
    const Json& v = line.at(key);
    EXPECT_EQ(v.size(), 4U) << key;
    EXPECT_LE(v.at("low"), v.at("value")) << key;
    EXPECT_LE(v.at("value"), v.at("high")) << key;
    EXPECT_TRUE(v.at("floor").is_number()) << key;
  }
  EXPECT_GT(value(line, "fd"), 50 * floor_of(line, "fd"));
  EXPECT_LT(value(line, "coverage"), 0.2);
  EXPECT_GT(floor_of(line, "coverage"), 0.8);
  // A checkpoint is the run that it belongs to.
  const std::string checkpoint = (*folder_ / "run/checkpoints/step_00000001.safetensors").string();
  Json same = line_of({checkpoint, "--count", "300", "--json"});
  EXPECT_EQ(same.at("set"), checkpoint);
  same["set"] = run();
  EXPECT_EQ(same, line);
}

TEST_F(Eval, RealDigitsAreNearTheFloorAndBlurIsWorse) {
  const Args more = {"--data", "synthetic", "--against", idx("real", gan::draw_digits(400, 2)), "--json"};
  const gan::ImageSet others = gan::draw_digits(400, 5);
  const Json real = line_of(with({idx("sharp", others)}, more)),
             blur = line_of(with({idx("blur", blurred(others, 1))}, more)),
             more_blur = line_of(with({idx("more", blurred(others, 3))}, more));
  EXPECT_LT(value(real, "fd"), 2 * floor_of(real, "fd"));
  EXPECT_NEAR(value(real, "coverage"), floor_of(real, "coverage"), 0.1);
  EXPECT_EQ(value(real, "modes"), 10);
  EXPECT_GT(value(blur, "fd"), 2 * value(real, "fd"));
  EXPECT_GT(value(more_blur, "fd"), 2 * value(blur, "fd"));
  EXPECT_LT(value(more_blur, "coverage"), value(real, "coverage"));
  EXPECT_FALSE(real.contains("copies-digits-v1")) << "nothing says that the real set was held out";
}

TEST_F(Eval, FindsCopiesOfTheTrainingSetAndShowsThem) {
  const std::filesystem::path data = scratch_ / "data";
  std::filesystem::create_directory(data);
  const gan::ImageSet training = gan::draw_digits(600, 1);
  gan::write_mnist(data, gan::Split::train, training, false);
  gan::write_mnist(data, gan::Split::test, gan::draw_digits(300, 2), false);
  const Args args = {idx("copies", part_of(training, 0, 300)), "--data", data.string(), "--judge",
                     "digits-v1"};
  const Result r = duel(with(with({"eval"}, args), {"--neighbours", (scratch_ / "near.png").string()}));
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "\ncopies-digits-v1           1 ")) << r.out;
  EXPECT_TRUE(has(r.err, "floors    of 300 other images")) << "the other half of the training set: " << r.err;
  EXPECT_TRUE(has(r.err, "picture   ") && has(r.err, "near.png")) << r.err;
  const std::string png = read(scratch_ / "near.png");
  EXPECT_TRUE(png.starts_with("\x89PNG"));
  // The test images against themselves.
  EXPECT_TRUE(has(duel(with({"eval", data.string()}, {"--data", data.string()})).err,
                  "note      300 images of the set are among those"));
  // What is there is kept, and told before anything is read.
  expect_refused(duel(with(with({"eval"}, args), {"--neighbours", (scratch_ / "near.png").string()})),
                 {"--neighbours", "is there already", "--force"});
  EXPECT_EQ(read(scratch_ / "near.png"), png);
}

TEST_F(Eval, TableIsNoWiderThanATerminal) {
  const Result r = duel({"eval", run(), "--count", "60", "--quiet"});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(r.err, "");
  EXPECT_TRUE(r.out.starts_with("measure ")) << r.out;
  EXPECT_TRUE(has(r.out, "\nfd-digits-v1 ") && has(r.out, "worse\n")) << r.out;
  for (size_t begin = 0; begin < r.out.size();) {
    const size_t end = r.out.find('\n', begin);
    EXPECT_LE(end - begin, 80U) << r.out.substr(begin, end - begin);
    begin = end + 1;
  }
}

TEST_F(Eval, HasTheSameBitsOnOneAndTwoThreads) {
  const Args args = {"eval", run(), "--count", "70", "--json", "--seed", "3"};
  const std::string one = duel(with(args, {"--threads", "1"})).out;
  EXPECT_TRUE(has(one, "fd-digits-v1"));
  EXPECT_EQ(duel(with(args, {"--threads", "2"})).out, one);
  EXPECT_NE(duel(with(args, {"--seed", "4"})).out, one);
}

TEST_F(Eval, RefusesInOneLine) {
  const auto refuse = [&](const Args& args, const std::vector<std::string>& parts) {
    expect_refused(duel(with({"eval"}, args)), parts);
  };
  const std::string digits = idx("digits", gan::draw_digits(30, 1));
  refuse({}, {"SET: missing"});
  refuse({(scratch_ / "none").string()}, {"none: no such file or folder", "a run directory"});
  refuse({run(), "--count", "23"}, {"--count: expected 24 to", "got 23"});
  refuse({run(), "--count", "many"}, {"count", "many"});
  refuse({run(), "--judge", "mnist-v0"}, {"mnist-v0", "digits-v1"});
  refuse({run(), "--threads", "0"}, {"--threads"});
  refuse({run(), "--data", (scratch_ / "none").string()}, {"none"});
  refuse({run(), "--neighbours", (scratch_ / "a.jpg").string()}, {".png"});
  refuse({run(), "--neighbours", (scratch_ / "no/a.png").string()}, {"is not a folder"});
  refuse({run(), "--against", (scratch_ / "none").string()}, {"none: no such file"});
  refuse({digits}, {"no MNIST was found", "--data synthetic", "--against"});
  refuse({digits, "--against", digits, "--neighbours", (scratch_ / "a.png").string()},
         {"no MNIST was found"});
  refuse({idx("few", gan::draw_digits(23, 1)), "--data", "synthetic"}, {"at least 24 images, got 23"});
  gan::ImageSet small;
  small.count = 30;
  small.height = small.width = 8;
  small.images.resize(30 * 64);
  refuse({idx("small", small), "--data", "synthetic"}, {"expected images of 28x28", "got 8x8"});
  std::filesystem::create_directory(scratch_ / "empty");
  refuse({(scratch_ / "empty").string(), "--data", "synthetic"}, {"empty: expected ", "in this folder"});
  std::ofstream(scratch_ / "text") << "no images";
  refuse({(scratch_ / "text").string(), "--data", "synthetic"}, {"text: "});
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "a.png"));
}

}  // namespace
}  // namespace duel::apps::testing
