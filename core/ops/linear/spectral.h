// A weight's largest singular value, as spectral norm estimates it (Miyato et al. 2018, arXiv:1802.05957).
#pragma once

#include "duel/core/tensor/tensor.h"

namespace duel {

/// The directions u [out] and v [everything else] of a weight whose matrix is [out, everything else], out counted by its
/// axis `axis`; what follows the other axes is in their order. `value` is |u' W v|, but at least eps, and `slope` its
/// derivative by u' W v; all without a graph.
struct SpectralEstimate {
  Tensor u, v, value, slope;
};

/// Moves u and v by `iterations` steps of the power iteration, in place, v = W' u and u = W v, normalised; where one of
/// them is shorter than eps the old direction stays. The estimate's u and v are copies. One launch on a GPU for a weight
/// of up to kernels::kFusedSpectral elements. iterations >= 1.
SpectralEstimate power_iteration(const Tensor& w, int axis, Tensor& u, Tensor& v, int64_t iterations,
                                 double eps);
/// The same of u and v as they are.
SpectralEstimate spectral_estimate(const Tensor& w, int axis, const Tensor& u, const Tensor& v, double eps);

/// The estimate's value, shape [], differentiable in the weight with u and v as constants, at every order.
Tensor spectral_sigma(const Tensor& w, int axis, const SpectralEstimate& estimate);

}  // namespace duel
