// What the op samples do not show: shared storage, integer data, refusals, and the numbers softmax must
// survive.
#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/kernels/base/error.h"

namespace duel {
namespace {

TEST(Movement, RowsShareStorageAndSlicesCopy) {
  const Tensor x = Tensor::from({1.f, 2.f, 3.f, 4.f, 5.f, 6.f}, {3, 2});
  const Tensor part = rows(x, 1, 3), columns = slice(x, 1, 1, 2);
  EXPECT_TRUE(part.same_storage(x));
  EXPECT_EQ(part.data<float>(), x.data<float>() + 2);
  EXPECT_FALSE(columns.same_storage(x));
  rows(part, 1, 2).fill_(9);  // rows of rows
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{1, 2, 3, 4, 9, 9}));
  EXPECT_EQ(columns.to_vector<float>(), (std::vector<float>{2, 4, 6}));
}

TEST(Movement, GradientsOfOverlappingSlicesAddUp) {
  const Tensor x = Tensor::from({1., 2., 3., 4.}, {4}).set_requires_grad(true);
  const Tensor g = grad({sum(square(slice(x, 0, 0, 3))) + sum(slice(x, 0, 1, 4))}, {x})[0];
  EXPECT_EQ(g.to_vector<double>(), (std::vector<double>{2, 5, 7, 1}));
}

TEST(Movement, BytesAndLabelsMoveToo) {
  const Tensor images = Tensor::from<uint8_t>({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(slice(images, 1, 1, 3).to_vector<int64_t>(), (std::vector<int64_t>{2, 3, 5, 6}));
  EXPECT_EQ(transpose(images).to_vector<int64_t>(), (std::vector<int64_t>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(concat({images, slice(images, 0, 0, 1)}).to_vector<int64_t>(),
            (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 1, 2, 3}));
  EXPECT_EQ(pad(images, 0, 1, 0).to_vector<int64_t>(), (std::vector<int64_t>{0, 0, 0, 1, 2, 3, 4, 5, 6}));
  const Tensor labels = Tensor::from<int64_t>({7, 8, 9}, {3});
  EXPECT_EQ(gather(labels, Tensor::from<int64_t>({2, 0}, {2})).to_vector<int64_t>(),
            (std::vector<int64_t>{9, 7}));
  EXPECT_EQ(stack({labels, labels}, 1).to_vector<int64_t>(), (std::vector<int64_t>{7, 7, 8, 8, 9, 9}));
}

TEST(Movement, RefusesWhatDoesNotFit) {
  const Tensor x = Tensor::ones({3, 2});
  EXPECT_THROW(permute(x, {0}), Error);
  EXPECT_THROW(permute(x, {0, 0}), Error);
  EXPECT_THROW(transpose(x, 0, 2), Error);
  EXPECT_THROW(slice(x, 0, 2, 1), Error);
  EXPECT_THROW(slice(x, 0, -1, 1), Error);
  EXPECT_THROW(slice(x, 1, 0, 3), Error);
  EXPECT_THROW(slice(x, 2, 0, 1), Error);
  EXPECT_THROW(pad(x, 0, -1, 0), Error);
  EXPECT_THROW(concat({}), Error);
  EXPECT_THROW(concat({x, Tensor::ones({3, 3})}), Error);
  EXPECT_THROW(concat({x, Tensor::ones({3, 2}, {DType::f64})}), Error);
  EXPECT_THROW(stack({x, Tensor::ones({2, 3})}), Error);
  EXPECT_THROW(gather(x, Tensor::from<int64_t>({3}, {1})), Error);
  EXPECT_THROW(gather(x, Tensor::from<int64_t>({-1}, {1})), Error);
  EXPECT_THROW(gather(x, Tensor::ones({1})), Error);
  EXPECT_THROW(scatter_add(x, Tensor::from<int64_t>({0, 1}, {2}), 2), Error);
  EXPECT_THROW(scatter_add(x, Tensor::from<int64_t>({0, 1, 2}, {3}), 2), Error);
  EXPECT_THROW(avg_pool2d(Tensor::ones({1, 1, 3, 4}), 4), Error);
  EXPECT_THROW(max_pool2d(Tensor::ones({1, 1, 3, 4}), 2, 1, 2), Error);  // a window of padding alone
  EXPECT_THROW(max_pool2d(Tensor::ones({1, 3, 4}), 2), Error);
  EXPECT_THROW(upsample_nearest2d(Tensor::ones({1, 3, 4}), 2), Error);
}

TEST(Softmax, SurvivesLargeNumbers) {
  const Tensor x = Tensor::from({1000.f, 0.f, -1000.f, -1e30f, 0.f, 1e30f}, {2, 3}).set_requires_grad(true);
  EXPECT_EQ(softmax(x).to_vector<float>(), (std::vector<float>{1, 0, 0, 0, 0, 1}));
  const auto logs = log_softmax(x).to_vector<float>();
  EXPECT_EQ(logs[0], 0.f);
  EXPECT_EQ(logs[1], -1000.f);
  EXPECT_EQ(logs[2], -2000.f);
  const Tensor loss = cross_entropy(x, Tensor::from<int64_t>({2, 2}, {2}));
  EXPECT_EQ(loss.item(), 1000.0);
  EXPECT_EQ(grad({loss}, {x})[0].to_vector<float>(), (std::vector<float>{0.5f, 0, -0.5f, 0, 0, 0}));
}

TEST(Softmax, RefusesBadLabels) {
  const Tensor logits = Tensor::ones({2, 3});
  EXPECT_THROW(cross_entropy(logits, Tensor::from<int64_t>({0, 3}, {2})), Error);
  EXPECT_THROW(cross_entropy(logits, Tensor::from<int64_t>({0, -1}, {2})), Error);
  EXPECT_THROW(cross_entropy(logits, Tensor::from<int64_t>({0}, {1})), Error);
  EXPECT_THROW(cross_entropy(logits, Tensor::ones({2})), Error);
  EXPECT_THROW(softmax(Tensor::ones({2, 0})), Error);
}

}  // namespace
}  // namespace duel
