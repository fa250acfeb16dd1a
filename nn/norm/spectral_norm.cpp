#include "duel/nn/norm/spectral_norm.h"

#include "duel/core/engine/checkpoint.h"
#include "duel/core/ops/linear/matmul.h"
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/comparison.h"
#include "duel/core/ops/map/movement.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"

namespace duel::nn {
namespace {

/// x / |x|; where |x| is below eps x has no direction that could be trusted, and `otherwise` is taken.
Tensor normalized(const Tensor& x, double eps, const Tensor& otherwise) {
  const Tensor norm = sqrt(sum(square(x)));
  return where(greater_equal(norm, Tensor::full({}, eps, x.options())), x / clamp_min(norm, eps), otherwise);
}
/// A random direction.
Tensor direction(int64_t size, TensorOptions options, double eps) {
  const Tensor x = default_generator().normal({size}, 0, 1, options);
  return normalized(x, eps, x);
}

}  // namespace

SpectralNorm::SpectralNorm(std::shared_ptr<WeightLayer> layer, SpectralNormOptions o)
    : options(o), layer_(std::move(layer)) {
  DUEL_CHECK(layer_, "SpectralNorm", "expected a layer, got a null pointer");
  DUEL_CHECK(o.n_power_iterations >= 1 && o.eps > 0, "SpectralNorm",
             "expected at least 1 power iteration and eps > 0, got {} and {}", o.n_power_iterations, o.eps);
  register_parameter("bias", layer_->bias);
  weight_orig = register_parameter("weight_orig", layer_->weight);
  const int64_t out = weight_orig.dim(layer_->output_axis()), rest = weight_orig.numel() / out;
  weight_u = register_buffer("weight_u", direction(out, weight_orig.options(), o.eps));
  weight_v = register_buffer("weight_v", direction(rest, weight_orig.options(), o.eps));
}

Tensor SpectralNorm::matrix() const {
  const Tensor w =
      layer_->output_axis() == 0 ? weight_orig : transpose(weight_orig, 0, layer_->output_axis());
  return w.flatten(1);
}

void SpectralNorm::iterate() {
  NoGrad no_grad;
  const Tensor w = matrix();
  Tensor u = weight_u.reshape({-1, 1}), v = weight_v.reshape({-1, 1});
  for (int i = 0; i < options.n_power_iterations; ++i) {
    v = normalized(matmul(w, u, true), options.eps, v);
    u = normalized(matmul(w, v), options.eps, u);
  }
  weight_u.copy_(u.reshape(weight_u.shape()));
  weight_v.copy_(v.reshape(weight_v.shape()));
}

Tensor SpectralNorm::sigma_by(const Tensor& u, const Tensor& v) const {
  return clamp_min(abs(sum(u.reshape({-1, 1}) * matmul(matrix(), v.reshape({-1, 1})))), options.eps);
}

// Copies: the next forward moves u and v in place, perhaps before this graph's backward.
std::vector<Tensor> SpectralNorm::vectors() const { return {weight_u.clone(), weight_v.clone()}; }

Tensor SpectralNorm::sigma() const {
  const std::vector<Tensor> uv = vectors();
  return sigma_by(uv[0], uv[1]);
}

Tensor SpectralNorm::forward_then(const Tensor& x, const Activation& f) {
  const std::vector<Tensor> uv = run_once([&] {
    if (is_training()) iterate();
    return vectors();
  });
  return layer_->forward_with(x, weight_orig / sigma_by(uv[0], uv[1]), f);
}

}  // namespace duel::nn
