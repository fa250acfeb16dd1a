// Rejection by D against its formula, by hand; and that what a D of a known ratio keeps follows the data.
#include "duel/gan/run/rejection.h"

#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "duel/gan/data/internal/picture_file.h"
#include "duel/gan/models/network.h"
#include "duel/gan/run/run.h"
#include "duel/gan/run/sample_run.h"
#include "duel/nn/layers.h"
#include "tests/files.h"
#include "tests/run_watcher.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::has;
using duel::testing::Scratch;

/// F^ of the paper's equation 8 in the same letters.
double f_hat(double d, double largest) { return d - largest - std::log(1 - std::exp(d - largest - 1e-6)); }
double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

TEST(Rejection, WithGammaZeroItIsTheRatioOverItsLargest) {
  Rejection rejection({-2.0, 1.0, 3.0, 0.5});
  EXPECT_EQ(rejection.largest(), 3.0);
  EXPECT_EQ(rejection.gamma(), 0.0);
  for (const double logit : {-5.0, -1.0, 0.0, 2.0, 2.9})
    EXPECT_NEAR(rejection.acceptance(logit), std::exp(logit - 3.0), 2e-6) << logit;
  EXPECT_NEAR(rejection.acceptance(3.0), 1.0, 2e-6);
  EXPECT_NEAR(rejection.acceptance(4.0), 1.0, 2e-6) << "the largest so far";
  EXPECT_EQ(rejection.largest(), 4.0);
  EXPECT_NEAR(rejection.acceptance(3.0), std::exp(-1.0), 2e-6);
}

TEST(Rejection, GammaIsAPercentileOfF) {
  Rejection rejection({3.0, -2.0, 1.0, 0.0, 2.0}, 75.0);
  EXPECT_NEAR(rejection.gamma(), f_hat(2.0, 3.0), 1e-9);
  EXPECT_NEAR(rejection.acceptance(2.0), 0.5, 1e-12) << "half of the samples at the percentile";
  for (const double logit : {-3.0, 0.0, 1.5, 2.5})
    EXPECT_NEAR(rejection.acceptance(logit), sigmoid_of(f_hat(logit, 3.0) - f_hat(2.0, 3.0)), 1e-9) << logit;
  EXPECT_NEAR(Rejection({3.0, -2.0, 1.0, 0.0, 2.0}, 60.0).gamma(),
              0.6 * f_hat(1.0, 3.0) + 0.4 * f_hat(2.0, 3.0), 1e-9)
      << "between two";
  // A larger one moves gamma too: half at the percentile still.
  rejection.acceptance(5.0);
  EXPECT_NEAR(rejection.gamma(), f_hat(2.0, 5.0), 1e-9);
  EXPECT_NEAR(rejection.acceptance(2.0), 0.5, 1e-12);
}

TEST(Rejection, MistakesAreNamed) {
  EXPECT_TRUE(has(error_of([] { Rejection none({}); }), "expected logits of a burn-in"));
  EXPECT_TRUE(has(error_of([] { Rejection({1.0}, 101.0); }), "from 0 to 100, got 101"));
  EXPECT_TRUE(has(error_of([] { Rejection({1.0, std::nan("")}); }), "expected a finite number"));
  Rejection rejection({1.0});
  EXPECT_TRUE(has(error_of([&] { rejection.acceptance(INFINITY); }), "expected a finite number"));
}

// Five kinds that G makes alike and that are not alike in the data: with the logit log p/q what is kept has the data's shares,
// and q / max(p/q) = 1/2 of all is kept.
TEST(Rejection, WhatIsKeptFollowsTheData) {
  const double data[] = {0.4, 0.3, 0.15, 0.1, 0.05};
  std::vector<double> burn_in;
  for (const double p : data) burn_in.push_back(std::log(p / 0.2));
  Rejection rejection(burn_in);
  Generator random(3);
  constexpr int64_t kDrawn = 100'000;
  const auto kinds = random.integers({kDrawn}, 5).to_vector<int64_t>();
  const auto coins = random.uniform({kDrawn}, 0, 1, {DType::f64, {}}).to_vector<double>();
  double kept[5] = {}, all = 0;
  for (size_t i = 0; i < kinds.size(); ++i) {
    if (coins[i] >= rejection.acceptance(burn_in[static_cast<size_t>(kinds[i])])) continue;
    ++kept[kinds[i]];
    ++all;
  }
  EXPECT_NEAR(all / kDrawn, 0.5, 4 * std::sqrt(0.25 / kDrawn));
  for (int k = 0; k < 5; ++k)
    EXPECT_NEAR(kept[k] / all, data[k], 4 * std::sqrt(data[k] * (1 - data[k]) / all)) << k;
}

// Which objectives' D minimises its loss at the logarithm of the ratio.
TEST(Rejection, AsksForARatioOfDensities) {
  for (const char* name : {"gan", "ns-gan", "r1", "dragan", "fgan-js", "unrolled", "acgan", "infogan"})
    EXPECT_EQ(why_no_density_ratio(named_objective(name)), "") << name;
  for (const char* name : {"wgan", "wgan-gp", "lsgan", "hinge", "fgan-kl", "fgan-pearson"})
    EXPECT_TRUE(has(why_no_density_ratio(named_objective(name)), "is not the logarithm of the ratio"))
        << name;
  EXPECT_TRUE(has(why_no_density_ratio(named_objective("began")), "energy"));
  EXPECT_TRUE(
      has(why_no_density_ratio(named_objective("rsgan")), "compares real samples with generated ones"));
  EXPECT_TRUE(has(why_no_density_ratio(named_objective("softmax-gan")), "is not the logarithm of the ratio"));
  EXPECT_TRUE(has(why_no_density_ratio(named_objective("ns-gan", {{"label-smoothing", 0.1}})),
                  "is not the logarithm of the ratio"));
  EXPECT_TRUE(has(why_no_density_ratio(named_objective("ns-gan", {{"label-flip", 0.1}})), "label-flip 0.1"));
}

// ---- duel sample --reject ----

/// G(z) = z / 8 as an image of one pixel; D(x) = 8 x - 1/2 = z - 1/2, the logarithm of N(1, 1) over N(0, 1) at z.
Networks of_known_ratio(const NetworkOptions&) {
  const auto scaled = [](double by, double shift) {
    nn::Linear linear(1, 1);
    NoGrad off;
    linear.weight.fill_(by);
    linear.bias.fill_(shift);
    return linear;
  };
  return {.generator = std::make_shared<nn::Sequential>(scaled(0.125, 0), nn::Unflatten({1, 1, 1})),
          .discriminator = std::make_shared<nn::Sequential>(nn::Flatten(), scaled(8, -0.5)),
          .latent = {.noise = 1}};
}

std::filesystem::path trained(const Scratch& scratch, const std::string& objective, const std::string& arch,
                              RunParts parts = {}) {
  RunConfig config;
  config.objective = objective;
  config.overrides.set("lr", 1e-9);
  config.networks.arch = arch;
  config.batch = 8;
  config.steps = 1;
  config.threads = 1;
  config.sample_count = 8;
  config.diagnose_every = config.sample_every = 0;
  if (std::holds_alternative<std::monostate>(parts.data)) {
    config.data = "synthetic";
    config.synthetic_count = 40;
    config.networks.channels_g = config.networks.channels_d = 4;
  }
  config.out = scratch / (objective + "-" + arch);
  duel::testing::RunWatcher quiet;
  EXPECT_TRUE(Run(config, std::move(parts)).train(quiet));
  return config.out;
}

/// Mean and deviation of z as the picture shows it, one pixel each between two black ones.
std::pair<double, double> moments(const std::filesystem::path& file, int64_t count) {
  int64_t width = 0;
  const std::vector<uint8_t> pixels = detail::read_picture_file(file, [&](const detail::PictureSize& size) {
    width = size.width;
    return 1;
  });
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t y = 2 + 3 * (i / 8), x = 2 + 3 * (i % 8);
    const double z = (pixels[static_cast<size_t>(y * width + x)] / 127.5 - 1) * 8;
    sum += z;
    squares += z * z;
  }
  const double mean = sum / static_cast<double>(count);
  return {mean, std::sqrt(squares / static_cast<double>(count) - mean * mean)};
}

TEST(SampleReject, KeepsWhatFollowsTheData) {
  const Scratch scratch;
  if (!is_network("test-known-ratio"))
    register_network({.name = "test-known-ratio", .build = of_known_ratio});
  const auto pixels = std::make_shared<ResidentData>(Generator(1).uniform({20, 1, 1, 1}, -1, 1));
  const auto run = trained(scratch, "ns-gan", "test-known-ratio", {.data = pixels});
  constexpr int64_t kCount = 2000;
  sample_run({.checkpoint = run, .out = scratch / "all.png", .count = kCount});
  const auto [plain, plain_deviation] = moments(scratch / "all.png", kCount);
  EXPECT_NEAR(plain, 0, 0.1);
  EXPECT_NEAR(plain_deviation, 1, 0.1);
  const std::string line = sample_run(
      {.checkpoint = run, .out = scratch / "kept.png", .count = kCount, .reject = SampleRequest::Reject{}});
  const auto [kept, deviation] = moments(scratch / "kept.png", kCount);
  EXPECT_NEAR(kept, 1, 0.1);
  EXPECT_NEAR(deviation, 1, 0.1);
  EXPECT_TRUE(has(line, "2000 images, the ") && has(line, " that were kept by D's ratio, of iteration 1"))
      << line;
  // Of 100 the most likely half or so: with a percentile more is kept, and the shift is part of it.
  sample_run({.checkpoint = run,
              .out = scratch / "some.png",
              .count = kCount,
              .reject = SampleRequest::Reject{.percentile = 50}});
  const auto [some, some_deviation] = moments(scratch / "some.png", kCount);
  EXPECT_GT(some, 0.3);
  EXPECT_LT(some, 0.95);
}

TEST(SampleReject, EveryClassForItself) {
  const Scratch scratch;
  const auto run = trained(scratch, "cgan", "mlp");
  const SampleRequest request{.checkpoint = run,
                              .out = scratch / "kept.png",
                              .count = 20,
                              .reject = SampleRequest::Reject{.percentile = 80},
                              .force = true};
  const std::string line = sample_run(request);
  EXPECT_TRUE(has(line, "20 images, the ") && has(line, "a column for each class")) << line;
  const auto first = duel::testing::get(request.out);
  EXPECT_EQ(sample_run(request), line) << "the same seed";
  EXPECT_TRUE(duel::testing::get(request.out) == first);
}

TEST(SampleReject, WhatHasNoRatioIsRefused) {
  const Scratch scratch;
  const auto refuse = [&](SampleRequest request, const std::vector<std::string>& parts) {
    request.out = scratch / "x.png";
    if (!request.reject) request.reject = SampleRequest::Reject{.percentile = 80};
    const std::string said = error_of([&] { sample_run(request); });
    for (const std::string& part : parts) EXPECT_TRUE(has(said, part)) << said;
    EXPECT_FALSE(std::filesystem::exists(scratch / "x.png"));
  };
  const auto plain = trained(scratch, "ns-gan", "mlp");
  refuse({.checkpoint = plain, .reject = SampleRequest::Reject{.percentile = 120}},
         {"reject", "from 0 to 100", "got 120"});
  refuse({.checkpoint = plain, .best_of = 2}, {"best-of and reject", "take one"});
  refuse({.checkpoint = plain, .interpolate = true}, {"reject", "row belong together"});
  refuse({.checkpoint = trained(scratch, "wgan", "mlp")},
         {"reject: wgan", "is not the logarithm of the ratio", "take best-of"});
  refuse({.checkpoint = trained(scratch, "pacgan", "mlp")}, {"reject", "pacgan judges 2 samples at once"});
}

}  // namespace
}  // namespace duel::gan
