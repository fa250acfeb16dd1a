#include "duel/gan/objective/latent.h"

#include <numeric>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"

namespace duel::gan {

int64_t LatentPlan::code_width() const {
  return std::accumulate(categorical.begin(), categorical.end(), int64_t{0}) + continuous;
}

Latents draw_latents(const LatentPlan& plan, int64_t n, LatentGenerators& random, TensorOptions options) {
  const Tensor noise = plan.kind == NoiseKind::normal
                           ? random.noise.normal({n, plan.noise}, 0.0, 1.0, options)
                           : random.noise.uniform({n, plan.noise}, -1.0, 1.0, options);
  if (plan.classes == 0 && plan.code_width() == 0) return {.input = noise};
  const Tensor labels =
      plan.classes > 0 ? random.labels.integers({n}, plan.classes, options.device) : Tensor();
  std::vector<Tensor> codes;
  for (const int64_t size : plan.categorical) {
    codes.push_back(one_hot(random.codes.integers({n}, size, options.device), size, options.dtype));
  }
  if (plan.continuous > 0) codes.push_back(random.codes.uniform({n, plan.continuous}, -1.0, 1.0, options));
  return compose_latents(plan, noise, labels, codes.empty() ? Tensor() : concat(codes, 1));
}

Latents compose_latents(const LatentPlan& plan, const Tensor& noise, const Tensor& labels,
                        const Tensor& codes) {
  DUEL_CHECK(noise.rank() == 2 && noise.dim(1) == plan.noise, "latents",
             "expected noise of shape [N, {}], got {}", plan.noise, noise.shape());
  DUEL_CHECK(labels.defined() == (plan.classes > 0), "latents", "expected {} labels",
             plan.classes > 0 ? "N" : "no");
  DUEL_CHECK(codes.defined() == (plan.code_width() > 0), "latents", "expected codes of {} columns",
             plan.code_width());
  NoGrad no_grad;
  std::vector<Tensor> parts{noise};
  if (labels.defined()) parts.push_back(one_hot(labels, plan.classes, noise.dtype()));
  if (codes.defined()) parts.push_back(codes);
  return {parts.size() == 1 ? noise : concat(parts, 1), labels, codes};
}

Latents slice(const Latents& latents, int64_t begin, int64_t end) {
  const auto rows = [&](const Tensor& t) { return t.defined() ? duel::rows(t, begin, end) : t; };
  return {rows(latents.input), rows(latents.labels), rows(latents.codes)};
}

}  // namespace duel::gan
