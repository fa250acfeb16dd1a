// Samples of core/ops/reduce/reduction.h: single axes, pairs, all of them, kept or not, and nothing to
// reduce.
#include <algorithm>
#include <cmath>

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/reduce/reduction.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

using Values = std::vector<double>;
using Fold = double (*)(const Values&);

double total(const Values& values) {
  double sum = 0;
  for (double v : values) sum += v;
  return sum;
}
double average(const Values& values) { return total(values) / static_cast<double>(values.size()); }
double largest(const Values& values) { return *std::max_element(values.begin(), values.end()); }
double smallest(const Values& values) { return *std::min_element(values.begin(), values.end()); }
double spread(const Values& values) {
  const double centre = average(values);
  double sum = 0;
  for (double v : values) sum += (v - centre) * (v - centre);
  return sum / static_cast<double>(values.size());
}

/// Collects the elements of x that fall together when `axes` (none: all) go, and folds each collection.
Array reduced(const Array& x, std::vector<int> axes, bool keep, Fold fold) {
  if (axes.empty()) {
    for (int axis = 0; axis < x.shape.rank(); ++axis) axes.push_back(axis);
  }
  Shape kept = x.shape;
  for (int& axis : axes) {
    axis = axis < 0 ? axis + x.shape.rank() : axis;
    kept = kept.with(axis, 1);
  }
  std::vector<Values> groups(static_cast<size_t>(kept.numel()));
  for (int64_t i = 0; i < x.shape.numel(); ++i) {
    auto index = reference::unravel(x.shape, i);
    for (int axis : axes) index[static_cast<size_t>(axis)] = 0;
    groups[static_cast<size_t>(reference::ravel(kept, index))].push_back(x.values[static_cast<size_t>(i)]);
  }
  Array y{kept, {}};
  for (const Values& group : groups) y.values.push_back(fold(group));
  std::sort(axes.begin(), axes.end(), std::greater<>());
  for (int axis : axes) {
    if (!keep) y.shape = y.shape.without(axis);
  }
  return y;
}

std::string text_of(const std::vector<int>& axes) {
  std::string text;
  for (int axis : axes) text += message(" {}", axis);
  return text;
}

using OverAll = Tensor (*)(const Tensor&);
using OverAxes = Tensor (*)(const Tensor&, const Axes&, bool);

void add_axes_sample(std::vector<OpSample>& samples, OverAxes apply, Fold fold, const Shape& shape,
                     std::vector<int> axes, bool keep) {
  samples.push_back(
      {.label = message("{} over{}{}", shape, text_of(axes), keep ? " kept" : ""),
       .inputs = {{.shape = shape}},
       .apply = [apply, axes, keep](const Tensors& x) { return apply(x[0], axes, keep); },
       .reference = [fold, axes, keep](const Arrays& x) { return reduced(x[0], axes, keep, fold); }});
}

/// Every axis and every pair of a rank-4 shape, kept and not in turn; then what is special.
std::vector<OpSample> axes_samples(OverAxes apply, Fold fold) {
  std::vector<OpSample> samples;
  const Shape shape{2, 3, 1, 4};
  bool keep = false;
  for (int first = 0; first < 4; ++first) {
    add_axes_sample(samples, apply, fold, shape, {first}, keep);
    for (int second = first + 1; second < 4; ++second)
      add_axes_sample(samples, apply, fold, shape, {first, second}, keep = !keep);
  }
  add_axes_sample(samples, apply, fold, {7}, {0}, false);
  add_axes_sample(samples, apply, fold, {33, 2}, {-2}, false);
  add_axes_sample(samples, apply, fold, {2, 3, 2, 2}, {2, 3, 0},
                  false);  // out of order; a convolution's bias
  add_axes_sample(samples, apply, fold, {2, 2, 3, 1, 2}, {1, 3, 4}, true);
  add_axes_sample(samples, apply, fold, {0, 3}, {1}, false);
  return samples;
}

std::vector<OpSample> all_samples(OverAll apply, Fold fold) {
  std::vector<OpSample> samples;
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{33}, Shape{3, 5}, Shape{2, 1, 3, 2, 2}}) {
    samples.push_back({.label = message("{} all", shape),
                       .inputs = {{.shape = shape}},
                       .apply = [apply](const Tensors& x) { return apply(x[0]); },
                       .reference =
                           [fold](const Arrays& x) {
                             return x[0].shape.rank() == 0 ? x[0] : reduced(x[0], {}, false, fold);
                           }});
  }
  return samples;
}

std::vector<OpSample> joined(std::vector<OpSample> first, const std::vector<OpSample>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

std::vector<OpSample> extreme_samples(OverAll all, OverAxes apply, Fold fold) {
  std::vector<OpSample> samples;
  const auto add = [&](const Shape& shape, int axis, bool keep) {
    samples.push_back({.label = message("{} over {}{}", shape, axis, keep ? " kept" : ""),
                       .inputs = {{.shape = shape}},
                       .apply = [=](const Tensors& x) { return apply(x[0], axis, keep); },
                       .reference = [=](const Arrays& x) { return reduced(x[0], {axis}, keep, fold); }});
  };
  for (int axis = 0; axis < 4; ++axis) add({2, 3, 1, 4}, axis, axis % 2 == 1);
  add({7}, 0, false);
  add({3, 33}, -1, true);
  add({1, 1}, 0, false);
  add({0, 3}, 1, false);
  for (const bool keep : {false, true}) {
    add_axes_sample(samples, apply, fold, {2, 3, 1, 4}, {1, 3}, keep);
    add_axes_sample(samples, apply, fold, {2, 3, 2, 4}, {2, 0, 1}, keep);
  }
  return joined(all_samples(all, fold), samples);
}

std::vector<OpSample> sum_samples() {
  auto samples = joined(all_samples(sum, total), axes_samples(sum, total));
  add_axes_sample(samples, sum, total, {0, 3}, {0}, false);  // sums of nothing: zeros
  add_axes_sample(samples, sum, total, {2, 0, 3}, {1}, true);
  return samples;
}

std::vector<OpSample> sum_to_samples() {
  struct Pair {
    Shape from, to;
  };
  std::vector<OpSample> samples;
  for (const auto& [from, to] :
       {Pair{{3, 4}, {4}}, Pair{{3, 4}, {3, 1}}, Pair{{3, 4}, {}}, Pair{{2, 3, 2, 2}, {3, 1, 1}},
        Pair{{2, 1, 3}, {1, 1, 3}}, Pair{{2, 3, 4}, {1, 3, 1}}, Pair{{7}, {7}},
        Pair{{2, 2, 1, 3, 2}, {2, 1, 1, 2}}, Pair{{0, 3}, {3}}, Pair{{3, 0}, {3, 1}}}) {
    const int missing = from.rank() - to.rank();
    std::vector<int> axes;
    for (int axis = 0; axis < from.rank(); ++axis) {
      if (axis < missing || to[axis - missing] != from[axis]) axes.push_back(axis);
    }
    samples.push_back({.label = message("{} to {}", from, to),
                       .inputs = {{.shape = from}},
                       .apply = [to = to](const Tensors& x) { return sum_to(x[0], to) * 1.0; },
                       .reference =
                           [to = to, axes](const Arrays& x) {
                             Array y = axes.empty() ? x[0] : reduced(x[0], axes, true, total);
                             y.shape = to;
                             return y;
                           }});
  }
  return samples;
}

std::vector<OpSample> broadcast_to_samples() {
  struct Pair {
    Shape from, to;
  };
  std::vector<OpSample> samples;
  for (const auto& [from, to] :
       {Pair{{}, {2, 3}}, Pair{{4}, {3, 4}}, Pair{{3, 1}, {3, 4}}, Pair{{3, 1, 1}, {2, 3, 2, 2}},
        Pair{{1, 2, 1}, {2, 2, 3}}, Pair{{7}, {7}}, Pair{{1}, {0}}, Pair{{1, 1, 2, 1, 1}, {2, 1, 2, 3, 2}}}) {
    samples.push_back({.label = message("{} to {}", from, to),
                       .inputs = {{.shape = from}},
                       .apply = [to = to](const Tensors& x) { return broadcast_to(x[0], to) * 1.0; },
                       .reference =
                           [to = to](const Arrays& x) {
                             const Array zeros{to, Values(static_cast<size_t>(to.numel()))};
                             return reference::zip(x[0], zeros, [](double v, double) { return v; });
                           }});
  }
  return samples;
}

std::vector<OpSample> argmax_samples() {
  std::vector<OpSample> samples;
  for (const Shape& shape : {Shape{5}, Shape{3, 4}, Shape{2, 3, 33}, Shape{4, 1}, Shape{0, 3}}) {
    samples.push_back({.label = to_text(shape),
                       .inputs = {{.shape = shape}},
                       .apply = [](const Tensors& x) { return argmax(x[0], -1, false); },
                       .reference =
                           [](const Arrays& x) {
                             const auto find = [](const Values& v) {
                               return static_cast<double>(std::max_element(v.begin(), v.end()) - v.begin());
                             };
                             return reduced(x[0], {-1}, false, find);
                           },
                       .max_order = 0});
  }
  return samples;
}

const RegisterOp sum_registered("sum", sum_samples);
const RegisterOp mean_registered("mean", [] {
  return joined(all_samples(mean, average), axes_samples(mean, average));
});
const RegisterOp max_registered("max", [] { return extreme_samples(max, max, largest); });
const RegisterOp min_registered("min", [] { return extreme_samples(min, min, smallest); });
const RegisterOp sum_to_registered("sum_to", sum_to_samples);
const RegisterOp broadcast_to_registered("broadcast_to", broadcast_to_samples);
const RegisterOp variance_registered("variance", [] { return axes_samples(variance, spread); });
const RegisterOp argmax_registered("argmax", argmax_samples);

}  // namespace
}  // namespace duel
