// Parts of an objective as users write them: a term that asks G and remembers, a loss of features, an
// augmentation of D's inputs.
#pragma once

#include <cmath>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/objective/objective.h"

namespace duel::testing {

/// Path length regularisation: the length of J^T y, J G's Jacobian and y normal noise, is kept at its running
/// mean (Karras 2019, arXiv:1912.04958, eq. 4).
inline gan::Term path_length(double weight) {
  return {
      .name = "path_length",
      .weight = weight,
      .value =
          [](const gan::Round& round) {
            const Tensor z = round.latents.detach().set_requires_grad(true);
            const Tensor images = (*round.generator)(z);
            const double pixels = static_cast<double>(images.shape().numel_from(1));
            const Tensor y =
                default_generator().normal(images.shape(), 0, 1 / std::sqrt(pixels), images.options());
            const Tensor lengths = sample_norm(grad({sum(images * y)}, {z}, {}, {.create_graph = true})[0]);
            const Tensor &before = round.memory[0], now = before + (mean(lengths.detach()) - before) * 0.1;
            before.copy_(now);
            return mean(square(lengths - now));
          },
      .memory = {Tensor::zeros({})}};
}

/// Squared maximum mean discrepancy of two batches of features [N, F] under a Gaussian kernel of width 1
/// (Gretton 2012, the biased estimate); D maximises it (MMD GAN: Li 2017, arXiv:1705.08584).
inline Tensor squared_mmd(const Tensor& a, const Tensor& b) {
  const auto kernel = [](const Tensor& x, const Tensor& y) {
    const Tensor xx = sum(square(x), {1}, true), yy = sum(square(y), {1}, true);
    return mean(exp((xx + transpose(yy, 0, 1) - matmul(x, y, false, true) * 2.0) * -0.5));
  };
  return kernel(a, a) + kernel(b, b) - kernel(a, b) * 2.0;
}

inline gan::Loss mmd_loss() {
  using gan::Judgement;
  gan::Loss loss{.name = "mmd", .d_real = nullptr, .d_fake = nullptr, .g_fake = nullptr};
  loss.d_joint = [](const Judgement& real, const Judgement& fake) {
    return neg(squared_mmd(real.features, fake.features));
  };
  loss.g_joint = [](const Judgement& real, const Judgement& fake) {
    return squared_mmd(real.features, fake.features);
  };
  return loss;
}

/// Brightness, contrast and dropped pixels, drawn for each image (the colour part of DiffAugment: Zhao 2020,
/// arXiv:2006.10738).
inline Tensor differentiable_augmentation(const Tensor& images, Generator& random) {
  const Shape each{images.dim(0), 1, 1, 1};
  const Tensor brighter = images + random.uniform(each, -0.5, 0.5, images.options());
  const Tensor middle = mean(brighter, {1, 2, 3}, true);
  const Tensor contrast = random.uniform(each, 0.5, 1.5, images.options());
  const Tensor drawn = random.uniform(images.shape(), 0, 1, images.options());
  return (middle + (brighter - middle) * contrast) * (drawn > 0.1).to(images.dtype());
}

/// All three.
inline gan::Objective own_objective() {
  gan::Objective objective{.name = "own"};
  objective.loss = mmd_loss();
  objective.g_terms = {path_length(0.5)};
  objective.augmentation = differentiable_augmentation;
  return objective;
}

}  // namespace duel::testing
