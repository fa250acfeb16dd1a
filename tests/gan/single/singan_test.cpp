// A pyramid on one image: what it promises of sizes, seeds, files and its reconstruction.
#include "duel/gan/single/singan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "duel/core/io/safetensors.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "tests/files.h"
#include "tests/tensors.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::has;
using duel::testing::same_bits;

/// A bright bar across a dark image.
Tensor picture(int64_t side, int64_t colours = 1) {
  Tensor x = Tensor::full({1, colours, side, side}, -0.8);
  for (int64_t c = 0; c < colours; ++c) {
    for (int64_t i = side / 3; i < side / 2; ++i) {
      for (int64_t j = 2; j < side - 2; ++j) x.mutable_data<float>()[(c * side + i) * side + j] = 0.8f;
    }
  }
  return x;
}

const SinganOptions kQuick{.smallest = 12, .channels = 8, .steps = 30};

Singan trained(const Tensor& image, const SinganOptions& options = kQuick) {
  Singan model(image, options);
  while (!model.trained()) model.train_scale();
  return model;
}

std::filesystem::path scratch(const char* name) {
  return std::filesystem::path(::testing::TempDir()) / (name + std::to_string(getpid()));
}

// A constant stays one, a ramp stays a ramp inside, shrinking means, and gradients come back.
TEST(Resized, IsLinearBetweenCentres) {
  const Tensor one = resized(Tensor::ones({1, 2, 5, 7}), 9, 4);
  EXPECT_EQ(one.shape(), (Shape{1, 2, 9, 4}));
  for (const float v : one.to_vector<float>()) EXPECT_NEAR(v, 1, 1e-6);
  const auto ramp = resized(Tensor::from({0., 1., 2., 3.}, {1, 1, 1, 4}), 1, 8).to_vector<double>();
  for (size_t i = 1; i < 7; ++i) EXPECT_NEAR(ramp[i], -0.25 + 0.5 * static_cast<double>(i), 1e-12);
  EXPECT_EQ(ramp[0], 0);  // the border's value goes on
  const auto half = resized(Tensor::from({0., 0., 4., 4.}, {1, 1, 1, 4}), 1, 2).to_vector<double>();
  EXPECT_NEAR(half[0] + half[1], 4, 1e-12);
  EXPECT_LT(half[0], 1);
  const Tensor x = Tensor::ones({1, 1, 3, 3}, {DType::f64, {}}).set_requires_grad(true);
  EXPECT_NEAR(sum(grad({sum(resized(x, 5, 4))}, {x})[0]).item(), 20, 1e-9);
  EXPECT_TRUE(same_bits(resized(one, 9, 4), one));
}

TEST(Singan, LearnsItsImageAndDrawsOthersOfAnySize) {
  const Tensor image = picture(20);
  SinganOptions longer = kQuick;
  longer.steps = 100;
  Singan model(image, longer);
  EXPECT_EQ(model.scales(), 2);  // 20 and 15; 11.25 would be below 12
  EXPECT_TRUE(has(error_of([&] { model.sample(1, 20, 20, 1); }), "0 of 2"));
  int64_t calls = 0;
  while (!model.trained())
    model.train_scale([&](const Singan::Progress& p) { return ++calls, p.step <= 100; });
  EXPECT_EQ(calls, 200);
  const double blank = std::sqrt(mean(square(image - mean(image))).item());  // of the best constant
  EXPECT_LT(model.rec_error(),
            0.25 * blank);  // a penalty by plain distance, sqrt(pixels) too steep, leaves 0.8 of it
  EXPECT_NEAR(std::sqrt(mean(square(model.reconstruction() - image)).item()), model.rec_error(), 1e-5);
  const Tensor a = model.sample(3, 20, 20, 7);
  EXPECT_EQ(a.shape(), (Shape{3, 1, 20, 20}));
  EXPECT_EQ(model.sample(2, 17, 43, 7).shape(), (Shape{2, 1, 17, 43}));
  EXPECT_TRUE(same_bits(a, model.sample(3, 20, 20, 7)));
  EXPECT_FALSE(same_bits(a, model.sample(3, 20, 20, 8)));
  EXPECT_FALSE(same_bits(slice(a, 0, 0, 1), slice(a, 0, 1, 2)));
  EXPECT_LE(max(abs(a)).item(), 1);
}

TEST(Singan, TheSeedDecidesEverything) {
  const Tensor image = picture(14, 3);
  SinganOptions other = kQuick;
  other.seed = 2;
  const Singan a = trained(image), b = trained(image), c = trained(image, other);
  EXPECT_TRUE(same_bits(a.sample(1, 14, 14, 1), b.sample(1, 14, 14, 1)));
  EXPECT_FALSE(same_bits(a.sample(1, 14, 14, 1), c.sample(1, 14, 14, 1)));
}

// Stopped within a scale, it begins that scale again.
TEST(Singan, AScaleIsTrainedWhollyOrNotAtAll) {
  Singan model(picture(14), kQuick);
  EXPECT_FALSE(model.train_scale([](const Singan::Progress& p) { return p.step < 3; }));
  EXPECT_EQ(model.scales_done(), 0);
  EXPECT_TRUE(model.train_scale());
  EXPECT_TRUE(model.trained());
  EXPECT_TRUE(has(error_of([&] { model.train_scale(); }), "one that is trained"));
}

TEST(Singan, ComesBackFromItsFile) {
  const auto file = scratch("singan");
  const Singan model = trained(picture(16));
  model.save(file);
  const Singan again(file);
  EXPECT_TRUE(same_bits(model.sample(2, 16, 30, 3), again.sample(2, 16, 30, 3)));
  EXPECT_TRUE(same_bits(model.reconstruction(), again.reconstruction()));
  EXPECT_DOUBLE_EQ(again.rec_error(), model.rec_error());
  TensorFile stored = read_safetensors(file);
  const auto refused = [&](const std::function<void(TensorFile&)>& change, const char* part) {
    TensorFile changed = stored;
    change(changed);
    write_safetensors(file, changed);
    const std::string error = error_of([&] { Singan{file}; });
    EXPECT_TRUE(has(error, part)) << error;
  };
  refused([](TensorFile& f) { f.metadata.clear(); }, "another safetensors file");
  refused([](TensorFile& f) { f.tensors.pop_back(); }, "singan");
  refused(
      [](TensorFile& f) {
        for (auto& [key, text] : f.metadata)
          if (key == "height") text = "99999";
      },
      "height");
  refused(
      [](TensorFile& f) {
        for (auto& [name, t] : f.tensors)
          if (name == "sigmas") t = Tensor::ones({3});
      },
      "sigmas");
  std::filesystem::remove(file);
}

TEST(Singan, SaysWhatItDoesNotTake) {
  EXPECT_TRUE(has(error_of([] { Singan(Tensor::ones({2, 1, 20, 20}), {}); }), "one image"));
  EXPECT_TRUE(has(error_of([] { Singan(Tensor::ones({1, 1, 8, 20}), {}); }), "8 x 20"));
  EXPECT_TRUE(has(error_of([] { Singan(Tensor::ones({1, 2, 20, 20}), {}); }), "gray or of three colours"));
  EXPECT_TRUE(has(error_of([] { Singan(picture(20), {.factor = 0.2}); }), "factor from 0.5 to 0.9"));
}

}  // namespace
}  // namespace duel::gan
