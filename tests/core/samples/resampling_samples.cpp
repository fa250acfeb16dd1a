// Samples of core/ops/reduce/resampling.h.
#include "duel/core/ops/reduce/resampling.h"

#include <algorithm>
#include <cmath>

#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

using Index = std::vector<int64_t>;

/// The value at a place between pixels: linear in both directions, clamped to the image.
double between(const Array& x, const Index& at, double row, double column) {
  const auto inside = [](int64_t i, int64_t size) { return std::clamp<int64_t>(i, 0, size - 1); };
  const auto y = static_cast<int64_t>(std::floor(row)), z = static_cast<int64_t>(std::floor(column));
  const double ty = row - std::floor(row), tz = column - std::floor(column);
  double sum = 0;
  for (const int64_t i : {int64_t{0}, int64_t{1}}) {
    for (const int64_t j : {int64_t{0}, int64_t{1}}) {
      sum += (i ? ty : 1 - ty) * (j ? tz : 1 - tz) *
             reference::at(x, {at[0], at[1], inside(y + i, x.shape[2]), inside(z + j, x.shape[3])});
    }
  }
  return sum;
}

// Even and odd factors, one pixel, a row, an empty batch.
std::vector<OpSample> bilinear_samples() {
  std::vector<OpSample> samples;
  for (const auto& [small, k] : std::vector<std::pair<Shape, int64_t>>{{{2, 3, 2, 3}, 2},
                                                                       {{1, 1, 3, 2}, 3},
                                                                       {{1, 2, 1, 1}, 4},
                                                                       {{1, 1, 1, 3}, 5},
                                                                       {{1, 1, 2, 2}, 1},
                                                                       {{0, 2, 2, 2}, 2}}) {
    samples.push_back({.label = message("{} k{}", small, k),
                       .inputs = {{.shape = small}},
                       .apply = [k](const Tensors& x) { return upsample_bilinear2d(x[0], k); },
                       .reference =
                           [k](const Arrays& x) {
                             const Shape& s = x[0].shape;
                             const auto place = [k](int64_t i) {
                               return (static_cast<double>(i) + 0.5) / static_cast<double>(k) - 0.5;
                             };
                             return reference::filled({s[0], s[1], s[2] * k, s[3] * k}, [&](const Index& at) {
                               return between(x[0], at, place(at[2]), place(at[3]));
                             });
                           }});
  }
  return samples;
}

std::vector<OpSample> blur_samples() {
  std::vector<OpSample> samples;
  for (const Shape& shape : {Shape{2, 2, 4, 3}, Shape{1, 1, 1, 1}, Shape{1, 2, 1, 5}, Shape{0, 1, 2, 2}}) {
    samples.push_back({.label = to_text(shape),
                       .inputs = {{.shape = shape}},
                       .apply = [](const Tensors& x) { return blur2d(x[0]); },
                       .reference =
                           [](const Arrays& x) {
                             const Shape& s = x[0].shape;
                             return reference::filled(s, [&](const Index& at) {
                               double sum = 0;
                               for (int64_t i = -1; i <= 1; ++i) {
                                 for (int64_t j = -1; j <= 1; ++j) {
                                   const int64_t row = at[2] + i, column = at[3] + j;
                                   if (row < 0 || row >= s[2] || column < 0 || column >= s[3]) continue;
                                   sum += (i == 0 ? 2 : 1) * (j == 0 ? 2 : 1) / 16.0 *
                                          reference::at(x[0], {at[0], at[1], row, column});
                                 }
                               }
                               return sum;
                             });
                           }});
  }
  return samples;
}

std::vector<std::pair<Shape, int64_t>> shuffled() {  // the side with channels
  return {{{2, 8, 2, 3}, 2}, {{1, 9, 1, 1}, 3}, {{1, 2, 3, 2}, 1}, {{0, 4, 2, 2}, 2}};
}

std::vector<OpSample> shuffle_samples() {
  std::vector<OpSample> samples;
  for (const auto& [channels, r] : shuffled()) {
    samples.push_back({.label = message("{} r{}", channels, r),
                       .inputs = {{.shape = channels}},
                       .apply = [r](const Tensors& x) { return pixel_shuffle(x[0], r); },
                       .reference =
                           [r](const Arrays& x) {
                             const Shape& s = x[0].shape;
                             return reference::filled(
                                 {s[0], s[1] / (r * r), s[2] * r, s[3] * r}, [&](const Index& at) {
                                   const int64_t channel = (at[1] * r + at[2] % r) * r + at[3] % r;
                                   return reference::at(x[0], {at[0], channel, at[2] / r, at[3] / r});
                                 });
                           }});
  }
  return samples;
}

std::vector<OpSample> unshuffle_samples() {
  std::vector<OpSample> samples;
  for (const auto& [channels, r] : shuffled()) {
    const Shape pixels{channels[0], channels[1] / (r * r), channels[2] * r, channels[3] * r};
    samples.push_back({.label = message("{} r{}", pixels, r),
                       .inputs = {{.shape = pixels}},
                       .apply = [r](const Tensors& x) { return pixel_unshuffle(x[0], r); },
                       .reference =
                           [r, channels](const Arrays& x) {
                             return reference::filled(channels, [&](const Index& at) {
                               const int64_t c = at[1] / (r * r), i = at[1] / r % r, j = at[1] % r;
                               return reference::at(x[0], {at[0], c, at[2] * r + i, at[3] * r + j});
                             });
                           }});
  }
  return samples;
}

const RegisterOp bilinear_registered("upsample_bilinear2d", bilinear_samples);
const RegisterOp blur_registered("blur2d", blur_samples);
const RegisterOp shuffle_registered("pixel_shuffle", shuffle_samples);
const RegisterOp unshuffle_registered("pixel_unshuffle", unshuffle_samples);

}  // namespace
}  // namespace duel
