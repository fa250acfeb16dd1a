// Rows: variational f-divergences, and the softmax loss.
#include "duel/gan/objective/rows/objective_rows.h"

namespace duel::gan::detail {
namespace {

constexpr const char* kNowozin =
    "Nowozin et al. 2016, f-GAN, arXiv:1606.00709, eq. 6, table 6 and section 3.2";

Objective of(const Divergence& divergence) {
  return {.loss = divergence_loss(divergence), .schedule = dcgan_schedule()};
}

}  // namespace

const Rows& divergence_rows() {
  using O = ObjectiveOverrides;
  static const Rows rows = {
      {.name = "fgan-kl",
       .formula = "L_D = -E r + E exp(f - 1);  L_G = -E f: KL(data || generated)",
       .paper = kNowozin,
       .make = [](const O&) { return of(kullback_leibler()); },
       .note = "Exponentials of raw logits: where D runs far ahead, losses jump by orders of magnitude."},
      {.name = "fgan-reverse-kl",
       .formula = "L_D = E exp(-r) + E f - 1;  L_G = 1 - E f: KL(generated || data)",
       .paper = kNowozin,
       .make = [](const O&) { return of(reverse_kullback_leibler()); },
       .note = "G's loss is the saddle point's own, which is nowhere flat here. Section 3.2's E exp(-f) "
               "has no bound where D is sure: with it two of two runs on the ring of Gaussians diverged."},
      {.name = "fgan-pearson",
       .formula = "L_D = -E r + E (h^2 / 4 + h), h = max(f, -2);  L_G = -E f: Pearson's chi-squared",
       .paper = kNowozin,
       .make = [](const O&) { return of(pearson_chi_squared()); }},
      {.name = "fgan-hellinger",
       .formula = "L_D = E exp(-r) + E exp(f) - 2;  L_G = E exp(-f) - 1: squared Hellinger distance",
       .paper = kNowozin,
       .make = [](const O&) { return of(squared_hellinger()); },
       .note = "G's exp(-f) has no bound where D is sure: on the ring of Gaussians one of two runs diverged "
               "(gan/lab/README.md)."},
      {.name = "fgan-js",
       .formula =
           "L_D = E softplus(-r) + E softplus(f) - 2 log 2;  L_G = E softplus(-f) - log 2: Jensen-Shannon",
       .paper = kNowozin,
       .make = [](const O&) { return of(jensen_shannon()); },
       .note = "The gradients are those of ns-gan."},
      {.name = "fgan-alpha",
       .formula =
           "L_D = -E g(r) + E h(f);  L_G = -E g(f);  a < 1: g(v) = 1 / (1 - a) - softplus(-v), h(v) "
           "= (((1 - a) softplus(-v))^(a / (a - 1)) - 1) / a;  a > 1: g(v) = v, h(v) = (max(0, (a - 1) "
           "v + 1)^(a / (a - 1)) - 1) / a",
       .paper = kNowozin,
       .make = [](const O& o) { return of(alpha_divergence(o.number("divergence-alpha"))); },
       .settings = {{"divergence-alpha", 0.5}},
       .note =
           "a = 1/2 is a multiple of the squared Hellinger distance, a = 2 half of Pearson's chi-squared; "
           "a -> 1 is KL, a -> 0 reverse KL."},
      {.name = "softmax-gan",
       .formula =
           "L_D = -mean over real of log p;  L_G = -mean over all of log p;  p = softmax of D over both "
           "batches",
       .paper = "Lin 2017, Softmax GAN, arXiv:1704.06191, eq. 2 and 3",
       .make = [](const O&) { return Objective{.loss = softmax_loss(), .schedule = dcgan_schedule()}; },
       .rates = "The paper trains the DCGAN code with its loss exchanged; rates of its own were not found. "
                "Here Adam 2e-4 (0.5, 0.999), that code's."},
  };
  return rows;
}

}  // namespace duel::gan::detail
