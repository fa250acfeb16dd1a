#include "duel/gan/run/rejection.h"

#include <algorithm>
#include <cmath>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/objective/composition.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

constexpr double kNearTheLargest = 1e-6;  // e of Note [Rejection by D], as in the paper

double checked(double logit) {
  DUEL_CHECK(std::isfinite(logit), "rejection", "D's logit of a sample is {}: expected a finite number",
             logit);
  return logit;
}

/// Whether v is D's best logit where the data's density is e^v times that of G's samples: e^v times L_D's slope in the logit of a
/// real sample and its slope in that of a generated one cancel there.
bool best_logit_is_log_ratio(const Loss& loss) {
  for (const double v : {-1.5, 0.0, 2.0}) {
    const auto logit = [&] { return Tensor::full({1, 1}, v, {DType::f64, {}}).set_requires_grad(true); };
    const Tensor real = logit(), fake = logit();
    const std::vector<Tensor> slopes = grad({discriminator_loss(loss, Relativism::none, real, fake)},
                                            {real, fake}, {}, {.allow_unused = true});
    if (!slopes[0].defined() || !slopes[1].defined()) return false;
    const double of_real = std::exp(v) * slopes[0].item(), of_fake = slopes[1].item();
    if (!(std::abs(of_real + of_fake) <= 1e-9 * (std::abs(of_real) + std::abs(of_fake)))) return false;
  }
  return true;
}

}  // namespace

Rejection::Rejection(std::vector<double> logits, std::optional<double> percentile)
    : logits_(std::move(logits)), percentile_(percentile), largest_(0) {
  DUEL_CHECK(!logits_.empty(), "rejection", "expected logits of a burn-in, got none");
  DUEL_CHECK(!percentile || (*percentile >= 0 && *percentile <= 100), "rejection",
             "expected a percentile from 0 to 100, got {}", percentile.value_or(0));
  for (const double logit : logits_) checked(logit);
  std::sort(logits_.begin(), logits_.end());
  largest_ = logits_.back();
  choose_gamma();
}

double Rejection::relative(double logit) const {
  const double below = logit - largest_;
  return below - std::log(-std::expm1(below - kNearTheLargest));
}

// F^ rises with the logit, so its percentile is that of the logits, put in: linear between neighbours, as NumPy's.
void Rejection::choose_gamma() {
  if (!percentile_) return;
  const double place = *percentile_ / 100 * static_cast<double>(logits_.size() - 1);
  const auto at = static_cast<size_t>(place);
  const size_t next = std::min(at + 1, logits_.size() - 1);
  const double share = place - static_cast<double>(at);
  gamma_ = relative(logits_[at]) * (1 - share) + relative(logits_[next]) * share;
}

double Rejection::acceptance(double logit) {
  if (checked(logit) > largest_) {
    largest_ = logit;
    choose_gamma();
  }
  return 1 / (1 + std::exp(gamma_ - relative(logit)));
}

std::string why_no_density_ratio(const Objective& objective) {
  if (gives_energy(objective)) return "its D is an autoencoder, whose output is an energy";
  if (objective.relativism != Relativism::none)
    return "its D compares real samples with generated ones: a logit alone says nothing";
  if (!best_logit_is_log_ratio(objective.loss))
    return message("its D's best logit is not the logarithm of the ratio of both densities, with the loss {}",
                   objective.loss.name);
  if (objective.schedule.label_flip > 0)
    return message("label-flip {} moves D's best logit away from the ratio", objective.schedule.label_flip);
  return {};
}

}  // namespace duel::gan
