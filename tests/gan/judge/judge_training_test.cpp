// How a judge is trained: distortions are the plane's, weights are a function of images, options and seed, and the
// batch norms that are folded in leave a network that reads what the trained one read.
#include "duel/gan/judge/judge_training.h"

#include <gtest/gtest.h>

#include <limits>

#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/judge/internal/distortion.h"
#include "duel/kernels/base/parallel.h"
#include "tests/gan/files.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;

std::vector<float> distorted(const std::vector<uint8_t>& image, int64_t height, int64_t width,
                             const Distortion& by) {
  std::vector<float> out(image.size());
  distort(image.data(), height, width, by, out.data());
  for (float& value : out) value = (value + 1) * 127.5f;
  return out;
}

TEST(Distortion, NoneGivesTheImageInItsRange) {
  std::vector<float> out(6);
  const std::vector<uint8_t> image{0, 51, 102, 153, 204, 255};
  distort(image.data(), 2, 3, {}, out.data());
  const std::vector<float> expected{-1, -0.6f, -0.2f, 0.2f, 0.6f, 1};
  for (size_t i = 0; i < 6; ++i) EXPECT_FLOAT_EQ(out[i], expected[i]);
}

TEST(Distortion, ShiftsTurnsAndStretchesAboutTheCentre) {
  const std::vector<uint8_t> image{10, 20, 30,  //
                                   40, 50, 60,  //
                                   70, 80, 90};
  const auto near = [](const std::vector<float>& found, const std::vector<float>& expected) {
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-3) << i;
  };
  // Every place shows what lies to its right; outside there is no ink.
  near(distorted(image, 3, 3, {.shift_x = 1, .shift_y = 0}), {20, 30, 0, 50, 60, 0, 80, 90, 0});
  near(distorted(image, 3, 3, {.shift_x = 0, .shift_y = 0.5f}), {25, 35, 45, 55, 65, 75, 35, 40, 45});
  // (x, y) + (-x - y, x - y) = (-y, x): a quarter turn.
  near(distorted(image, 3, 3, {.xx = -1, .xy = -1, .yx = 1, .yy = -1}), {30, 60, 90, 20, 50, 80, 10, 40, 70});
  near(distorted(image, 3, 3, {.xx = -0.5f, .yy = 0}), {15, 20, 25, 45, 50, 55, 75, 80, 85});
}

std::vector<float> trained(const ImageSet& images, const JudgeOptions& options) {
  std::vector<float> values;
  const auto weights = train_judge(images, options);
  for (const auto& [name, tensor] : *weights) {
    const std::vector<float> part = tensor.to_vector<float>();
    values.insert(values.end(), part.begin(), part.end());
  }
  return values;
}

// 300 images in batches of 32: batches span epochs.
TEST(JudgeTraining, SameSeedSameBitsOnAnyNumberOfThreads) {
  const ImageSet images = draw_digits(300, 1);
  const int before = kernels::threads();
  kernels::set_threads(1);
  const std::vector<float> one = trained(images, {.epochs = 2, .batch = 32, .seed = 7});
  EXPECT_EQ(one.size(), 144762U);
  EXPECT_NE(one, trained(images, {.epochs = 2, .batch = 32, .seed = 8}));
  kernels::set_threads(2);
  EXPECT_EQ(one, trained(images, {.epochs = 2, .batch = 32, .seed = 7}));
  kernels::set_threads(before);
}

TEST(JudgeTraining, Learns) {
  std::vector<JudgeStep> steps;
  const auto weights =
      train_judge(draw_digits(1000, 1), {.epochs = 6, .batch = 50, .on_step = [&](const JudgeStep& now) {
                                           steps.push_back(now);
                                           return true;
                                         }});
  ASSERT_EQ(steps.size(), 120U);
  EXPECT_EQ(steps[19].epoch, 1);
  EXPECT_EQ(steps[20].epoch, 2);
  EXPECT_EQ(steps[119].step, 120);
  EXPECT_EQ(steps[119].steps, 120);
  EXPECT_LT(steps[119].loss, 0.5 * steps[19].loss);
  EXPECT_GT(steps[119].accuracy, steps[19].accuracy);
  const Judge judge(*weights, {.name = "small", .images = 1000, .epochs = 6});
  const JudgeScore score = score_judge(judge, draw_digits(500, 2));
  std::printf("held-out drawn digits: %s %%\n", fixed(100 * score.accuracy, 2).c_str());
  EXPECT_GE(score.accuracy, 0.85);
}

TEST(JudgeTraining, EndsWhenItIsTold) {
  int steps = 0;
  EXPECT_FALSE(train_judge(draw_digits(100, 1),
                           {.batch = 10, .on_step = [&](const JudgeStep&) { return ++steps < 3; }}));
  EXPECT_EQ(steps, 3);
}

TEST(JudgeTraining, RefusesWhatItCannotLearn) {
  const ImageSet digits = draw_digits(20, 1);
  const auto error = [&](const JudgeOptions& options) {
    return error_of([&] { train_judge(digits, options); });
  };
  EXPECT_TRUE(has(error({.epochs = 0}), "epochs"));
  EXPECT_TRUE(has(error({.batch = 1}), "batch"));
  EXPECT_TRUE(has(error({.lr = 0}), "lr"));
  EXPECT_TRUE(has(error({.lr = std::numeric_limits<double>::quiet_NaN()}), "lr"));
  EXPECT_TRUE(has(error({.bend = 0.5}), "bend"));
  EXPECT_TRUE(has(error({.shift = 15}), "shift"));
  EXPECT_TRUE(has(error({.epochs = 20, .batch = 5, .lr = 1e30}), "lower lr"));
  ImageSet small{.count = 1,
                 .height = 4,
                 .width = 4,
                 .images = std::vector<uint8_t>(16),
                 .labels = {0},
                 .source = "small"};
  EXPECT_TRUE(has(error_of([&] { train_judge(small); }), "small: expected images of 28 x 28, got 4 x 4"));
}

}  // namespace
}  // namespace duel::gan
