// Which classes a judge reads in samples, against real ones: missing, rare and doubled classes are what mode
// collapse looks like from outside. The class of a sample is the likeliest one (the first of equals).
//
// Example:
//   ClassCounts real = count_classes(softmax(judge(images))), fake = count_classes(softmax(judge(fakes)));
//   double kl = class_divergence(fake, real).value;     // natural logarithm; 0: each class as often as in real
#pragma once

#include <cstdint>
#include <vector>

#include "duel/core/tensor/tensor.h"
#include "duel/gan/judge/interval.h"

namespace duel::gan {

struct ClassCounts {
  std::vector<int64_t> counts;  // of every class
  int64_t samples = 0;          // their sum
  int64_t certain = 0;          // those whose class has a probability of at least `certainty`
};

/// probabilities: f32 or f64 [N, C], each row from 0 to 1 and of sum 1 (within 1e-3). N at least 2.
ClassCounts count_classes(const Tensor& probabilities, double certainty = 0.9);
/// The same class by class, [N].
std::vector<int64_t> classes_of(const Tensor& probabilities);

/// KL(fake || real) of the shares, sum p ln(p / q), never below 0. A class of the fakes that no real sample has
/// counts as half a real sample, so that the value is finite.
Estimate class_divergence(const ClassCounts& fake, const ClassCounts& real);
/// KL(fake || uniform), 0 to ln C: of Stacked MNIST the published one (Srivastava et al. 2017, VEEGAN).
Estimate class_divergence_from_uniform(const ClassCounts& fake);
/// Total variation, half the sum of |p - q|: the share of samples that would have to change their class.
Estimate class_variation(const ClassCounts& fake, const ClassCounts& real);
/// Classes with at least one sample. The interval is for their expected number at this many samples.
Estimate class_modes(const ClassCounts& fake);
/// Share of samples read with certainty.
Estimate certain_share(const ClassCounts& fake);

}  // namespace duel::gan
