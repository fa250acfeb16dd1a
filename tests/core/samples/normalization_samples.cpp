// Samples of the norms, with references by their definition.
#include <cmath>

#include "duel/core/ops/reduce/normalization.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

/// The row, and the entry of weight and bias, of element i of x.
struct Place {
  int64_t row, affine;
};
using PlaceOf = Place (*)(const Shape& shape, int64_t i);

Place batch_place(const Shape& shape, int64_t i) {
  const int64_t channel = i / shape.numel_from(2) % shape[1];
  return {channel, channel};
}
Place layer_place(const Shape& shape, int64_t i) {
  return {i / shape.numel_from(1), i % shape.numel_from(1)};
}
Place instance_place(const Shape& shape, int64_t i) {
  const int64_t plane = i / shape.numel_from(2);
  return {plane, plane % shape[1]};
}

/// x by given row statistics, then weight x[1] and bias x[2] if there.
Array apply_affine(const Arrays& x, PlaceOf place, const std::vector<double>& mean,
                   const std::vector<double>& var, double eps) {
  Array y = x[0];
  for (int64_t i = 0; i < y.shape.numel(); ++i) {
    const auto [row, affine] = place(y.shape, i);
    const auto r = static_cast<size_t>(row), a = static_cast<size_t>(affine);
    double& value = y.values[static_cast<size_t>(i)];
    value = (value - mean[r]) / std::sqrt(var[r] + eps);
    if (x.size() > 1) value = value * x[1].values[a] + x[2].values[a];
  }
  return y;
}

Array reference_norm(const Arrays& x, PlaceOf place, double eps) {
  const Shape& shape = x[0].shape;
  std::vector<double> mean, var, count;
  for (int pass = 0; pass < 2; ++pass) {
    for (int64_t i = 0; i < shape.numel(); ++i) {
      const auto row = static_cast<size_t>(place(shape, i).row);
      if (row >= mean.size()) {
        for (auto* column : {&mean, &var, &count}) column->resize(row + 1);
      }
      const double value = x[0].values[static_cast<size_t>(i)];
      if (pass == 0) {
        mean[row] += value;
        count[row] += 1;
      } else {
        var[row] += (value - mean[row]) * (value - mean[row]) / count[row];
      }
    }
    for (size_t row = 0; pass == 0 && row < mean.size(); ++row) mean[row] /= count[row];
  }
  return apply_affine(x, place, mean, var, eps);
}

std::vector<OpInput> inputs_of(const Shape& x, const Shape& affine, bool with_affine) {
  std::vector<OpInput> inputs = {{.shape = x}};
  if (with_affine) {
    inputs.push_back({.shape = affine, .low = 0.5, .high = 1.5});
    inputs.push_back({.shape = affine});
  }
  return inputs;
}

Tensor at(const Tensors& x, size_t i) { return i < x.size() ? x[i] : Tensor(); }

std::vector<OpSample> batch_norm_samples() {
  std::vector<OpSample> samples;
  for (const Shape& shape :
       {Shape{3, 2}, Shape{7, 1}, Shape{2, 3, 2, 3}, Shape{1, 2, 3, 1}, Shape{5, 1, 1, 1}, Shape{3, 0}}) {
    for (const bool affine : {true, false}) {
      samples.push_back(
          {.label = message("{}{}", shape, affine ? " affine" : ""),
           .inputs = inputs_of(shape, {shape[1]}, affine),
           .apply = [](const Tensors& x) { return batch_norm(x[0], at(x, 1), at(x, 2), {.eps = 0.1}); },
           .reference = [](const Arrays& x) { return reference_norm(x, batch_place, 0.1); }});
    }
  }
  // By running statistics: constants, drawn like inputs.
  for (const Shape& shape : {Shape{3, 2}, Shape{1, 3}, Shape{2, 3, 2, 1}, Shape{0, 2}}) {
    auto inputs = inputs_of(shape, {shape[1]}, true);
    inputs.push_back({.shape = {shape[1]}, .differentiable = false});
    inputs.push_back({.shape = {shape[1]}, .low = 0.2, .high = 2, .differentiable = false});
    samples.push_back(
        {.label = message("{} eval", shape),
         .inputs = inputs,
         .apply =
             [](const Tensors& x) {
               return batch_norm(x[0], x[1], x[2],
                                 {.running_mean = x[3], .running_var = x[4], .eps = 0.1, .training = false});
             },
         .reference =
             [](const Arrays& x) { return apply_affine(x, batch_place, x[3].values, x[4].values, 0.1); }});
  }
  return samples;
}

std::vector<OpSample> layer_norm_samples() {
  std::vector<OpSample> samples;
  for (const Shape& shape :
       {Shape{3, 4}, Shape{1, 7}, Shape{2, 1}, Shape{2, 3, 2}, Shape{2, 2, 3, 1}, Shape{0, 4}}) {
    for (const bool affine : {true, false}) {
      samples.push_back({.label = message("{}{}", shape, affine ? " affine" : ""),
                         .inputs = inputs_of(shape, shape.without(0), affine),
                         .apply = [](const Tensors& x) { return layer_norm(x[0], at(x, 1), at(x, 2), 0.1); },
                         .reference = [](const Arrays& x) { return reference_norm(x, layer_place, 0.1); }});
    }
  }
  return samples;
}

std::vector<OpSample> instance_norm_samples() {
  std::vector<OpSample> samples;
  for (const Shape& shape :
       {Shape{2, 3, 2, 2}, Shape{1, 1, 3, 3}, Shape{3, 1, 1, 2}, Shape{0, 2, 2, 2}, Shape{2, 0, 2, 2}}) {
    for (const bool affine : {true, false}) {
      samples.push_back(
          {.label = message("{}{}", shape, affine ? " affine" : ""),
           .inputs = inputs_of(shape, {shape[1]}, affine),
           .apply = [](const Tensors& x) { return instance_norm(x[0], at(x, 1), at(x, 2), 0.1); },
           .reference = [](const Arrays& x) { return reference_norm(x, instance_place, 0.1); }});
    }
  }
  return samples;
}

const RegisterOp batch_norm_registered("batch_norm", batch_norm_samples);
const RegisterOp layer_norm_registered("layer_norm", layer_norm_samples);
const RegisterOp instance_norm_registered("instance_norm", instance_norm_samples);

}  // namespace
}  // namespace duel
