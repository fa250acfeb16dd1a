// Samples of core/ops/reduce/loss.h.
#include <algorithm>
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
/// Of two losses, each logit alone, against its partner, against the other side's mean; `joined`: by loss_of_both.
std::vector<OpSample> side_samples(bool joined) {
  const kernels::AnyLoss one = any_loss(kernels::SigmoidBce{0.9}),
                         other = any_loss(kernels::SoftplusLoss{0.5, -1});
  std::vector<OpSample> samples;
  using kernels::Against;
  for (const Against against : {Against::nothing, Against::partner, Against::mean}) {
    for (const auto& [n, m] : {std::pair{1, 1}, {3, 3}, {5, 2}}) {
      if (against == Against::partner && n != m) continue;
      const auto reference = [=, n = n, m = m](const Arrays& x) {
        std::vector<double> r = x[0].values, f = joined ? x[0].values : x[1].values;
        if (joined) {
          r.resize(static_cast<size_t>(n));
          f.erase(f.begin(), f.begin() + n);
        }
        const auto mean_of = [](const std::vector<double>& v, auto g) {
          double sum = 0;
          for (double each : v) sum += g(each);
          return sum / static_cast<double>(v.size());
        };
        const auto of_one = [](double v) { return std::log(1 + std::exp(v)) - 0.9 * v; };
        const auto of_other = [](double v) { return 0.5 * std::log(1 + std::exp(-v)); };
        const auto same = [](double v) { return v; };
        const double mr = mean_of(r, same), mf = mean_of(f, same);
        if (against == Against::nothing) return Array{{}, {mean_of(r, of_one) + mean_of(f, of_other)}};
        if (against == Against::mean) {
          return Array{{},
                       {0.5 * (mean_of(r, [&](double v) { return of_one(v - mf); }) +
                               mean_of(f, [&](double v) { return of_other(v - mr); }))}};
        }
        for (size_t i = 0; i < r.size(); ++i) r[i] -= f[i];
        return Array{{}, {mean_of(r, of_one)}};
      };
      OpSample sample{.label = message("{} {} {}", static_cast<int>(against), n, m),
                      .inputs = {},
                      .apply = nullptr,
                      .reference = reference};
      if (joined) {
        sample.inputs = {{.shape = Shape{n + m, 1}, .low = -3, .high = 3}};
        sample.apply = [=, n = n](const Tensors& x) { return loss_of_both(x[0], n, one, other, against); };
      } else {
        sample.inputs = {{.shape = Shape{n, 1}, .low = -3, .high = 3},
                         {.shape = Shape{m, 1}, .low = -3, .high = 3}};
        sample.apply = [=](const Tensors& x) { return loss_of_sides(x[0], x[1], one, other, against); };
      }
      samples.push_back(std::move(sample));
    }
  }
  return samples;
}

const RegisterOp both_registered("loss_of_both", [] {
  struct Pair {
    const char* label;
    kernels::AnyLoss real, fake;
    LossFormula of_real, of_fake;
    std::vector<double> kinks;
  };
  const Pair pairs[] = {
      {"bce",
       any_loss(kernels::SigmoidBce{0.9}),
       any_loss(kernels::SigmoidBce{0}),
       [](double v) { return std::log(1 + std::exp(v)) - 0.9 * v; },
       [](double v) { return std::log(1 + std::exp(v)); },
       {}},
      {"hinge",
       any_loss(kernels::Hinge{1}),
       any_loss(kernels::Hinge{-1}),
       [](double v) { return v < 1 ? 1 - v : 0; },
       [](double v) { return v > -1 ? 1 + v : 0; },
       {-1, 1}},
      {"squares",
       any_loss(kernels::SquaredDifference{1, 0.5}),
       any_loss(kernels::SquaredDifference{-0.5, 2}),
       [](double v) { return 0.5 * (v - 1) * (v - 1); },
       [](double v) { return 2 * (v + 0.5) * (v + 0.5); },
       {}},
      {"means",
       any_loss(kernels::WassersteinMean{-1}),
       any_loss(kernels::WassersteinMean{1}),
       [](double v) { return -v; },
       [](double v) { return v; },
       {}},
      {"hinge and bce",
       any_loss(kernels::Hinge{1}),
       any_loss(kernels::SigmoidBce{0.2}),
       [](double v) { return v < 1 ? 1 - v : 0; },
       [](double v) { return std::log(1 + std::exp(v)) - 0.2 * v; },
       {1}},
  };
  std::vector<OpSample> samples;
  for (const Pair& pair : pairs) {
    for (const auto& [shape, split] : {std::pair{Shape{2}, 1}, {Shape{7, 1}, 3}, {Shape{6, 5}, 4}}) {
      samples.push_back(
          {.label = message("{} {} at {}", pair.label, shape, split),
           .inputs = {{.shape = shape, .low = -3, .high = 3, .kinks = pair.kinks}},
           .apply = [pair, split = split](
                        const Tensors& x) { return loss_of_both(x[0], split, pair.real, pair.fake); },
           .reference =
               [pair, split = split](const Arrays& x) {
                 const auto& v = x[0].values;
                 const size_t n = v.size(),
                              first = n / static_cast<size_t>(x[0].shape[0]) * static_cast<size_t>(split);
                 double real = 0, fake = 0;
                 for (size_t i = 0; i < n; ++i)
                   (i < first ? real : fake) += (i < first ? pair.of_real : pair.of_fake)(v[i]);
                 return Array{{},
                              {real / static_cast<double>(first) + fake / static_cast<double>(n - first)}};
               }});
    }
  }
  for (OpSample& sample : side_samples(true)) samples.push_back(std::move(sample));
  return samples;
});

/// exp(a x) and the like for the names of f-divergences.
const RegisterOp fused_registered("fused_loss", [] {
  std::vector<OpSample> samples;
  const auto add = [&](Apply apply, LossFormula formula, std::vector<double> kinks = {}) {
    for (OpSample& sample : loss_samples_of(apply, formula, std::move(kinks)))
      samples.push_back(std::move(sample));
  };
  add(
      [](const Tensor& x) {
        return fused_loss(x, any_loss(kernels::LinearLoss{-1, 1}));
      },
      [](double v) { return 1 - v; });
  add(
      [](const Tensor& x) {
        return fused_loss(x, any_loss(kernels::ExponentialLoss{-1, 0.5, -1}));
      },
      [](double v) { return std::exp(0.5 - v) - 1; });
  add(
      [](const Tensor& x) {
        return fused_loss(x, any_loss(kernels::SoftplusLoss{-2, -1, 0.3}));
      },
      [](double v) { return -2 * std::log(1 + std::exp(-v)) + 0.3; });
  add([](const Tensor& x) { return fused_loss(x, any_loss(kernels::PearsonConjugate{-2})); },
      [](double v) { return std::max(v, -2.0) * std::max(v, -2.0) / 4 + std::max(v, -2.0); }, {-2});
  add([](const Tensor& x) { return fused_loss(x, any_loss(kernels::AlphaConjugate{0.5})); },
      [](double v) { return (std::pow(0.5 * std::log(1 + std::exp(-v)), -1) - 1) / 0.5; });
  add([](const Tensor& x) { return fused_loss(x, any_loss(kernels::AlphaRampConjugate{1.5})); },
      [](double v) { return (std::pow(std::max(0.0, 0.5 * v + 1), 3) - 1) / 1.5; }, {-2});
  return samples;
});

const RegisterOp sides_registered("loss_of_sides", [] { return side_samples(false); });

}  // namespace
}  // namespace duel
