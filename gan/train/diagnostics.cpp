#include "duel/gan/train/diagnostics.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <unordered_map>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/picture/plot.h"
#include "duel/nn/module/activation_trace.h"
#include "duel/nn/norm/spectral_norm.h"
#include "duel/nn/optim/grad_norm.h"

namespace duel::gan {
namespace {

constexpr int64_t kHeldOut = 256;
constexpr int64_t kLogitBins = 32, kWeightBins = 64;

template <class T>
Range range_of(const std::vector<T>& values, Range range) {
  for (const T v : values) {
    if (!std::isfinite(v)) continue;
    range.low = std::min(range.low, static_cast<double>(v));
    range.high = std::max(range.high, static_cast<double>(v));
  }
  return range;
}

constexpr Range kEmpty{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};

template <class T>
Histogram counted(const std::vector<T>& values, Range range, int64_t bins) {
  if (range.low > range.high) range = {0, 0};  // no finite value
  Histogram h{range.low, range.high, std::vector<int64_t>(static_cast<size_t>(bins))};
  const double scale = range.high > range.low ? static_cast<double>(bins) / (range.high - range.low) : 0.0;
  for (const T v : values) {
    if (!std::isfinite(v)) continue;
    const auto bin = static_cast<int64_t>((static_cast<double>(v) - range.low) * scale);
    ++h.counts[static_cast<size_t>(std::clamp<int64_t>(bin, 0, bins - 1))];
  }
  return h;
}

double mean_of(const std::vector<double>& values) {
  double total = 0;
  for (double v : values) total += v;
  return total / static_cast<double>(values.size());
}

double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

NamedValues named(const nn::Module& net, const std::vector<Tensor>& gradients) {
  NamedValues out;
  const auto norms = nn::gradient_norms(gradients).each.to_vector<double>();
  const auto names = net.named_parameters();
  for (size_t i = 0; i < norms.size(); ++i) out.emplace_back(names[i].first, norms[i]);
  return out;
}

void name_layers(const nn::Module& module, const std::string& name,
                 std::unordered_map<const nn::Module*, std::string>& into) {
  into.emplace(&module, name);
  for (const auto& [child, layer] : module.named_children())
    name_layers(*layer, name.empty() ? child : name + "." + child, into);
}

// ---- The parts of a diagnosis
// -------------------------------------------------------------------------------------

/// Energies are low on data: with their sign turned, higher again means "real".
double sign_of(const Objective& objective) {
  return objective.loss.energy || is_autoencoder(objective.critic) ? -1.0 : 1.0;
}

void read_logits(const Objective& objective, const StepRecord& record, Diagnosis& d) {
  const auto real = record.real_logits.to_vector<double>(), fake = record.fake_logits.to_vector<double>();
  std::tie(d.d_real, d.d_fake) = common_histograms(real, fake, kLogitBins);
  d.wasserstein_estimate = sign_of(objective) * (mean_of(real) - mean_of(fake));
  if (objective.loss.undecided && objective.relativism == Relativism::none) {
    const double sign = sign_of(objective), middle = *objective.loss.undecided;
    const auto right =
        std::count_if(real.begin(), real.end(), [&](double v) { return sign * (v - middle) > 0; }) +
        std::count_if(fake.begin(), fake.end(), [&](double v) { return sign * (v - middle) < 0; });
    d.accuracy = static_cast<double>(right) / static_cast<double>(real.size() + fake.size());
  }
  if (has_probabilities(objective)) {
    double loss = 0;
    for (double r : real) loss += softplus(-r) / static_cast<double>(real.size());
    for (double f : fake) loss += softplus(f) / static_cast<double>(fake.size());
    d.js_estimate = std::numbers::ln2 - loss / 2;
  }
}

void read_input_gradients(Trainer& trainer, const Trainer::Batch& batch, Diagnosis& d) {
  nn::Module& critic = *trainer.networks().discriminator;
  const auto norm_at = [&](const Tensor& points, const Tensor& labels) {
    return mean_gradient_norm(critic, trainer.packed(points), labels);
  };
  d.input_gradient_real = norm_at(batch.real, batch.real_labels);
  d.input_gradient_fake = norm_at(batch.fake, batch.latents.labels);
  const Tensor half = Tensor::full({batch.real.dim(0)}, 0.5, batch.real.options());
  d.input_gradient_line = norm_at(line_points(batch.real, batch.fake, half), batch.real_labels);
}

void read_activations(Trainer& trainer, const Trainer::Batch& batch, Diagnosis& d) {
  nn::Module& critic = *trainer.networks().discriminator;
  const NoParamGrad weights_are_constants;
  const nn::EvalMode looking(critic);
  // Recording starts at the images, so that every layer has a place in the graph.
  const Tensor images = trainer.packed(concat({batch.real, batch.fake})).detach().set_requires_grad(true);
  const Tensor labels = batch.real_labels.defined() && batch.latents.labels.defined()
                            ? concat({batch.real_labels, batch.latents.labels})
                            : Tensor();
  const nn::ActivationTrace trace;
  const Tensor logits = judge(critic, images, labels).logits;
  const int64_t split = logits.dim(0) / 2;
  const Tensor loss =
      trainer.adversarial_loss_of_d({.real = {batch.real, {}, {.logits = rows(logits, 0, split)}},
                                     .fake = {batch.fake, {}, {.logits = rows(logits, split, logits.dim(0))}},
                                     .codes = {}});
  std::vector<Tensor> at{images};
  for (const Tensor& t : trace.tensors()) at.push_back(t);
  const auto gradients = grad({loss}, at, {}, {.allow_unused = true});
  const auto norms = nn::gradient_norms(gradients).each.to_vector<double>();
  std::unordered_map<const nn::Module*, std::string> names;
  name_layers(critic, "", names);
  d.activation_gradients.emplace_back("input", norms[0]);
  for (size_t i = 0; i < trace.outputs().size(); ++i) {
    if (!gradients[i + 1].defined()) continue;  // a head that this loss does not read
    const auto found = names.find(trace.outputs()[i].first);
    d.activation_gradients.emplace_back(found == names.end() ? std::to_string(i) : found->second,
                                        norms[i + 1]);
  }
}

void read_spread(const Trainer::Batch& batch, Diagnosis& d) {
  const NoGrad no_grad;
  const double real = mean(variance(batch.real, {0})).item(), fake = mean(variance(batch.fake, {0})).item();
  if (real > 0) d.fake_spread = std::sqrt(fake / real);
}

void read_weights(Trainer& trainer, Diagnosis& d) {
  const nn::Module& critic = *trainer.networks().discriminator;
  d.spectral_norms = spectral_norms(critic);
  const auto c = static_cast<float>(trainer.objective().constraint.weight_clip);
  std::vector<float> weights;
  int64_t at_clip = 0, all = 0;
  for (const Tensor& p : critic.parameters()) {
    const auto values = p.to_vector<float>();
    if (p.rank() >= 2) weights.insert(weights.end(), values.begin(), values.end());
    at_clip += std::count_if(values.begin(), values.end(), [c](float w) { return std::abs(w) >= c; });
    all += p.numel();
  }
  d.weights_d = counted(weights, range_of(weights, kEmpty), kWeightBins);
  if (c > 0 && all > 0) d.share_at_clip = static_cast<double>(at_clip) / static_cast<double>(all);
}

void read_held_out(Trainer& trainer, const Trainer::Batch& batch, const ResidentData& held_out,
                   Diagnosis& d) {
  const ResidentData& training = *trainer.data();
  nn::Module& critic = *trainer.networks().discriminator;
  const bool labelled = batch.real_labels.defined();
  if (labelled && !held_out.has_labels()) return;
  const NoGrad no_grad;
  const nn::EvalMode looking(critic);
  const int64_t packing = trainer.objective().schedule.packing;
  const int64_t n = std::min({kHeldOut, held_out.count(), training.count()}) / packing * packing;
  if (n == 0) return;
  const auto critic_of = [&](const Tensor& images, const Tensor& labels) {
    return sign_of(trainer.objective()) * mean(judge(critic, trainer.packed(images), labels).logits).item();
  };
  const auto critic_of_first = [&](const ResidentData& data) {
    const Tensor first = data.first(n);
    return critic_of(data.batch(first, batch.real.dtype()), labelled ? data.labels(first) : Tensor());
  };
  const double fake = critic_of(batch.fake, batch.latents.labels);
  d.critic_training = critic_of_first(training) - fake;
  d.critic_held_out = critic_of_first(held_out) - fake;
  d.held_out_gap = d.critic_training - d.critic_held_out;
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

Diagnosis diagnose(Trainer& trainer, const StepRecord& record, const ResidentData* held_out) {
  DUEL_CHECK(record.real_logits.defined() && !record.gradients_d.empty(), "diagnose",
             "expected the record of a step: call step(true, &record) first");
  const Trainer::QuietDraws quiet(trainer);
  Diagnosis d;
  read_logits(trainer.objective(), record, d);
  d.gradients_d = named(*trainer.networks().discriminator, record.gradients_d);
  d.gradients_g = named(*trainer.networks().generator, record.gradients_g);
  d.step_cosine_d = step_cosine(trainer.optimizer_d().arena(), record.weights_d, record.gradients_d);
  d.step_cosine_g = step_cosine(trainer.optimizer_g().arena(), record.weights_g, record.gradients_g);
  read_input_gradients(trainer, record.batch, d);
  read_activations(trainer, record.batch, d);
  read_spread(record.batch, d);
  read_weights(trainer, d);
  if (held_out && trainer.data()) read_held_out(trainer, record.batch, *held_out, d);
  return d;
}

}  // namespace duel::gan
