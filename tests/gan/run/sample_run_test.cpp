// duel sample --best-of: the samples that D finds most real, and what is not ranked.
#include "duel/gan/run/sample_run.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "duel/core/ops.h"
#include "duel/gan/objective/critic.h"
#include "duel/gan/picture/png.h"
#include "duel/gan/run/run.h"
#include "duel/gan/train/sampling.h"
#include "tests/files.h"
#include "tests/run_watcher.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::get;
using duel::testing::has;
using duel::testing::Scratch;

std::filesystem::path trained(const Scratch& scratch, const std::string& objective) {
  RunConfig config;
  config.objective = objective;
  config.data = "synthetic";
  config.synthetic_count = 40;
  config.batch = 8;
  config.steps = 4;
  config.networks.arch = "mlp";
  config.networks.channels_g = config.networks.channels_d = 4;
  config.threads = 1;
  config.diagnose_every = config.sample_every = 0;
  config.out = scratch / objective;
  duel::testing::RunWatcher quiet;
  EXPECT_TRUE(Run(config).train(quiet));
  return config.out;
}

/// Images [N, 1, 28, 28] of the points, by what D in evaluation mode says of each alone.
std::vector<float> alone(const LoadedTrainer& loaded, const Tensor& images, const Tensor& labels) {
  nn::Module& d = *loaded.trainer->networks().discriminator;
  const nn::EvalMode eval(d);
  std::vector<float> said;
  for (int64_t i = 0; i < images.dim(0); ++i)
    said.push_back(
        judge(d, rows(images, i, i + 1), labels.defined() ? rows(labels, i, i + 1) : Tensor()).logits.item());
  return said;
}

TEST(BestOf, ShowsWhatDFindsMostRealTheBestFirst) {
  const Scratch scratch;
  for (const bool energy : {false, true}) {
    const auto run = trained(scratch, energy ? "ebgan" : "ns-gan");
    const std::string line =
        sample_run({.checkpoint = run, .out = scratch / "best.png", .count = 8, .best_of = 5, .force = true});
    EXPECT_TRUE(has(line, "8 images, those of 40 that D finds most real, of iteration 4")) << line;
    const LoadedTrainer loaded = load_trainer(run);
    LatentGenerators random = sampling_generators(7);
    const Tensor images =
        loaded.trainer->sample(sample_grid(loaded.trainer->networks().latent, 40, random).input);
    std::vector<float> said = alone(loaded, images, {});
    if (energy) std::transform(said.begin(), said.end(), said.begin(), [](float error) { return -error; });
    std::vector<int64_t> order(40);
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return said[static_cast<size_t>(a)] > said[static_cast<size_t>(b)];
    });
    order.resize(8);
    write_png(scratch / "expected.png", image_grid(gather(images, Tensor::from(order, {8})), 8));
    EXPECT_TRUE(get(scratch / "best.png") == get(scratch / "expected.png")) << (energy ? "energy" : "logit");
  }
}

TEST(BestOf, RanksEveryClassForItself) {
  const Scratch scratch;
  const auto run = trained(scratch, "cgan");
  sample_run({.checkpoint = run, .out = scratch / "best.png", .count = 20, .best_of = 3});
  const LoadedTrainer loaded = load_trainer(run);
  LatentGenerators random = sampling_generators(7);
  const SampleGrid all = sample_grid(loaded.trainer->networks().latent, 60, random);
  std::vector<int64_t> labels(60), chosen(20);
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int64_t>(i % 10);
  const Tensor images = loaded.trainer->sample(all.input);
  const std::vector<float> said = alone(loaded, images, Tensor::from(labels, {60}));
  for (size_t c = 0; c < 10; ++c) {
    std::vector<size_t> column{c, c + 10, c + 20, c + 30, c + 40, c + 50};
    std::sort(column.begin(), column.end(), [&](size_t a, size_t b) { return said[a] > said[b]; });
    for (size_t row = 0; row < 2; ++row) chosen[row * 10 + c] = static_cast<int64_t>(column[row]);
  }
  write_png(scratch / "expected.png", image_grid(gather(images, Tensor::from(chosen, {20})), 10));
  EXPECT_TRUE(get(scratch / "best.png") == get(scratch / "expected.png"));
}

TEST(BestOf, WhatIsNotRankedIsRefused) {
  const Scratch scratch;
  const auto refuse = [&](const SampleRequest& request, const std::vector<std::string>& parts) {
    const std::string said = error_of([&] { sample_run(request); });
    for (const std::string& part : parts) EXPECT_TRUE(has(said, part)) << said;
    EXPECT_FALSE(std::filesystem::exists(scratch / "x.png"));
  };
  const auto plain = trained(scratch, "ns-gan");
  refuse({.checkpoint = plain, .out = scratch / "x.png", .best_of = 0}, {"best-of", "from 1 to", "got 0"});
  refuse({.checkpoint = plain, .out = scratch / "x.png", .best_of = 1 << 20},
         {"best-of", "from 1 to 4096, for 262144 images"});
  refuse({.checkpoint = plain, .out = scratch / "x.png", .interpolate = true, .best_of = 2},
         {"best-of", "row belong together"});
  refuse({.checkpoint = trained(scratch, "pacgan"), .out = scratch / "x.png", .best_of = 2},
         {"best-of", "pacgan judges 2 samples at once"});
  refuse({.checkpoint = trained(scratch, "infogan"), .out = scratch / "x.png", .best_of = 2},
         {"best-of", "row belong together"});
}

}  // namespace
}  // namespace duel::gan
