// How a gradient passes an activation in the launch that made it. Internal to core/.
//
// Note [Slopes on the way]
// An activation's rule multiplies the gradient that comes by f'(x), x what the activation was taken of: a launch for a
// multiplication that the product before it could do as it stores its results. So the engine offers: where the gradient of
// a rule's input goes on to an activation alone (there is no other gradient to add, nobody asked for it, no hook sees it),
// RuleContext::take_slope() gives the rule that activation's slope. A rule that takes it returns the gradient multiplied
// already, and the activation's own rule finds has_slope() and passes it on. A reshape between the two changes nothing.
// Where the walk itself is recorded, only slopes of piecewise linear activations are offered: they are constants, so that
// the result is recorded as one op of the product's operands, whose own incoming gradient is multiplied by the same slope:
// Node::slope says so, and the next walk offers it again.
#pragma once

#include "duel/core/tensor/tensor.h"
#include "duel/kernels/map/activations.h"

namespace duel::detail {

/// f'(x), as a factor; none where f is none.
struct Slope {
  kernels::Activation f;
  Tensor x;
};

}  // namespace duel::detail
