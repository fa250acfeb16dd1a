// Gradient penalties: shape(‖∇ₓ D(x̂)‖) of the raw logit, one norm per sample over all its axes, at sampled
// points x̂, then the mean over the samples or the worst of them.
//
// Example, WGAN-GP's term with its own points:
//   Tensor points = line_points(real, fake, generator.uniform({batch}));
//   Tensor term = gradient_penalty(critic, points, one_centered(1.0), 10.0).value;
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "duel/core/tensor/random.h"
#include "duel/core/tensor/tensor.h"
#include "duel/gan/objective/critic.h"

namespace duel::gan {

enum class Reduction { mean, max };  // over the samples of a batch

/// From the norms [N] to the penalty of each sample [N].
struct PenaltyShape {
  std::string name;
  std::function<Tensor(const Tensor& norms)> apply;
  /// The same of the squared norms, for shapes that are smooth in those: used instead where it is given,
  /// since a norm's own derivative at a gradient of exactly 0 is taken as 0, and with it the second
  /// derivative of its square, which is 2. (Consensus with R1 asks for that, and a penalty that is unrolled.)
  std::function<Tensor(const Tensor& squares)> of_squares = nullptr;
  double k = 0.0;                            // the norm aimed at
  PenaltyShape (*with_k)(double) = nullptr;  // the same shape around another K; null: none is aimed at
  Reduction reduction = Reduction::mean;
};
/// (n - K)^2 (Gulrajani 2017)
PenaltyShape one_centered(double k = 1.0);
/// n^2 (Mescheder 2018: R1 and R2 with weight gamma / 2)
PenaltyShape zero_centered();
/// max(0, n - K)^2 (Petzka 2018)
PenaltyShape one_sided(double k = 1.0);
/// n^p, p >= 1 (Wu 2018, arXiv:1712.01026: WGAN-div with p = 6)
PenaltyShape power(double p);
/// `shape` of the sample for which it is largest, in place of the mean over samples: with zero_centered() the
/// maximum-gradient penalty (Zhou 2019, arXiv:1902.05687). Ties share the gradient evenly.
PenaltyShape worst_of(PenaltyShape shape);

/// Whose labels a critic that reads labels is shown with the points.
enum class LabelsOf { real, fake };

/// Where penalties are taken. The generator provides every random number, in a fixed order.
struct PenaltySampling {
  std::string name;
  /// Any number of samples of real's size; as many as real has where the critic reads labels.
  std::function<Tensor(const Tensor& real, const Tensor& fake, Generator&)> points;
  LabelsOf labels = LabelsOf::real;
};

/// The points of on_lines(), by which it is known.
struct LinePoints {
  Tensor operator()(const Tensor& real, const Tensor& fake, Generator& random) const;
};
/// The points of at_real() and at_fake(): a side's own samples.
struct SamplePoints {
  LabelsOf side;
  Tensor operator()(const Tensor& real, const Tensor& fake, Generator&) const {
    return side == LabelsOf::real ? real : fake;
  }
};
/// eps real + (1 - eps) fake, one eps ~ U[0,1) per sample. Judged with the real samples' labels. (Public
/// conditional code makes the fakes for the labels of the real batch, so that both ends of a line have the
/// same. Duel draws the fakes' labels anew: here a line's fake end may be of another class than the line is
/// judged as.)
PenaltySampling on_lines();
PenaltySampling at_real();
/// With the labels that the fakes were generated for.
PenaltySampling at_fake();
/// real + alpha 0.5 std U[0,1), one alpha per sample, std over the whole batch. official: alpha ~ U[0,1)
/// (DRAGAN.ipynb).
PenaltySampling around_real();
/// The same with alpha ~ U[-1,1) and the points clipped to the data's range [-1, 1].
PenaltySampling around_real_two_sided();

/// The points themselves, from given random numbers; no graph. eps and alpha have N elements, noise real's
/// shape.
Tensor line_points(const Tensor& real, const Tensor& fake, const Tensor& eps);
/// The same with eps uniform in [0, 1), drawn from `random`; on a GPU in the same launch where no gradient is recorded.
Tensor line_points(const Tensor& real, const Tensor& fake, Generator& random);
/// real, fake and those points, one behind the other; without gradients.
Tensor joined_with_line(const Tensor& real, const Tensor& fake, Generator& random);
Tensor dragan_points(const Tensor& real, const Tensor& alpha, const Tensor& noise);

struct Penalty {
  PenaltyShape shape;
  PenaltySampling sampling;
  double weight = 10.0;
};

struct PenaltyResult {
  Tensor value;      // weight * mean (or max) over samples; shape []; differentiable in the critic's weights
  Tensor mean_norm;  // mean of ‖∇D‖ over the samples, detached; shape []
};

/// What of a critic's answers a penalty is of, a number per sample: null, the logit.
using PenalisedValue = std::function<Tensor(const Judgement& at)>;

/// Differentiates twice: once in `points` (which get a leaf of their own), and through the result in the
/// critic's weights. labels i64 [N] for critics that look at them. Under NoGrad it gives the same value
/// without a graph, so that gradcheck can take differences of it; in D's weights:
///   gradcheck([&](const auto& in) { nn::ScopedParameters moved(d.parameters(), in);
///                                   return gradient_penalty(d, points, shape, 1.0).value; }, d.parameters());
/// The critic's last bias has no part in it: grad() of a penalty alone wants allow_unused. A critic that mixes samples, by batch norm
/// in training, is taken as it is; to refuse it is the Trainer's (compatibility.h).
PenaltyResult gradient_penalty(nn::Module& critic, const Tensor& points, const PenaltyShape& shape,
                               double weight, const Tensor& labels = {},
                               const PenalisedValue& value = nullptr);
/// The same of the gradient [N, ...] of the samples' logits that is at hand.
PenaltyResult penalty_of_gradient(const Tensor& gradient, const PenaltyShape& shape, double weight);
/// Whether a shape is one of Duel's whose value is of the norms and of nothing else (a user's may read more).
bool reads_norms_alone(const PenaltyShape& shape);
/// The same without a graph, with its own gradient in `gradient` and with loss + value; both of shape [] but the gradient.
struct PenaltyStep {
  PenaltyResult result;
  Tensor gradient, total;
};
PenaltyStep penalty_step(const Tensor& gradient, const PenaltyShape& shape, double weight,
                         const Tensor& loss);

/// One number per row, in the shape in which it multiplies `of` [N, ...], which has those rows.
Tensor per_row(const Tensor& numbers, const Tensor& of);

/// Mean of mean_norm over the penalties, at least one; shape [].
Tensor mean_norm(const std::vector<PenaltyResult>& results);

/// Mean of ‖∇ₓ D‖ at `points` with D in evaluation mode, for diagnostics; no graph is kept and nothing of D
/// changes.
double mean_gradient_norm(nn::Module& critic, const Tensor& points, const Tensor& labels = {},
                          const PenalisedValue& value = nullptr);

}  // namespace duel::gan
