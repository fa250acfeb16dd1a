// Stacked digits: which digits an image is made of, and that it depends on nothing else.
#include "duel/gan/data/stacked_digits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/data/idx.h"
#include "duel/gan/data/resident_data.h"
#include "tests/files.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::has;

/// Ten images of 1 x 2 pixels, digit d of pixels d and 100 + d.
ImageSet told_apart() {
  ImageSet set{.count = 10, .height = 1, .width = 2, .images = {}, .labels = {}, .source = "ten"};
  for (uint8_t d = 0; d < 10; ++d) {
    set.images.insert(set.images.end(), {d, static_cast<uint8_t>(100 + d)});
    set.labels.push_back(d);
  }
  return set;
}

TEST(StackedDigits, AreThreeDigitsThatTheirKindNames) {
  const StackedDigits stacked = stack_digits(told_apart(), 20000, 1);
  ASSERT_EQ(stacked.images.channels, 3);
  ASSERT_EQ(stacked.images.pixels(), 6);
  ASSERT_EQ(std::ssize(stacked.images.images), 6 * 20000);
  std::set<int64_t> kinds;
  std::vector<int64_t> counts(30);
  for (size_t i = 0; i < 20000; ++i) {
    const uint8_t* p = &stacked.images.images[6 * i];
    for (size_t c = 0; c < 3; ++c) {
      ASSERT_EQ(p[2 * c + 1], 100 + p[2 * c]) << "a digit whole in each colour";
      ++counts[10 * c + p[2 * c]];
    }
    ASSERT_EQ(stacked.labels[i], 100 * p[0] + 10 * p[2] + p[4]);
    kinds.insert(stacked.labels[i]);
  }
  EXPECT_EQ(kinds.size(), 1000U);
  for (const int64_t count : counts) EXPECT_NEAR(count, 2000, 5 * 42.5) << "five deviations";
}

TEST(StackedDigits, AreAFunctionOfSeedAndPlace) {
  const ImageSet digits = draw_digits(50, 1);
  const StackedDigits longer = stack_digits(digits, 40, 7), shorter = stack_digits(digits, 15, 7);
  EXPECT_EQ(part_of(longer.images, 0, 15).images, shorter.images.images);
  EXPECT_TRUE(std::equal(shorter.labels.begin(), shorter.labels.end(), longer.labels.begin()));
  EXPECT_NE(stack_digits(digits, 15, 8).labels, shorter.labels);
  EXPECT_TRUE(longer.images.labels.empty()) << "1,000 kinds are no byte";

  ImageSet unlabelled = digits;
  unlabelled.labels.clear();
  EXPECT_TRUE(stack_digits(unlabelled, 2, 1).labels.empty());
  EXPECT_EQ(stack_digits(unlabelled, 15, 7).images.images, shorter.images.images);
}

TEST(StackedDigits, AreBatchesOfThreeChannels) {
  const StackedDigits stacked = stack_digits(told_apart(), 5, 1);
  const ResidentData data(stacked.images);
  EXPECT_EQ(data.sample_shape(), (Shape{3, 1, 2}));
  const Tensor batch = data.batch(Tensor::from(std::vector<int64_t>{4, 0}, {2}), DType::f32);
  ASSERT_EQ(batch.shape(), (Shape{2, 3, 1, 2}));
  const auto values = batch.to_vector<float>();
  for (size_t k = 0; k < 6; ++k) {
    EXPECT_FLOAT_EQ(values[k], static_cast<float>(stacked.images.images[4 * 6 + k]) / 127.5F - 1);
    EXPECT_FLOAT_EQ(values[6 + k], static_cast<float>(stacked.images.images[k]) / 127.5F - 1);
  }
}

TEST(StackedDigits, RefuseWhatAreNoGrayDigits) {
  EXPECT_TRUE(has(error_of([] { stack_digits(told_apart(), 0, 1); }), "at least 1 image"));
  ImageSet letters = told_apart();
  letters.labels[3] = 26;
  EXPECT_TRUE(has(error_of([&] { stack_digits(letters, 1, 1); }), "labels from 0 to 9, got 26"));
  const ImageSet twice = stack_digits(told_apart(), 3, 1).images;
  EXPECT_TRUE(has(error_of([&] { stack_digits(twice, 1, 1); }), "gray digits, got 3 images of 3 channels"));
  EXPECT_TRUE(has(error_of([&] { write_mnist("/tmp", Split::train, twice, true); }), "gray images"));
}

}  // namespace
}  // namespace duel::gan
