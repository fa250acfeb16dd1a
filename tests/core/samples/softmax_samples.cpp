// Samples of core/ops/reduce/softmax.h.
#include <cmath>

#include "duel/core/ops/reduce/softmax.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

/// log softmax of every row, by its definition.
Array reference_log_softmax(const Array& x) {
  Array y = x;
  const int64_t columns = x.shape[-1];
  for (int64_t row = 0; row < x.shape.numel() / columns; ++row) {
    double* values = y.values.data() + row * columns;
    double total = 0;
    for (int64_t j = 0; j < columns; ++j) total += std::exp(values[j]);
    for (int64_t j = 0; j < columns; ++j) values[j] -= std::log(total);
  }
  return y;
}

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {{5}, {1, 1}, {3, 4}, {7, 1}, {2, 3, 5}, {1, 33}, {0, 4}};
  return all;
}

std::vector<OpSample> softmax_samples() {
  std::vector<OpSample> samples;
  for (const Shape& shape : shapes()) {
    samples.push_back({.label = to_text(shape),
                       .inputs = {{.shape = shape, .low = -3, .high = 3}},
                       .apply = [](const Tensors& x) { return softmax(x[0]); },
                       .reference =
                           [](const Arrays& x) {
                             return reference::map(reference_log_softmax(x[0]),
                                                   [](double v) { return std::exp(v); });
                           }});
  }
  return samples;
}

std::vector<OpSample> log_softmax_samples() {
  std::vector<OpSample> samples;
  for (const Shape& shape : shapes()) {
    samples.push_back({.label = to_text(shape),
                       .inputs = {{.shape = shape, .low = -3, .high = 3}},
                       .apply = [](const Tensors& x) { return log_softmax(x[0]); },
                       .reference = [](const Arrays& x) { return reference_log_softmax(x[0]); }});
  }
  return samples;
}

std::vector<OpSample> cross_entropy_samples() {
  std::vector<OpSample> samples;
  for (const Shape& shape : {Shape{1, 2}, Shape{4, 3}, Shape{7, 10}, Shape{3, 1}}) {
    samples.push_back(
        {.label = to_text(shape),
         .inputs = {{.shape = shape, .low = -3, .high = 3},
                    {.shape = {shape[0]}, .low = 0, .high = static_cast<double>(shape[1]), .index = true}},
         .apply = [](const Tensors& x) { return cross_entropy(x[0], x[1]); },
         .reference =
             [](const Arrays& x) {
               const Array logs = reference_log_softmax(x[0]);
               double total = 0;
               for (int64_t i = 0; i < x[0].shape[0]; ++i) {
                 total -= logs.values[static_cast<size_t>(
                     i * x[0].shape[1] + static_cast<int64_t>(x[1].values[static_cast<size_t>(i)]))];
               }
               return Array{{}, {total / static_cast<double>(x[0].shape[0])}};
             }});
  }
  return samples;
}

const RegisterOp softmax_registered("softmax", softmax_samples);
const RegisterOp log_softmax_registered("log_softmax", log_softmax_samples);
const RegisterOp cross_entropy_registered("cross_entropy", cross_entropy_samples);

}  // namespace
}  // namespace duel
