// What a fight looks like from inside: is D too strong, does the gradient reach G, is the critic as steep as
// it should be, does it know the training set by heart? Each number says what healthy and what sick look
// like, and who showed it.
//
// Note [Looking never changes the run]
// diagnose() draws no number of the run's generators, moves no running statistic (D is in evaluation mode
// meanwhile) and writes no weight. It is a function of the trainer's state, of the record of one step and of
// the held-out images, so a resumed run shows the same numbers. Everything is ops on the players' device;
// values are read when they are told.
//
// Limits: norms of inputs' gradients, the profile over activations and the held-out gap look at D with the
// weights after the recorded step; logits and the gradients of weights are those of the step itself.
//
// Example:
//   StepRecord record;
//   trainer.step(true, &record);
//   Diagnosis d = diagnose(trainer, record, held_out.get());
//   std::printf("JS >= %g, spectral norm of the first layer %g\n", d.js_estimate, d.spectral_norms[0].second);
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "duel/gan/train/trainer.h"

namespace duel::gan {

/// Counts in equal bins between low and high; values that are not finite are left out.
struct Histogram {
  double low = 0, high = 0;
  std::vector<int64_t> counts = {};
};
/// Both over the range of them all, so that they can be laid over each other. bins >= 1.
std::pair<Histogram, Histogram> common_histograms(const std::vector<double>& a, const std::vector<double>& b,
                                                  int64_t bins);

using NamedValues = std::vector<std::pair<std::string, double>>;

/// NaN where a number does not apply (no clipping, no held-out images, …).
struct Diagnosis {
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();

  /// Raw logits of D's batch. Healthy: two hills that overlap and stay apart by a few units at most. Sick:
  /// cross-entropy hills far apart with nothing between (D is perfect and G's gradient vanishes: Arjovsky &
  /// Bottou 2017, arXiv:1701.04862, theorem 2.4), or both in one bin (D tells nothing).
  Histogram d_real = {}, d_fake = {};

  /// Share of the batch on D's right side of Loss::undecided, for losses that have it and no relativism.
  /// Healthy: 0.6 to 0.9. Sick: 1.0 for long (a fresh D gets there within tens of iterations when supports
  /// are disjoint: Arjovsky & Bottou 2017, figure 1), or 0.5 (D lost).
  double accuracy = none;

  /// Means of ‖∇ₓ D‖ at real images, at fakes, and half way between. Healthy: near K under a penalty around K
  /// (Gulrajani 2017, arXiv:1704.00028, section 4), small at real images under R1 (Mescheder 2018,
  /// arXiv:1801.04406). Sick: growing without end (no penalty: D becomes a step), near 0 at fakes (G learns
  /// nothing), or far below the value at real images on lines only.
  double input_gradient_real = none, input_gradient_fake = none, input_gradient_line = none;

  /// Norms of the losses' gradients per parameter tensor. Healthy: within two or three powers of ten of each
  /// other, G's neither falling towards 0 (saturating loss against a good D) nor growing with wild swings
  /// (non-saturating loss: Arjovsky & Bottou 2017, figures 2 and 3).
  NamedValues gradients_d = {}, gradients_g = {};

  /// Norm of the gradient of D's adversarial loss (under an Equilibrium with its k) in the output of each
  /// layer of D, from the input on; penalties and extra terms left out. Healthy: flat. Sick: growing or
  /// falling exponentially with depth, as under weight clipping with a large or small c (Gulrajani 2017,
  /// figure 1b left). Layers are those that nn::ActivationTrace sees.
  NamedValues activation_gradients = {};

  /// Largest singular value of each weight of D, as matrix [out, everything else] (kernels as in Miyato 2018,
  /// arXiv:1802.05957, section 2.1: not the norm of the convolution itself, which may be up to K times
  /// larger); of a SpectralNorm layer that of the weight it applies. Healthy: 1 under spectral normalisation,
  /// elsewhere a few units that settle or grow slowly. Sick: a jump, which is where training collapses (Brock
  /// 2019, arXiv:1809.11096, section 4.2). By 16 steps of Golub-Kahan-Lanczos: never more than the truth,
  /// usually within 1 %.
  NamedValues spectral_norms = {};

  /// How much fakes differ among themselves, in units of the real images: the root of their variances' ratio,
  /// each over the batch and averaged over pixels. Healthy: about 1. Sick: falling towards 0, G shows one
  /// picture (mode collapse; the batch's spread as a sign of it: Salimans 2016, arXiv:1606.03498, section
  /// 3.2, and Karras 2018, arXiv:1710.10196, section 3). A batch from few modes that differ stays near 1:
  /// only the extreme shows.
  double fake_spread = none;

  /// Share of D's parameters at ±c under weight clipping. Healthy: below one half. Sick: nearly all, D is a
  /// network of two values (Gulrajani 2017, figure 1b right). The histogram shows the weights without biases
  /// and the scales of norms.
  double share_at_clip = none;
  Histogram weights_d = {};

  /// log 2 - L_D / 2 with L_D the cross-entropy of D's batch: a lower bound of the Jensen-Shannon distance of
  /// data and fakes, tight for the best D; only where Loss::cross_entropy says so, without relativism.
  /// Healthy: falls, as G gets better. Sick: at log 2 = 0.693 from early on, which says that D separates them
  /// perfectly and nothing about G (Arjovsky 2017, arXiv:1701.07875, figure 4).
  double js_estimate = none;
  /// mean r - mean f: the critic's value, which under a 1-Lipschitz critic is an estimate from below of the
  /// Wasserstein-1 distance, under weight clipping a multiple of it; elsewhere just the gap of the logits (of
  /// energies with the sign turned, so that positive says that D prefers real images). Healthy: falls with
  /// the samples' faults. Sick: constant while samples do not improve, or negative (Arjovsky 2017, figure 3).
  double wasserstein_estimate = none;

  /// mean D over fixed training images and over as many held-out ones, each less mean D over the fakes; gap
  /// is their difference. Healthy: the two stay together. Sick: they part, the training curve above: D knows
  /// the training images by heart (Gulrajani 2017, figure 5b). Evaluation mode; energies with the sign
  /// turned.
  double critic_training = none, critic_held_out = none, held_out_gap = none;

  /// Cosine of the angle between the step that the optimizer took and the loss's negative gradient. Healthy:
  /// positive (1 for plain gradient descent). Sick: negative, momentum drives against the gradient: with it,
  /// WGAN training with Adam blew up (Arjovsky 2017, section 4.3). NaN when nothing moved.
  double step_cosine_d = none, step_cosine_g = none;
};

/// Reads everything above. record must be that of the trainer's latest step. held_out may be null: at most
/// 256 of its images are compared with as many of the training set.
Diagnosis diagnose(Trainer& trainer, const StepRecord& record, const ResidentData* held_out = nullptr);

/// The parts, for networks of one's own; no graph is left.

/// Largest singular value of every parameter of rank >= 2, by parameter name.
NamedValues spectral_norms(const nn::Module& net);
/// An estimate from below of the largest singular value of a matrix [m, n], shape [], on its device.
Tensor spectral_norm(const Tensor& matrix, int64_t steps = 16);
/// Cosine of the angle between flat after - before and the negative gradient; NaN where one of them is zero.
/// before: copies of the arena's blocks; gradients in order of parameters(), undefined ones are zero.
double step_cosine(const nn::ParameterArena& arena, const std::vector<Tensor>& before,
                   const std::vector<Tensor>& gradients);

}  // namespace duel::gan
