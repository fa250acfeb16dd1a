// Samples of core/ops/map/activation.h.
#include <cmath>
#include <numbers>

#include "duel/core/ops/map/activation.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

using Formula = double (*)(double);
using Op = Tensor (*)(const Tensor&);

/// Shapes with odd sizes, one element, and none.
template <class Apply>
std::vector<OpSample> samples_of(Apply apply, Formula formula, std::vector<double> kinks = {}) {
  std::vector<OpSample> samples;
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{7}, Shape{3, 5}, Shape{0, 4}, Shape{2, 3, 2, 1, 2}}) {
    samples.push_back({.label = to_text(shape),
                       .inputs = {{.shape = shape, .low = -4, .high = 4, .kinks = kinks}},
                       .apply = [apply](const Tensors& x) { return apply(x[0]); },
                       .reference = [formula](const Arrays& x) { return reference::map(x[0], formula); }});
  }
  return samples;
}

const RegisterOp relu_registered("relu", [] {
  return samples_of([](const Tensor& x) { return relu(x); }, [](double v) { return v > 0 ? v : 0; }, {0});
});
const RegisterOp leaky_relu_registered("leaky_relu", [] {
  return samples_of([](const Tensor& x) { return leaky_relu(x, 0.2); },
                    [](double v) { return v > 0 ? v : 0.2 * v; }, {0});
});
const RegisterOp elu_registered("elu", [] {
  return samples_of([](const Tensor& x) { return elu(x, 1.5); },
                    [](double v) { return v > 0 ? v : 1.5 * (std::exp(v) - 1); }, {0});
});
const RegisterOp tanh_registered("tanh", [] {
  return samples_of([](const Tensor& x) { return tanh(x); },
                    [](double v) { return std::sinh(v) / std::cosh(v); });
});
const RegisterOp sigmoid_registered("sigmoid", [] {
  return samples_of([](const Tensor& x) { return sigmoid(x); },
                    [](double v) { return 1 / (1 + std::exp(-v)); });
});
const RegisterOp softplus_registered("softplus", [] {
  return samples_of([](const Tensor& x) { return softplus(x); },
                    [](double v) { return std::log(1 + std::exp(v)); });
});
const RegisterOp gelu_registered("gelu", [] {
  return samples_of([](const Tensor& x) { return gelu(x); },
                    [](double v) { return v * 0.5 * (1 + std::erf(v / std::numbers::sqrt2)); });
});

}  // namespace
}  // namespace duel
