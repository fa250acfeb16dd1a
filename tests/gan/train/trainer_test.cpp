// What a run is a function of: the same seed gives the same bits, on any number of threads, interrupted or
// not, with or without diagnostics; memory does not grow; a checkpoint is whole, checked, and refused when it
// does not fit.
#include "duel/gan/train/trainer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "duel/core/device/allocator.h"
#include "duel/core/ops.h"
#include "duel/gan/train/checkpoint.h"
#include "duel/gan/train/diagnostics.h"
#include "duel/kernels/base/parallel.h"
#include "tests/tensors.h"
#include "tests/training.h"

namespace duel::gan {
namespace {

using duel::testing::run_steps;
using testing::first_difference;

std::shared_ptr<const ResidentData> small_data(int64_t count = 50, int64_t side = 8) {
  return std::make_shared<ResidentData>(testing::noise_images(count, side, 4));
}

struct Recipe {
  std::string objective;
  std::string arch = "mlp";
  ObjectiveOverrides overrides = {};
  uint64_t seed = 1;
  Norm norm_g = Norm::automatic;
};
void PrintTo(const Recipe& r, std::ostream* out) { *out << r.objective << " " << r.arch; }

Trainer make_trainer(const Recipe& setup) {
  const Objective objective = named_objective(setup.objective, setup.overrides);
  Generator weights(setup.seed, static_cast<uint64_t>(RandomStream::weights_g));
  NetworkOptions options{.arch = setup.arch,
                         .height = 8,
                         .width = 8,
                         .latent = 6,
                         .channels_g = 4,
                         .channels_d = 4,
                         .generator_norm = setup.norm_g,
                         .classes = 4};
  return Trainer(make_networks(options, objective, weights), objective, small_data(),
                 {.batch = 8, .seed = setup.seed});
}

std::vector<Recipe> every_objective() {
  std::vector<Recipe> setups;
  for (const std::string& name : objective_names()) setups.push_back({name});
  setups.push_back({"ns-gan", "dcgan", {{"ema", 0.9}}});
  setups.push_back({"wgan-gp", "dcgan", {{"lazy-interval", 3}}});
  setups.push_back({"dragan", "infogan"});
  setups.push_back({"sngan", "dcgan", {{"lr-decay-steps", 50}}});
  setups.push_back({"ns-gan", "mlp", {{"label-flip", 0.2}, {"feature-matching", 1.0}, {"critic-warmup", 3}}});
  setups.push_back({"ns-gan", "mlp", {{"update", "extragradient"}}});
  setups.push_back({"ns-gan", "mlp", {{"optimizer", "oadam"}, {"lookahead", 7}, {"ema", 0.9}}});
  setups.push_back({"wgan-gp", "mlp", {{"optimizer", "adamw"}, {"weight-decay", 0.1}}});
  setups.push_back({"infogan", "infogan"});
  setups.push_back({"acgan", "mlp", {{"label-flip", 0.2}, {"unroll", 2}}});
  setups.push_back({"cgan", "dcgan"});
  setups.push_back({"ebgan", "dcgan"});
  setups.push_back({"began", "mlp", {{"lambda-k", 0.5}}});
  setups.push_back(
      {"hinge", "dcgan", {{"instance-noise", 0.3}, {"instance-noise-steps", 30}, {"packing", 2}}});
  setups.push_back({"wgan-gp", "resnet", {{"critic-steps", 2}}});
  setups.push_back({"hinge", "sagan", {{"ema", 0.9}}});
  setups.push_back({"projection", "biggan", {{"critic-steps", 1}}});
  setups.push_back({"r1", "stylegan2", {{"ema", 0.9}, {"lazy-interval", 3}}});
  setups.push_back({"r3gan", "r3gan"});
  setups.push_back({"r1", "unet", {{"cutmix", 1.0}, {"lazy-interval", 2}}});
  setups.push_back({"projection", "unet", {{"label-flip", 0.2}, {"critic-steps", 1}, {"top-k", 0.5}}});
  setups.push_back({"hinge",
                    "stylegan2",
                    {{"lecam", 0.3},
                     {"path-length", 2.0},
                     {"zcr-d", 5.0},
                     {"zcr-g", 0.5},
                     {"augment", "color,translation,cutout"}}});
  setups.push_back({"ns-gan", "dcgan", {{"bcr", 10.0}, {"orthogonal", 1e-4}, {"top-k", 0.5}}});
  setups.push_back({"acgan", "mlp", {{"cr", 10.0}, {"zcr-d", 5.0}, {"path-length", 2.0}}});
  setups.push_back({"hinge",
                    "dcgan",
                    {{"augment", "color,translation"},
                     {"ada", true},
                     {"apa", true},
                     {"adaptive-target", 0.1},
                     {"adaptive-images", 100}}});
  setups.push_back(
      {"acgan",
       "mlp",
       {{"apa", true}, {"adaptive-target", 0.1}, {"adaptive-images", 200}, {"critic-steps", 2}}});
  setups.push_back({"ns-gan", "dcgan", {{"historical-averaging", 0.1}, {"spectral-regularisation", 0.01}}});
  setups.push_back({"hinge", "dcgan", {{"latent-step", 0.9}, {"critic-steps", 2}, {"zcr-d", 5.0}}});
  setups.push_back({"cgan", "dcgan", {{"ema", 0.9}, {"critic-steps", 2}}, 1, Norm::virtual_batch});
  setups.push_back(
      {"ns-gan", "mlp", {{"path-length", 2.0}, {"path-length-every", 4}, {"generator-steps", 3}}});
  setups.push_back({"cgan", "mlp", {{"latent-step", 0.9}, {"update", "extragradient"}}});
  return setups;
}

class EveryObjective : public ::testing::TestWithParam<Recipe> {};

TEST_P(EveryObjective, FortyIterationsAreTwentyAndTwentyResumed) {
  Trainer whole = make_trainer(GetParam()), first = make_trainer(GetParam());
  run_steps(whole, 40);
  run_steps(first, 20);
  const std::filesystem::path file =
      std::filesystem::path(::testing::TempDir()) / ("resume_" + std::to_string(getpid()) + ".safetensors");
  write_checkpoint(file, first.state(), "{}");
  // The resumed run starts from other weights and another seed's generators: everything must come from the
  // file.
  Recipe other = GetParam();
  other.seed = 99;
  Trainer second = make_trainer(other);
  EXPECT_NE(first_difference(first.state(), second.state()), "");
  const Checkpoint checkpoint = read_checkpoint(file);
  Recipe same = GetParam();
  Trainer resumed = make_trainer(same);
  resumed.restore(checkpoint.state);
  run_steps(resumed, 20);
  EXPECT_EQ(first_difference(whole.state(), resumed.state()), "");
  EXPECT_EQ(resumed.iteration(), 40);
  std::filesystem::remove(file);
}

TEST_P(EveryObjective, SameSeedSameBitsOnAnyNumberOfThreads) {
  TensorFile expected;
  for (const int threads : {1, 1, 2, 4}) {
    kernels::set_threads(threads);
    Trainer trainer = make_trainer(GetParam());
    run_steps(trainer, 6);
    if (expected.tensors.empty()) {
      expected = trainer.state();
      continue;
    }
    EXPECT_EQ(first_difference(expected, trainer.state()), "") << threads << " threads";
  }
  kernels::set_threads(2);
  Recipe other = GetParam();
  other.seed = 2;
  Trainer different = make_trainer(other);
  run_steps(different, 6);
  EXPECT_NE(first_difference(expected, different.state()), "") << "another seed must give other weights";
}

TEST_P(EveryObjective, LookingDoesNotChangeTheRun) {
  Trainer plain = make_trainer(GetParam()), watched = make_trainer(GetParam());
  run_steps(plain, 5);
  Generator noise(5);
  const auto held_out = small_data(20);
  for (int i = 0; i < 5; ++i) {
    StepRecord record;
    watched.step(true, i % 2 ? &record : nullptr);
    if (i % 2) {
      const Diagnosis d = diagnose(watched, record, held_out.get());
      EXPECT_GT(d.number("input_gradient_fake"), 0);
      EXPECT_GT(d.number("input_gradient_line"), 0);
      EXPECT_GT(d.group("activation_gradients").size(), 3u);
      EXPECT_FALSE(d.group("spectral_norms").empty());
      EXPECT_TRUE(std::isfinite(d.number("held_out_gap")));
      EXPECT_GT(d.number("step_cosine_d"), 0);
      EXPECT_LE(d.number("step_cosine_g"), 1 + 1e-6);
    }
    const Metrics m = watched.metrics();
    for (double v : {m.loss_d, m.loss_g, m.penalty, m.d_real, m.d_fake, m.input_gradient_norm, m.grad_norm_d,
                     m.grad_norm_g}) {
      EXPECT_TRUE(std::isfinite(v));
    }
    for (const auto& [what, value] : m.more) EXPECT_TRUE(std::isfinite(value)) << what;
    EXPECT_GT(m.input_gradient_norm, 0);
    EXPECT_GT(m.grad_norm_d, 0);
    EXPECT_GT(m.grad_norm_g, 0);
    EXPECT_EQ(watched.sample(noise.normal({3, watched.networks().latent.width()})).shape(),
              (Shape{3, 1, 8, 8}));
  }
  EXPECT_EQ(first_difference(plain.state(), watched.state()), "");
}

INSTANTIATE_TEST_SUITE_P(Objectives, EveryObjective, ::testing::ValuesIn(every_objective()),
                         [](const auto& setup) {
                           std::string name = setup.param.objective + "_" + setup.param.arch;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name + std::to_string(setup.index);
                         });

// Nothing that was not looked at has a value, nor one of an earlier look.
TEST(Trainer, MetricsHoldWhatWasMeasuredAndNothingElse) {
  for (const char* objective : {"ns-gan", "wgan-gp", "consensus"}) {
    Trainer trainer = make_trainer({objective});
    const bool penalised = !trainer.objective().penalties.empty();
    EXPECT_TRUE(std::isnan(trainer.metrics().loss_d)) << objective;
    for (const bool look : {false, true, false}) {
      trainer.step(look);
      const Metrics m = trainer.metrics();
      EXPECT_TRUE(std::isfinite(m.loss_d) && std::isfinite(m.loss_g) && std::isfinite(m.penalty))
          << objective;
      EXPECT_EQ(std::isfinite(m.input_gradient_norm), look || penalised) << objective;
      for (double v : {m.d_real, m.d_fake, m.p_real, m.p_fake, m.grad_norm_d, m.grad_norm_g}) {
        EXPECT_EQ(std::isfinite(v), look) << objective;
        EXPECT_TRUE(look || std::isnan(v)) << objective;
      }
    }
  }
}

// The sizes of real training, where work is cut into many ranges.
TEST(Trainer, FullSizesGiveTheSameBitsOnAnyNumberOfThreads) {
  for (const auto& [arch, objective] :
       {std::pair{"mlp", "wgan-gp"}, {"dcgan", "wgan-gp"}, {"dcgan", "ns-gan"}}) {
    TensorFile expected;
    for (const int threads : {1, 2, 4}) {
      kernels::set_threads(threads);
      const Objective o = named_objective(objective, {{"critic-steps", 1}});
      Generator weights(3);
      Trainer trainer(make_networks({.arch = arch}, o, weights), o, small_data(64, 28), {.batch = 64});
      run_steps(trainer, 2);
      if (expected.tensors.empty()) expected = trainer.state();
      EXPECT_EQ(first_difference(expected, trainer.state()), "")
          << arch << " " << objective << " on " << threads << " threads";
    }
  }
  kernels::set_threads(2);
}

TEST(Trainer, ActiveBytesAreConstantOverAThousandPenaltySteps) {
  Trainer trainer = make_trainer({"wgan-gp", "mlp", {{"critic-steps", 1}}});
  run_steps(trainer, 3);
  const int64_t active = allocator_stats({}).active_bytes;
  for (int i = 0; i < 1000; ++i) {
    trainer.step();
    ASSERT_EQ(allocator_stats({}).active_bytes, active) << "iteration " << i;
  }
}

TEST(Trainer, WeightClippingHoldsAfterEveryStep) {
  Trainer trainer = make_trainer({"wgan", "mlp", {{"clip", 0.005}}});
  run_steps(trainer, 3);
  for (const Tensor& p : trainer.networks().discriminator->parameters()) {
    for (float w : p.to_vector<float>()) EXPECT_LE(std::abs(w), 0.005f);
  }
}

TEST(Trainer, TheMovingAverageIsWhatSamplesUse) {
  Trainer with = make_trainer({"ns-gan", "mlp", {{"ema", 0.999}}}), without = make_trainer({"ns-gan", "mlp"});
  run_steps(with, 10);
  run_steps(without, 10);
  const Tensor z = Generator(1).normal({4, 6});
  EXPECT_NE(with.sample(z).to_vector<float>(), without.sample(z).to_vector<float>());
  EXPECT_EQ(with.generate(z).to_vector<float>(), without.generate(z).to_vector<float>());
}

TEST(Trainer, EveryImageOfAnEpochIsSeenOnce) {
  DataOrder order(50, 7);
  std::vector<int> seen(50);
  for (int i = 0; i < 25; ++i) {
    for (int64_t item : order.next(8).to_vector<int64_t>()) ++seen[static_cast<size_t>(item)];
  }
  for (int count : seen) EXPECT_EQ(count, 4);  // 200 draws are four epochs
}

TEST(Trainer, BatchesAreDrawnInTheOrderInFrontOfOthers) {
  const auto data = small_data();
  const Tensor others = Generator(3).normal(data->sample_shape().inserted(0, 4));
  // The whole set; its first samples alone.
  for (const int64_t count : {data->count(), int64_t{7}}) {
    DataOrder one(count, 5), other(count, 5);
    for (int i = 0; i < 3; ++i) {
      const ResidentData::Drawn drawn = data->next(one, 6, DType::f32, i == 1 ? Tensor() : others);
      const Tensor index = other.next(6);
      EXPECT_EQ(drawn.index.to_vector<int64_t>(), index.to_vector<int64_t>());
      EXPECT_EQ(rows(drawn.samples, 0, 6).to_vector<float>(),
                data->batch(index, DType::f32).to_vector<float>());
      EXPECT_EQ(drawn.samples.dim(0), i == 1 ? 6 : 10);
      if (i != 1) {
        EXPECT_EQ(rows(drawn.samples, 6, 10).to_vector<float>(), others.to_vector<float>());
      }
      for (const int64_t item : index.to_vector<int64_t>()) EXPECT_LT(item, count);
    }
    EXPECT_EQ(one.position(), 18);
  }
  DataOrder larger(data->count() + 1, 5), order(data->count(), 5);
  EXPECT_THROW((void)data->next(larger, 2, DType::f32), Error);
  EXPECT_THROW((void)data->next(order, 2, DType::f64, others), Error);
  EXPECT_EQ(order.position(), 0);
}

TEST(Trainer, ABatchLargerThanTheSetIsRefused) {
  Generator weights(1);
  try {
    Trainer trainer(make_networks({.arch = "mlp", .height = 8, .width = 8}, true, weights),
                    named_objective("gan"), small_data(), {.batch = 51});
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("at most the 50 images"), std::string::npos) << error.what();
  }
}

class CheckpointFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) / "duel_checkpoint_test" /
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ / "checkpoints");
    path_ = folder_ / "checkpoints" / checkpoint_name(200);
    write_checkpoint(path_, trainer_.state(), "{\"objective\": \"gan\"}");
    std::ifstream in(path_, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(in), {});
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string error_after(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
    try {
      read_checkpoint(path_);
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }

  Trainer trainer_ = make_trainer({"gan"});
  std::filesystem::path folder_, path_;
  std::string bytes_;
};

TEST_F(CheckpointFile, EveryFlippedBitIsFound) {
  uint32_t state = 5;
  for (int i = 0; i < 400; ++i) {
    state = state * 1664525u + 1013904223u;
    std::string bytes = bytes_;
    const size_t at = i < 100 ? static_cast<size_t>(i) * 7 % bytes.size() : state % bytes.size();
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (state >> 29)));
    const std::string text = error_after(bytes);
    EXPECT_NE(text, "") << "byte " << at;
    EXPECT_NE(text.find(path_.filename().string()), std::string::npos) << text;
  }
}

TEST_F(CheckpointFile, TruncatedFilesAreRefused) {
  for (const size_t length :
       {size_t{0}, size_t{7}, size_t{8}, size_t{100}, bytes_.size() / 2, bytes_.size() - 1}) {
    EXPECT_NE(error_after(bytes_.substr(0, length)), "") << length;
  }
}

TEST_F(CheckpointFile, AForeignFileIsNamedAsSuch) {
  write_safetensors(path_, {{{"x", Tensor::ones({2})}}, {}});
  try {
    read_checkpoint(path_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("not one that duel train wrote"), std::string::npos)
        << error.what();
  }
}

TEST_F(CheckpointFile, OfOtherSizesChangesNothing) {
  Generator weights(1);
  Trainer other(make_networks({.arch = "mlp", .height = 8, .width = 8, .latent = 7}, true, weights),
                named_objective("gan"), small_data(), {.batch = 8});
  const TensorFile before = other.state();
  try {
    other.restore(read_checkpoint(path_).state);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("g.0.weight"), std::string::npos) << error.what();
  }
  EXPECT_EQ(first_difference(before, other.state()), "");
}

TEST_F(CheckpointFile, TheLatestIsTheHighestStep) {
  for (int64_t step : {5, 99999999, 100000000})
    write_checkpoint(folder_ / "checkpoints" / checkpoint_name(step), trainer_.state(), "{}");
  std::ofstream(folder_ / "checkpoints" / "step_999999999.safetensors.tmp") << "x";
  EXPECT_EQ(latest_checkpoint(folder_)->filename(), "step_100000000.safetensors");
  EXPECT_FALSE(latest_checkpoint(folder_ / "none").has_value());
}

}  // namespace
}  // namespace duel::gan
