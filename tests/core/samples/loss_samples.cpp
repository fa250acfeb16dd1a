// Samples of core/ops/reduce/loss.h.
#include <cmath>

#include "duel/core/ops/reduce/loss.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

using Apply = Tensor (*)(const Tensor&);
using LossFormula = double (*)(double);

std::vector<OpSample> loss_samples_of(Apply apply, LossFormula formula, std::vector<double> kinks = {}) {
  std::vector<OpSample> samples;
  for (const Shape& shape : {Shape{1}, Shape{7}, Shape{33}, Shape{4, 1}, Shape{2, 3, 5}}) {
    samples.push_back({.label = to_text(shape),
                       .inputs = {{.shape = shape, .low = -3, .high = 3, .kinks = kinks}},
                       .apply = [apply](const Tensors& x) { return apply(x[0]); },
                       .reference =
                           [formula](const Arrays& x) {
                             double total = 0;
                             for (double v : x[0].values) total += formula(v);
                             return Array{{}, {total / static_cast<double>(x[0].values.size())}};
                           }});
  }
  return samples;
}

const RegisterOp bce_registered("bce_with_logits", [] {
  auto samples = loss_samples_of([](const Tensor& x) { return bce_with_logits(x, 1.0); },
                                 [](double v) { return std::log(1 + std::exp(-v)); });
  for (const OpSample& soft : loss_samples_of([](const Tensor& x) { return bce_with_logits(x, 0.3); },
                                              [](double v) { return std::log(1 + std::exp(v)) - 0.3 * v; })) {
    samples.push_back(soft);
    samples.back().label += " target 0.3";
  }
  return samples;
});
/// Of two tensors of one shape, the mean of formula(x, target).
std::vector<OpSample> pair_samples(Tensor (*apply)(const Tensor&, const Tensor&),
                                   double (*formula)(double, double)) {
  std::vector<OpSample> samples;
  for (const Shape& shape : {Shape{1}, Shape{7}, Shape{4, 1}, Shape{2, 3, 5}}) {
    samples.push_back(
        {.label = to_text(shape) + " to a tensor",
         .inputs = {{.shape = shape, .low = -3, .high = 3}, {.shape = shape, .low = 0, .high = 1}},
         .apply = [apply](const Tensors& x) { return apply(x[0], x[1]); },
         .reference =
             [formula](const Arrays& x) {
               double total = 0;
               for (double v : reference::zip(x[0], x[1], formula).values) total += v;
               return Array{{}, {total / static_cast<double>(x[0].values.size())}};
             }});
  }
  return samples;
}
const RegisterOp bce_tensor_registered("bce_with_logits_of_targets", [] {
  return pair_samples(bce_with_logits, [](double v, double t) { return std::log(1 + std::exp(v)) - t * v; });
});
const RegisterOp mse_registered("mse_loss", [] {
  return pair_samples(mse_loss, [](double v, double t) { return (v - t) * (v - t); });
});
const RegisterOp hinge_registered("hinge_loss", [] {
  return loss_samples_of([](const Tensor& x) { return hinge_loss(x, -1.0); },
                         [](double v) { return v > -1 ? 1 + v : 0; }, {-1});
});
const RegisterOp squared_registered("squared_difference", [] {
  return loss_samples_of([](const Tensor& x) { return squared_difference(x, 0.7, 0.5); },
                         [](double v) { return 0.5 * (v - 0.7) * (v - 0.7); });
});
const RegisterOp wasserstein_registered("wasserstein_mean", [] {
  return loss_samples_of([](const Tensor& x) { return wasserstein_mean(x, -1.0); },
                         [](double v) { return -v; });
});

}  // namespace
}  // namespace duel
