// Samples of core/ops/linear/spectral.h.
#include <cmath>

#include "duel/core/ops/linear/spectral.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

std::vector<OpSample> spectral_sigma_samples() {
  std::vector<OpSample> all;
  struct Weight {
    Shape shape;
    int axis;
  };
  for (const Weight& weight :
       {Weight{{1, 1}, 0}, {{4, 6}, 0}, {{3, 4}, 1}, {{3, 2, 2, 3}, 0}, {{3, 2, 2, 3}, 1}, {{2, 3, 4}, 2}}) {
    for (const double side : {1.0, -1.0}) {
      const Shape& shape = weight.shape;
      const int64_t out = shape[weight.axis], rest = shape.numel() / out;
      all.push_back(
          {.label = message("{} by axis {}, {}", shape, weight.axis, side > 0 ? "positive" : "negative"),
           .inputs = {{.shape = shape, .low = side > 0 ? 0.5 : -2, .high = side > 0 ? 2 : -0.5},
                      {.shape = {out}, .low = 0.1, .high = 1, .differentiable = false},
                      {.shape = {rest}, .low = 0.1, .high = 1, .differentiable = false}},
           .apply =
               [axis = weight.axis](const Tensors& x) {
                 return spectral_sigma(x[0], axis, spectral_estimate(x[0].detach(), axis, x[1], x[2], 1e-12));
               },
           .reference =
               [axis = weight.axis, out, rest](const Arrays& x) {
                 // Element (a, r, i) of axes before, at and behind `axis`; a transposition of it with the first one
                 // puts what stood first in its place.
                 const Shape& s = x[0].shape;
                 double value = 0;
                 for (int64_t flat = 0; flat < out * rest; ++flat) {
                   int64_t position[4] = {}, left = flat;
                   for (int d = s.rank() - 1; d >= 0; --d) {
                     position[d] = left % s[d];
                     left /= s[d];
                   }
                   const int64_t row = position[axis];
                   position[axis] = position[0];
                   int64_t column = 0;
                   for (int d = 1; d < s.rank(); ++d)
                     column = column * (d == axis ? s[0] : s[d]) + position[d];
                   if (axis == 0) {
                     column = 0;
                     for (int d = 1; d < s.rank(); ++d) column = column * s[d] + position[d];
                   }
                   value += x[1].values[static_cast<size_t>(row)] * x[0].values[static_cast<size_t>(flat)] *
                            x[2].values[static_cast<size_t>(column)];
                 }
                 return Array{{}, {std::abs(value)}};
               }});
    }
  }
  return all;
}

const RegisterOp spectral_registered("spectral_sigma", spectral_sigma_samples);

}  // namespace
}  // namespace duel
