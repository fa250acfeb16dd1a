#include "duel/nn/norm/spectral_norm.h"

#include "duel/core/engine/checkpoint.h"
#include "duel/core/ops/linear/spectral.h"
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/core/tensor/random.h"

namespace duel::nn {
namespace {

/// A random direction.
Tensor direction(int64_t size, TensorOptions options, double eps) {
  const Tensor x = default_generator().normal({size}, 0, 1, options);
  return x / clamp_min(sqrt(sum(square(x))), eps);
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

SpectralEstimate SpectralNorm::estimate() const {
  return spectral_estimate(weight_orig, layer_->output_axis(), weight_u, weight_v, options.eps);
}

Tensor SpectralNorm::sigma() const { return spectral_sigma(weight_orig, layer_->output_axis(), estimate()); }

Tensor SpectralNorm::forward_then(const Tensor& x, const Activation& f) {
  const int axis = layer_->output_axis();
  // Copies of u and v: the next forward moves them in place, perhaps before this graph's backward.
  const std::vector<Tensor> kept = run_once([&] {
    const SpectralEstimate e = is_training() ? power_iteration(weight_orig, axis, weight_u, weight_v,
                                                               options.n_power_iterations, options.eps)
                                             : estimate();
    return std::vector<Tensor>{e.u, e.v, e.value, e.slope};
  });
  const Tensor sigma = spectral_sigma(weight_orig, axis, {kept[0], kept[1], kept[2], kept[3]});
  return layer_->forward_with(x, weight_orig / sigma, f);
}

}  // namespace duel::nn
