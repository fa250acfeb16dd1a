// Activations that another op's launch computed, or multiplies with. Internal to core/ops/; Note [Slopes on the way] in
// core/tensor/internal/slope.h.
#pragma once

#include "duel/core/ops/map/activation.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/slope.h"

namespace duel::detail {

/// y = f(x), which is computed already, recorded as activate(x, f) is.
Tensor record_activation(const Activation& f, const Tensor& x, const Tensor& y);

/// g f'(x)
Tensor times_slope(const Activation& f, const Tensor& x, const Tensor& g);

/// In the rule of a node with_slope(…, f, i): the gradient that came, multiplied by its slope.
inline Tensor through_slope(const RuleContext& ctx, const Activation& f, int i, const Tensor& g) {
  return !f || ctx.has_slope() ? g : times_slope(f, ctx.saved(i), g);
}

}  // namespace duel::detail
