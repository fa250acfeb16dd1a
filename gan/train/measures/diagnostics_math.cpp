// The parts of diagnostics.h: singular values, histograms, the angle of a step.
#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/train/diagnostics.h"
#include "duel/nn/norm/spectral_norm.h"
#include "duel/nn/optim/grad_norm.h"

namespace duel::gan {
namespace {

Range range_of(const std::vector<double>& values, Range range) {
  for (const double v : values) {
    if (!std::isfinite(v)) continue;
    range.low = std::min(range.low, v);
    range.high = std::max(range.high, v);
  }
  return range;
}

constexpr Range kEmpty{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};

Histogram counted(const std::vector<double>& values, Range range, int64_t bins) {
  if (range.low > range.high) range = {0, 0};  // no finite value
  Histogram h{range.low, range.high, std::vector<int64_t>(static_cast<size_t>(bins))};
  const double scale = range.high > range.low ? static_cast<double>(bins) / (range.high - range.low) : 0.0;
  for (const double v : values) {
    if (!std::isfinite(v)) continue;
    const auto bin = static_cast<int64_t>((v - range.low) * scale);
    ++h.counts[static_cast<size_t>(std::clamp<int64_t>(bin, 0, bins - 1))];
  }
  return h;
}

/// The largest eigenvalue of the symmetric tridiagonal matrix B B^T, B [n, n + 1] with `diagonal` and `above`
/// right of it, by bisection on the signs of the leading minors (Sturm).
double largest_eigenvalue(const std::vector<double>& diagonal, const std::vector<double>& above) {
  const size_t n = diagonal.size();
  std::vector<double> main(n), side(n);
  double high = 0;
  for (size_t i = 0; i < n; ++i) {
    main[i] = diagonal[i] * diagonal[i] + above[i] * above[i];
    side[i] = i + 1 < n ? above[i] * diagonal[i + 1] : 0.0;
  }
  for (size_t i = 0; i < n; ++i)
    high = std::max(high, main[i] + std::abs(side[i]) + (i > 0 ? std::abs(side[i - 1]) : 0.0));
  const double tiny = high * 1e-18 + std::numeric_limits<double>::min();
  const auto all_below = [&](double x) {  // whether every eigenvalue is below x
    double pivot = 1;
    for (size_t i = 0; i < n; ++i) {
      pivot = main[i] - x - (i > 0 ? side[i - 1] * side[i - 1] / pivot : 0.0);
      if (pivot >= 0) return false;
      pivot = std::min(pivot, -tiny);
    }
    return true;
  };
  double low = 0;
  for (int i = 0; i < 64; ++i) {
    const double middle = 0.5 * (low + high);
    (all_below(middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace

std::pair<Histogram, Histogram> common_histograms(const std::vector<double>& a, const std::vector<double>& b,
                                                  int64_t bins) {
  DUEL_CHECK(bins >= 1, "histogram", "expected at least 1 bin, got {}", bins);
  const Range range = range_of(b, range_of(a, kEmpty));
  return {counted(a, range, bins), counted(b, range, bins)};
}

// Golub & Kahan 1965: B = U^T W V is bidiagonal for orthonormal u and v that span what so many power
// iterations would have seen, and its largest singular value is the best estimate from that space. With the
// last v, B is one wider than high.
Tensor spectral_norm(const Tensor& matrix, int64_t steps) {
  DUEL_CHECK(matrix.rank() == 2 && matrix.numel() > 0 && steps >= 1, "spectral_norm",
             "expected a matrix that is not empty and at least 1 step, got {} and {}", to_text(matrix),
             steps);
  const NoGrad no_grad;
  const Tensor w = matrix.detach();
  const int64_t m = w.dim(0), n = w.dim(1);
  const auto length = [](const Tensor& x) { return nn::gradient_norms({x}).total; };
  // Never a division by zero: a matrix of low rank ends the walk with zeros.
  const auto over = [](const Tensor& x, const Tensor& by) { return div(x, clamp_min(by, 1e-30)); };
  Tensor v = Generator(1).normal({n, 1}, 0.0, 1.0, w.options());
  v = over(v, length(v));
  Tensor u, beta;
  std::vector<Tensor> scalars;
  const int64_t k = std::min({steps, m, n});
  for (int64_t i = 0; i < k; ++i) {
    Tensor next = matmul(w, v);
    if (u.defined()) next = sub(next, mul(u, beta));
    const Tensor alpha = length(next);
    u = over(next, alpha);
    Tensor across = sub(matmul(w, u, true), mul(v, alpha));
    beta = length(across);
    v = over(across, beta);
    scalars.push_back(alpha);
    scalars.push_back(beta);
  }
  const auto values = stack(scalars).to_vector<double>();
  std::vector<double> diagonal, above;
  for (size_t i = 0; i < values.size(); i += 2) {
    diagonal.push_back(values[i]);
    above.push_back(values[i + 1]);
  }
  return Tensor::full({}, std::sqrt(largest_eigenvalue(diagonal, above)), {DType::f64, {}});
}

NamedValues spectral_norms(const nn::Module& net) {
  // What is known of a weight beside its shape: the axis of its outputs, and what a SpectralNorm divides it
  // by.
  struct Known {
    int output_axis = 0;
    double divisor = 1;
  };
  std::unordered_map<const void*, Known> known;
  const NoGrad no_grad;
  const auto visit = [&](const auto& self, const nn::Module& module) -> void {
    if (const auto* layer = dynamic_cast<const nn::WeightLayer*>(&module))
      known[layer->weight.raw()] = {layer->output_axis()};
    if (const auto* normed = dynamic_cast<const nn::SpectralNorm*>(&module)) {
      known[normed->weight_orig.raw()] = {normed->layer().output_axis(), normed->sigma().item()};
    }
    for (const auto& [name, child] : module.named_children()) self(self, *child);
  };
  visit(visit, net);
  NamedValues out;
  for (const auto& [name, parameter] : net.named_parameters()) {
    if (parameter.rank() < 2 || parameter.numel() == 0) continue;
    const Known k = known[parameter.raw()];
    const Tensor w = parameter.detach();
    const Tensor matrix = (k.output_axis == 0 ? w : transpose(w, 0, k.output_axis)).flatten(1);
    out.emplace_back(name, spectral_norm(matrix).item() / k.divisor);
  }
  return out;
}

double step_cosine(const nn::ParameterArena& arena, const std::vector<Tensor>& before,
                   const std::vector<Tensor>& gradients) {
  DUEL_CHECK(before.size() == arena.blocks().size() && gradients.size() == arena.size(), "step_cosine",
             "expected {} blocks and {} gradients, got {} and {}", arena.blocks().size(), arena.size(),
             before.size(), gradients.size());
  const NoGrad no_grad;
  std::vector<Tensor> products, steps;
  for (size_t b = 0; b < before.size(); ++b) {
    const Tensor step = sub(arena.blocks()[b].flat, before[b]);
    steps.push_back(step);
    for (const auto& entry : arena.blocks()[b].entries) {
      const Tensor& g = gradients[entry.index];
      if (!g.defined() || g.numel() == 0) continue;
      products.push_back(
          sum(mul(rows(step, entry.offset, entry.offset + g.numel()), g.detach().reshape({g.numel()}))));
    }
  }
  double dot = 0, squared = 0;
  if (!products.empty()) {
    for (double v : stack(products).to_vector<double>()) dot += v;
  }
  for (double v : nn::gradient_norms(steps).each.to_vector<double>()) squared += v * v;
  const double lengths = std::sqrt(squared) * nn::gradient_norms(gradients).total.item();
  return lengths > 0 ? -dot / lengths : Diagnosis::none;
}

}  // namespace duel::gan
