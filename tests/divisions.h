// k k / k is k: a division is rounded once, whoever divides by what, on any device. A product with a
// reciprocal is not.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"

namespace duel::testing_ops {

inline void expect_divisions(DType dtype, Device device) {
  const TensorOptions options{dtype, device};
  // Up to 2^12 in f32, k k is exact.
  std::vector<double> counts, squares;
  for (int k = 1; k <= 1000; ++k) {
    counts.push_back(k);
    squares.push_back(static_cast<double>(k) * k);
  }
  const Tensor k = Tensor::from(counts, {1000}).to(dtype).to(device),
               kk = Tensor::from(squares, {1000}).to(dtype).to(device);
  EXPECT_EQ((kk / k).to_vector<double>(), counts) << "tensor / tensor";
  int wrong = 0;
  std::string first;
  const auto expect = [&](const Tensor& got, double want, const std::string& what) {
    for (const double value : got.to_vector<double>()) {
      if (value == want) continue;
      if (wrong++ == 0) first = message("{} gave {}, not {}", what, value, want);
    }
  };
  // 97 and every multiple of 13: enough to meet those that a reciprocal gets wrong (178 of 1,000 in f32).
  for (int n = 1; n <= 1000; n += 12) {
    const double count = n, square = count * count;
    const Tensor x = Tensor::full({3}, square, options).set_requires_grad(true);
    expect(x / count, count, message("{} / {}", square, count));
    expect(square / Tensor::full({3}, count, options), count, message("{} / tensor of {}", square, count));
    // d(x / n) = g / n
    expect(grad({x / count}, {x}, {Tensor::full({3}, square, options)})[0], count,
           message("gradient of x / {}", count));
    // d(n n / y) = -n n / y^2
    const Tensor y = Tensor::full({3}, count, options).set_requires_grad(true);
    expect(grad({square / y}, {y}, {Tensor::ones({3}, options)})[0], -1.0,
           message("gradient of {} / y", square));
    // Means of n elements, each n: their sum is n n.
    const Tensor same = Tensor::full({2, n}, count, options).set_requires_grad(true);
    expect(mean(same, {1}), count, message("mean of {} elements", count));
    expect(mean(same.detach().reshape({n, 2}), {0}), count, message("mean of {} rows", count));
    expect(wasserstein_mean(same.detach().reshape({2 * n}), 1.0), count,
           message("wasserstein_mean of {}", 2 * count));
    expect(grad({mean(same, {1})}, {same}, {Tensor::full({2}, square, options)})[0], count,
           message("gradient of the mean of {} elements", count));
  }
  for (const int64_t side : {3, 5, 7, 11, 13}) {
    const double count = static_cast<double>(side * side);
    const Tensor image = Tensor::full({1, 1, side, side}, count, options).set_requires_grad(true);
    const Tensor pooled = avg_pool2d(image, side);
    expect(pooled, count, message("avg_pool2d of {} x {}", side, side));
    expect(grad({pooled}, {image}, {Tensor::full({1, 1, 1, 1}, count * count, options)})[0], count,
           message("gradient of avg_pool2d of {} x {}", side, side));
  }
  EXPECT_EQ(wrong, 0) << first;
}

}  // namespace duel::testing_ops
