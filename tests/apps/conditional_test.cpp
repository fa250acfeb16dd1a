// duel train and duel sample with classes and codes, from the command line.
#include <fstream>

#include "command.h"
#include "duel/gan/data/idx.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;

/// A run of two iterations on a few drawn digits.
void train(const std::filesystem::path& out, const std::string& objective,
           std::vector<std::string> more = {}) {
  std::vector<std::string> args{
      "train", "--data",       "synthetic",   "--synthetic-count", "32",    "--batch",
      "4",     "--arch",       "mlp",         "--steps",           "2",     "--threads",
      "1",     "--channels-g", "8",           "--channels-d",      "8",     "--log-every",
      "1",     "--quiet",      "--objective", objective,           "--out", out.string()};
  const Result r = duel(with(args, more));
  ASSERT_EQ(r.status, 0) << r.err;
}

struct Grid : ::testing::Test {
  Scratch scratch;
  std::string run(const std::string& objective) {
    const auto out = scratch / objective;
    train(out, objective);
    return out.string();
  }
  Result sample(const std::string& from, const std::string& file, std::vector<std::string> more = {}) {
    std::vector<std::string> args{"sample", "--checkpoint", from, "--out", (scratch / file).string()};
    return duel(with(args, more));
  }
};

TEST_F(Grid, ClassesOfAConditionalRun) {
  const std::string cgan = run("cgan");
  EXPECT_TRUE(has(read(scratch / "cgan" / "config.json"), "\"classes\": 10"));
  Result r = sample(cgan, "all.png");
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "a column for each class: 0-9\n")) << r.out;
  EXPECT_FALSE(has(read(scratch / "cgan" / "config.json"), "class-names"))
      << "classes that are counted have no other names";
  EXPECT_TRUE(has(r.out, "70 images (64 wanted, whole rows of 10 made)") && has(r.out, "302x212"))
      << r.out;  // 10 columns, a class each, in full rows
  r = sample(cgan, "seven.png", {"--class", "7", "--count", "16"});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "16 images of") && has(r.out, "242x62")) << r.out;
  ASSERT_EQ(sample(cgan, "eight.png", {"--class", "8", "--count", "16"}).status, 0);
  EXPECT_FALSE(read(scratch / "seven.png") == read(scratch / "eight.png"));
  ASSERT_EQ(sample(cgan, "walk.png", {"--class", "7", "--interpolate", "--count", "16"}).status, 0);
  EXPECT_FALSE(read(scratch / "seven.png") == read(scratch / "walk.png"));
  expect_refused(sample(cgan, "x.png", {"--class", "10"}), {"class", "0-9, got 10"});
  expect_refused(sample(cgan, "x.png", {"--class", "-1"}), {"class", "got -1"});
  expect_refused(sample(cgan, "x.png", {"--class", "-1", "--interpolate"}), {"class", "got -1"});
  expect_refused(sample(cgan, "x.png", {"--class", "seven"}), {"class", "seven"});
  expect_refused(sample(cgan, "x.png", {"--sweep-code", "0"}), {"sweep-code", "cgan", "no codes", "infogan"});
  EXPECT_FALSE(std::filesystem::exists(scratch / "x.png"));
}

TEST_F(Grid, CodesOfInfogan) {
  const std::string infogan = run("infogan");
  EXPECT_TRUE(has(read(scratch / "infogan" / "metrics.jsonl"), "\"terms_g\":{\"info\":"));
  Result r = sample(infogan, "categories.png", {"--sweep-code", "0", "--count", "20"});
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, "20 images") && has(r.out, "302x62")) << r.out;
  ASSERT_EQ(sample(infogan, "value.png", {"--sweep-code", "2", "--count", "20"}).status, 0);
  EXPECT_FALSE(read(scratch / "categories.png") == read(scratch / "value.png"));
  expect_refused(sample(infogan, "x.png", {"--sweep-code", "3"}), {"sweep-code", "from 0 to 2, got 3"});
  expect_refused(sample(infogan, "x.png", {"--sweep-code", "0", "--interpolate"}),
                 {"sweep-code", "interpolate", "choose one"});
  expect_refused(sample(infogan, "x.png", {"--class", "7"}), {"class", "infogan", "no classes", "cgan"});
  EXPECT_FALSE(std::filesystem::exists(scratch / "x.png"));
}

TEST_F(Grid, BeganTellsItsBalance) {
  const std::string began = run("began");
  for (const char* key : {"\"k\":", "\"convergence\":"})
    EXPECT_TRUE(has(read(scratch / "began" / "metrics.jsonl"), key)) << key;
  expect_refused(sample(began, "x.png", {"--class", "7"}), {"began", "no classes"});
}

TEST(ConditionalFlags, BelongToTheirObjective) {
  const auto refused = [](std::vector<std::string> flags, std::vector<std::string> parts) {
    std::vector<std::string> args{"train", "--data", "synthetic", "--dry-run"};
    args.insert(args.end(), flags.begin(), flags.end());
    expect_refused(duel(args), parts);
  };
  refused({"--margin", "2"}, {"ns-gan", "margin does not apply"});
  refused({"--objective", "ebgan", "--gamma", "0.3"}, {"ebgan", "gamma does not apply"});
  refused({"--objective", "infogan", "--code-classes", "0", "--code-values", "0"}, {"codes"});
  refused({"--objective", "acgan", "--packing", "2"}, {"packing 2"});
  refused({"--objective", "cgan", "--classes", "7"}, {"classes", "7", "10"});
  refused({"--objective", "cgan", "--classes", "12"}, {"classes", "12", "10"});
  refused({"--objective", "cgan", "--class-names", "1-10"}, {"class-names: expected 1-10", "0-9"});
  refused({"--objective", "cgan", "--class-names", "3,1"}, {"class-names", "rising labels", "3,1"});
}

/// Noise of 28x28 pixels with these labels, as a folder in MNIST's format.
std::filesystem::path folder_of(const std::filesystem::path& dir, std::vector<uint8_t> labels,
                                int64_t height = 28, int64_t width = 28, int64_t count = 52,
                                gan::Split split = gan::Split::train) {
  gan::ImageSet set{.count = count,
                    .height = height,
                    .width = width,
                    .images = {},
                    .labels = std::move(labels),
                    .source = ""};
  for (int64_t i = 0; i < count * height * width; ++i)
    set.images.push_back(static_cast<uint8_t>(i * 89 % 251));
  std::filesystem::create_directories(dir);
  gan::write_mnist(dir, split, set, false);
  return dir;
}

std::vector<uint8_t> letters(int64_t count, int first, int kinds) {
  std::vector<uint8_t> labels;
  for (int64_t i = 0; i < count; ++i) labels.push_back(static_cast<uint8_t>(first + i % kinds));
  return labels;
}

// EMNIST's letters are labelled 1 to 26: 26 classes, which every place calls by their labels. The test set
// has a 27th, which D knows nothing of.
TEST_F(Grid, ClassesAreThoseThatOccurUnderTheirLabels) {
  const auto data = folder_of(scratch / "letters", letters(52, 1, 26));
  folder_of(data, letters(27, 1, 27), 28, 28, 27, gan::Split::test);
  for (const char* objective : {"acgan", "cgan", "projection"}) {
    const auto out = scratch / objective;
    train(out, objective, {"--data", data.string(), "--diagnose-every", "1"});
    const std::string config = read(out / "config.json");
    EXPECT_TRUE(has(config, "\"classes\": 26") && has(config, "\"class-names\": \"1-26\"")) << config;
    EXPECT_TRUE(has(read(out / "metrics.jsonl"), "critic_held_out")) << objective;
    EXPECT_TRUE(has(read(out / "report.html"), "a column for each class: 1-26")) << objective;
    Result r = sample(out.string(), std::string(objective) + ".png");
    ASSERT_EQ(r.status, 0) << r.err;
    EXPECT_TRUE(has(r.out, "whole rows of 26") && has(r.out, "a column for each class: 1-26")) << r.out;
    ASSERT_EQ(sample(out.string(), std::string(objective) + "-z.png", {"--class", "26"}).status, 0);
    expect_refused(sample(out.string(), "x.png", {"--class", "0"}), {"class", "1-26, got 0"});
    expect_refused(sample(out.string(), "x.png", {"--class", "27"}), {"class", "1-26, got 27"});
    const Result again = duel({"train", "--resume", "--out", out.string(), "--steps", "4", "--quiet"});
    EXPECT_EQ(again.status, 0) << again.err;
  }
  const Result plan =
      duel({"train", "--dry-run", "--data", data.string(), "--objective", "acgan", "--batch", "4"});
  EXPECT_TRUE(has(plan.out, "classes   26: 1-26\n")) << plan.out;
  expect_refused(duel({"train", "--dry-run", "--config", (scratch / "acgan" / "config.json").string(),
                       "--data", "synthetic"}),
                 {"class-names: expected 1-26", "0-9"});

  auto stray = letters(52, 0, 10);
  stray[7] = 255;
  const auto with_stray = folder_of(scratch / "stray", stray);
  const Result eleven =
      duel({"train", "--dry-run", "--data", with_stray.string(), "--objective", "acgan", "--batch", "4"});
  EXPECT_TRUE(has(eleven.out, "classes   11: 0-9,255\n")) << eleven.out;
}

// --data-count: the first images of the set, in the run, in its resumed part and in what a checkpoint was trained on.
TEST_F(Grid, TheFirstImagesOfASetAloneAreUsed) {
  const auto data = folder_of(scratch / "few", letters(52, 0, 10));
  const auto out = scratch / "few-run";
  train(out, "ns-gan", {"--data", data.string(), "--data-count", "20"});
  EXPECT_TRUE(has(read(out / "config.json"), "\"data-count\": 20")) << read(out / "config.json");
  EXPECT_TRUE(has(read(out / "run.json"), "\"count\": 20")) << read(out / "run.json");
  EXPECT_EQ(duel({"train", "--resume", "--out", out.string(), "--steps", "4", "--quiet"}).status, 0);
  expect_refused(duel({"train", "--dry-run", "--data", data.string(), "--batch", "4", "--data-count", "53"}),
                 {"data-count: expected at most 52", "53"});
  expect_refused(duel({"train", "--dry-run", "--data", "synthetic", "--data-count", "53"}),
                 {"data-count", "synthetic-count"});
}

// Duel 0.1.0 made a class of every label up to the greatest, also of those without an image: its runs go on
// with as many.
TEST_F(Grid, RunsOfEarlierVersionsKeepTheirClasses) {
  const auto data = folder_of(scratch / "letters", letters(52, 1, 26));
  train(scratch / "old", "acgan", {"--data", data.string(), "--classes", "27"});
  const std::string config = read(scratch / "old" / "config.json");
  EXPECT_TRUE(has(config, "\"classes\": 27") && !has(config, "class-names")) << config;
  EXPECT_EQ(
      duel({"train", "--resume", "--out", (scratch / "old").string(), "--steps", "4", "--quiet"}).status, 0);
  EXPECT_EQ(sample((scratch / "old").string(), "z.png", {"--class", "26"}).status, 0);
  expect_refused(duel({"train", "--dry-run", "--data", data.string(), "--objective", "acgan", "--batch", "4",
                       "--classes", "28"}),
                 {"classes: expected 28", "26"});
}

TEST_F(Grid, ImagesWithoutLabelsAndOfAnySidesTrain) {
  for (const auto& [name, height, width] :
       {std::tuple{"27x28", 27, 28}, {"29x29", 29, 29}, {"7x7", 7, 7}, {"1x5", 1, 5}}) {
    const auto data = folder_of(scratch / name, {}, height, width);
    train(scratch / (std::string("run-") + name), "wgan-gp", {"--data", data.string()});
    EXPECT_EQ(sample((scratch / (std::string("run-") + name)).string(), std::string(name) + ".png").status,
              0);
  }
  for (const char* arch : {"dcgan", "infogan"}) {
    expect_refused(
        duel({"train", "--dry-run", "--data", (scratch / "7x7").string(), "--arch", arch, "--batch", "4"}),
        {arch, "divide by 4", "7 x 7", "mlp"});
  }
  expect_refused(duel({"train", "--dry-run", "--data", (scratch / "7x7").string(), "--arch", "mlp",
                       "--objective", "cgan", "--batch", "4"}),
                 {"cgan needs the class", "no labels"});
}

// Settings that are younger than a run count with their defaults for it.
TEST_F(Grid, ARunFromBeforeASettingResumes) {
  train(scratch / "run", "lsgan");
  std::string config = read(scratch / "run" / "config.json");
  const size_t begin = config.find("  \"square-weight\""), end = config.find('\n', begin);
  ASSERT_NE(begin, std::string::npos);
  config.erase(begin, end + 1 - begin);
  std::ofstream(scratch / "run" / "config.json") << config;
  const Result r =
      duel({"train", "--resume", "--out", (scratch / "run").string(), "--steps", "4", "--quiet"});
  EXPECT_EQ(r.status, 0) << r.err;
}

// Resuming must restore k and the streams of labels and codes.
TEST(ConditionalRun, StoppedAndResumedIsTheSameRun) {
  Scratch scratch;
  for (const char* objective : {"began", "infogan", "acgan"}) {
    const auto whole = scratch / (std::string("whole-") + objective),
               parts = scratch / (std::string("parts-") + objective);
    train(whole, objective, {"--steps", "4"});
    train(parts, objective);
    const Result r = duel({"train", "--resume", "--out", parts.string(), "--steps", "4", "--quiet"});
    ASSERT_EQ(r.status, 0) << r.err;
    for (const char* file :
         {"metrics.jsonl", "samples/fakes_000004.png", "checkpoints/step_00000004.safetensors"}) {
      EXPECT_TRUE(read(whole / file) == read(parts / file)) << objective << " " << file;
    }
  }
}

}  // namespace
}  // namespace duel::apps::testing
