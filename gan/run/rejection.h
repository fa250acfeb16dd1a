// Discriminator rejection sampling (Azadi et al. 2019, arXiv:1810.06758): G's samples are kept with a probability by which
// they come to follow the data's distribution, as far as D knows the ratio of both densities.
//
// Note [Rejection by D]
// A D that minimises the cross-entropy against this G has the logit F(x) = log p_data(x) / p_G(x). With M the largest one,
// keeping x with probability exp(F(x) - M) is rejection sampling: what is kept follows p_data where D is that D. M is not
// known: it is the largest logit of a burn-in of samples, and raised where a later one is larger. As exp(F - M) is small nearly
// everywhere, the paper keeps x with probability sigma(F^(x) - gamma) (its equation 8),
//   F^(x) = F(x) - M - log(1 - exp(F(x) - M - e)),  e = 1e-6,
// which for gamma 0 and e 0 is exp(F - M) again, and takes for gamma a percentile of F^: the larger it is, the more is
// rejected, and half of the samples at that percentile are kept.
//
// D's logit is such a ratio where that is what minimises its loss: of a cross-entropy without smoothed or flipped labels, on
// plain logits. why_no_density_ratio() says of all else why it is not. A penalty on D, its limits and a training that is not at its end leave it near one; where samples are drawn by an average
// of G's weights, D has learned against another G.
//
// Example:
//   Rejection rejection(logits_of_burn_in, /*percentile=*/80.0);
//   if (uniform < rejection.acceptance(logit)) keep(sample);
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "duel/gan/objective/objective.h"

namespace duel::gan {

class Rejection {
 public:
  /// From D's logits of a burn-in. `percentile` of F^ that gamma is, in [0, 100]; nothing: gamma is 0. Error for no logits,
  /// and for one that is not finite.
  explicit Rejection(std::vector<double> logits, std::optional<double> percentile = {});

  /// The probability to keep a sample of this logit; a larger one than M raises M, and gamma follows it. Error for a logit
  /// that is not finite.
  double acceptance(double logit);
  double largest() const { return largest_; }
  double gamma() const { return gamma_; }

 private:
  double relative(double logit) const;  // F^
  void choose_gamma();

  std::vector<double> logits_;  // of the burn-in, sorted
  std::optional<double> percentile_;
  double largest_, gamma_ = 0;
};

/// Why D's best logit under this objective is not the logarithm of the ratio of both densities; empty where it is.
std::string why_no_density_ratio(const Objective& objective);

}  // namespace duel::gan
