// What a fight looks like from inside: is D too strong, does the gradient reach G, is the critic as steep as
// it should be, does it know the training set by heart? What each number means, what healthy and what sick
// look like and who showed it is said by its row (measures.h; the same as a table in gan/README.md).
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
//   std::printf("JS >= %g, spectral norm of the first layer %g\n", d.number("js_estimate"),
//               d.group("spectral_norms")[0].second);
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "duel/gan/train/measures.h"
#include "duel/gan/train/trainer.h"

namespace duel::gan {

/// Held-out images that a look compares with as many of the training set, where there are so many.
inline constexpr int64_t kHeldOutCompared = 256;

/// What the rows of a look are given: the trainer as the step left it, and what the step left behind.
struct Look {
  Trainer& trainer;
  const StepRecord& record;
  const ResidentData* held_out = nullptr;
  std::vector<double> real_logits, fake_logits;  // of D's update

  const Objective& objective() const { return trainer.objective(); }
  nn::Module& critic() const { return *trainer.networks().discriminator; }
  const Trainer::Batch& batch() const { return record.batch; }
  /// Energies are low on data: with their sign turned, higher again means "real".
  double sign() const;
};

/// Fills every row of a look. record must be that of the trainer's latest step. held_out may be null: at most
/// kHeldOutCompared of its images are compared with as many of the training set.
Diagnosis diagnose(Trainer& trainer, const StepRecord& record, const ResidentData* held_out = nullptr);

/// Both over the range of them all, so that they can be laid over each other. bins >= 1.
std::pair<Histogram, Histogram> common_histograms(const std::vector<double>& a, const std::vector<double>& b,
                                                  int64_t bins);

/// The parts, for networks of one's own; no graph is left.

/// Largest singular value of every parameter of rank >= 2, by parameter name: of a matrix [out, everything
/// else] (kernels as in Miyato 2018, section 2.1: not the norm of the convolution itself, which may be up to K
/// times larger); of a SpectralNorm layer that of the weight it applies.
NamedValues spectral_norms(const nn::Module& net);
/// An estimate from below of the largest singular value of a matrix [m, n], shape [], on its device: usually
/// within 1 %. By `steps` of Golub-Kahan-Lanczos.
Tensor spectral_norm(const Tensor& matrix, int64_t steps = 16);
/// Cosine of the angle between flat after - before and the negative gradient; NaN where one of them is zero.
/// before: copies of the arena's blocks; gradients in order of parameters(), undefined ones are zero.
double step_cosine(const nn::ParameterArena& arena, const std::vector<Tensor>& before,
                   const std::vector<Tensor>& gradients);

}  // namespace duel::gan
