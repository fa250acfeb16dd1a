// Adversarial losses on raw logits, fused: mean value and gradient in one pass. Orders above the first are
// composed of plain ops, which are also the oracle of the tests. Every function returns shape [].
#pragma once

#include "duel/core/tensor/tensor.h"
#include "duel/kernels/map/losses.h"

namespace duel {

/// mean of softplus(x) - target x: binary cross-entropy of sigmoid(x) against any target in [0, 1].
Tensor bce_with_logits(const Tensor& logits, double target);
/// The same against a target for each logit, of its shape; the target gets a gradient, too. In plain ops.
Tensor bce_with_logits(const Tensor& logits, const Tensor& target);
/// mean of (x - target)^2; shapes that differ are refused, as a broadcast is a mistake here.
Tensor mse_loss(const Tensor& x, const Tensor& target);
/// mean of max(0, 1 - sign x).
Tensor hinge_loss(const Tensor& logits, double sign);
/// mean of scale (x - target)^2.
Tensor squared_difference(const Tensor& logits, double target, double scale = 1.0);
/// mean of sign x.
Tensor wasserstein_mean(const Tensor& logits, double sign = 1.0);

/// The losses of both sides of a batch, in one launch where they have a batch's size, each logit alone,
/// against its partner or against the other side's mean: kernels::loss_of_sides() has the formulas. Logits of any shape, equally many where they are partners.
Tensor loss_of_sides(const Tensor& one, const Tensor& other, const kernels::AnyLoss& of_one,
                     const kernels::AnyLoss& of_other, kernels::Against against = kernels::Against::nothing);
/// The same of the first `split` rows of logits and of the others. Rows on either side.
Tensor loss_of_both(const Tensor& logits, int64_t split, const kernels::AnyLoss& real,
                    const kernels::AnyLoss& fake, kernels::Against against = kernels::Against::nothing);
/// mean of the loss over all logits.
Tensor fused_loss(const Tensor& logits, const kernels::AnyLoss& loss);

}  // namespace duel
