// Runs on stacked digits: colours from the data to networks, pictures, checkpoints and the judge.
#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/ops.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/data/stacked_digits.h"
#include "duel/gan/run/evaluation.h"
#include "duel/gan/run/internal/run_setup.h"
#include "duel/gan/run/internal/sample_sets.h"
#include "duel/gan/run/run.h"
#include "duel/gan/run/sample_run.h"
#include "tests/files.h"
#include "tests/run_watcher.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::get;
using duel::testing::has;
using duel::testing::Scratch;
using duel::testing::text_of;

RunConfig stacked_config(const std::filesystem::path& out, const std::string& data = "stacked:synthetic") {
  RunConfig c;
  c.out = out;
  c.data = data;
  c.synthetic_count = 60;
  c.stacked_count = 90;
  c.networks.arch = "mlp";
  c.networks.channels_g = c.networks.channels_d = 8;
  c.batch = 16;
  c.steps = 6;
  c.log_every = 2;
  c.sample_count = 4;
  c.diagnose_every = 0;
  c.sample_every = 3;
  c.checkpoint_every = 3;
  return c;
}

/// Of the header of a PNG file: 2 for colours, 0 for gray.
int colour_type(const std::filesystem::path& png) { return get(png).at(25); }

TEST(StackedRun, TrainsSamplesAndGoesOnInColour) {
  const Scratch scratch;
  duel::testing::RunWatcher watcher;
  gan::Run whole(stacked_config(scratch / "whole"));
  EXPECT_TRUE(has(whole.banner(), "data      90 images of 28x28x3: three digits each of drawn digits"))
      << whole.banner();
  EXPECT_TRUE(whole.train(watcher));
  const std::string config = text_of(scratch / "whole" / "config.json");
  for (const char* part :
       {"\"image-channels\": 3", "\"stacked-count\": 90", "\"data\": \"stacked:synthetic\""})
    EXPECT_TRUE(has(config, part)) << config;
  EXPECT_TRUE(has(text_of(scratch / "whole" / "run.json"), "\"channels\": 3"));
  for (const char* file : {"reals.png", "fakes_000003.png", "fakes_000006.png"})
    EXPECT_EQ(colour_type(scratch / "whole" / "samples" / file), 2) << file;

  duel::testing::RunWatcher stopped;
  stopped.stop_at = 4;
  EXPECT_FALSE(gan::Run(stacked_config(scratch / "parts")).train(stopped));
  RunConfig again = stacked_config(scratch / "parts");
  again.resume = true;
  EXPECT_TRUE(gan::Run(again).train(watcher));
  for (const char* file :
       {"metrics.jsonl", "samples/fakes_000006.png", "checkpoints/step_00000006.safetensors", "config.json"})
    EXPECT_EQ(get(scratch / "whole" / file), get(scratch / "parts" / file)) << file;

  sample_run({.checkpoint = scratch / "whole", .out = scratch / "more.png", .count = 3});
  EXPECT_EQ(colour_type(scratch / "more.png"), 2);

  again.stacked_count = 91;
  EXPECT_TRUE(has(error_of([&] { gan::Run refused(again); }), "stacked-count: this run was started with 90"));
}

// What was written before there were colours reads, and is written, as it was.
TEST(StackedRun, LeavesGrayRunsAsTheyWere) {
  const Scratch scratch;
  duel::testing::RunWatcher watcher;
  EXPECT_TRUE(gan::Run(stacked_config(scratch / "gray", "synthetic")).train(watcher));
  const std::string config = text_of(scratch / "gray" / "config.json");
  EXPECT_FALSE(has(config, "channels\"") || has(config, "stacked")) << config;
  EXPECT_FALSE(has(text_of(scratch / "gray" / "run.json"), "\"channels\""));
  EXPECT_EQ(colour_type(scratch / "gray" / "samples" / "fakes_000006.png"), 0);
  EXPECT_EQ(load_trainer(scratch / "gray").config.networks.image_channels, 1);
}

TEST(StackedRun, RefusesWhatAsksForClassesOrGrayImages) {
  const Scratch scratch;
  RunConfig classes = stacked_config(scratch / "a");
  classes.objective = "cgan";
  EXPECT_TRUE(has(error_of([&] { gan::Run refused(classes); }), "stacked digits come without"));
  RunConfig judged = stacked_config(scratch / "a");
  judged.eval_every = 2;
  EXPECT_TRUE(has(error_of([&] { gan::Run refused(judged); }), "eval-every: judges read gray images"));
  RunConfig fixed = stacked_config(scratch / "a", "synthetic");
  fixed.networks.image_channels = 3;
  EXPECT_TRUE(has(error_of([&] { gan::Run refused(fixed); }), "image-channels: expected images of 3"));
  EXPECT_TRUE(
      has(error_of([&] { gan::Run refused(stacked_config(scratch / "a", "stacked:")); }), "stacked:DIR"));
  EXPECT_FALSE(std::filesystem::exists(scratch / "a"));
}

TEST(StackedRun, NamesItsData) {
  EXPECT_FALSE(data_name("data/mnist").stacked);
  EXPECT_EQ(data_name("data/mnist").digits, "data/mnist");
  EXPECT_EQ(data_name("stacked").digits, "auto");
  EXPECT_EQ(data_name("stacked:a b").digits, "a b");
  for (const char* name : {"synthetic", "stacked:synthetic", "stacked:/x"})
    EXPECT_EQ(to_text(data_name(name)), name);
}

TEST(StackedRun, IsJudgedColourByColour) {
  const Judge judge = load_judge("digits-v1");
  const StackedDigits stacked = stack_digits(draw_digits(100, 5), 60, 1);
  const ResidentData data(stacked.images);
  const auto [kinds, features] = detail::read_stacked(judge, data);
  int64_t same = 0;
  for (size_t i = 0; i < kinds.size(); ++i) same += kinds[i] == stacked.labels[i];
  EXPECT_GE(same, 55) << "drawn digits are read as what they are";
  const SampleSet read = detail::judged_stacked(judge, data);
  EXPECT_FALSE(read.features.defined());
  EXPECT_EQ(features.shape(), (Shape{180, Judge::feature_count}));
  EXPECT_EQ(argmax(read.probabilities).to_vector<int64_t>(), kinds);
  EXPECT_TRUE(has(error_of([&] { judge.read(data); }), "[N, 1, 28, 28]")) << "a gray image at a time";
}

// A set of one image is one mode, and ln 1000 from evenness; stacked test digits are near the floor.
TEST(StackedRun, IsEvaluated) {
  const Scratch scratch;
  duel::testing::RunWatcher watcher;
  EXPECT_TRUE(gan::Run(stacked_config(scratch / "run")).train(watcher));
  const auto of = [&](const std::filesystem::path& set) {
    return evaluate({.set = set, .data = "stacked:synthetic", .count = 80});
  };
  const Evaluation run = evaluate({.set = scratch / "run", .count = 80});
  EXPECT_EQ(run.judge, "digits-v1-stacked");
  EXPECT_NEAR(run.comparison.find("modes")->floor, 77, 4) << "80 draws of 1,000 kinds: 1000 (1 - 0.999^80)";
  EXPECT_EQ(run.comparison.find("ms_ssim"), nullptr);

  const ImageSet real = stack_digits(draw_digits(200, 9), 80, 3).images;
  for (const bool collapsed : {false, true}) {
    const std::filesystem::path folder = scratch / (collapsed ? "one" : "many");
    std::filesystem::create_directory(folder);
    for (int64_t i = 0; i < 80; ++i) {
      const ImageSet image = part_of(real, collapsed ? 0 : i, collapsed ? 1 : i + 1);
      write_png(folder / message("{}.png", 100 + i), tile_grid(image.images, 1, 28, 28, 1, 0, 3));
    }
  }
  const Evaluation many = of(scratch / "many"), one = of(scratch / "one");
  EXPECT_NEAR(many.comparison.find("modes")->value, many.comparison.find("modes")->floor, 8);
  EXPECT_EQ(one.comparison.find("modes")->value, 1);
  EXPECT_NEAR(one.comparison.find("class_kl_uniform")->value, std::log(1000.0), 1e-12);

  EXPECT_TRUE(has(error_of([&] { evaluate({.set = scratch / "run", .data = "synthetic", .count = 80}); }),
                  "judges read gray images"));
  EXPECT_TRUE(has(error_of([&] { evaluate({.set = scratch / "run", .count = 30001}); }), "at most 30000"));
  EXPECT_TRUE(
      has(error_of([&] { evaluate({.set = scratch / "run", .count = 80, .neighbours = scratch / "n.png"}); }),
          "--neighbours"));
}

// Colours of a program's own, which no judge knows.
TEST(StackedRun, TakesColoursOfAProgramsOwn) {
  const Scratch scratch;
  duel::testing::RunWatcher watcher;
  RunConfig config = stacked_config(scratch / "own", "auto");
  config.steps = 2;
  RunParts parts;
  parts.data = stack_digits(draw_digits(20, 1), 20, 1).images;
  EXPECT_TRUE(gan::Run(config, parts).train(watcher));
  EXPECT_EQ(colour_type(scratch / "own" / "samples" / "fakes_000002.png"), 2);
  parts.data = std::make_shared<ResidentData>(Tensor::zeros({20, 2, 28, 28}));
  config.out = scratch / "two";
  EXPECT_TRUE(has(error_of([&] { gan::Run refused(config, parts); }), "[count, 3, H, W]"));
}

}  // namespace
}  // namespace duel::gan
