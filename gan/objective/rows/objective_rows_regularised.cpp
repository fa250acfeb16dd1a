// Rows: known losses under other penalties and constraints.
#include "duel/gan/objective/rows/objective_rows.h"

namespace duel::gan::detail {

const Rows& regularised_rows() {
  using O = ObjectiveOverrides;
  static const Rows rows = {
      {.name = "sngan",
       .formula =
           "L_D = E relu(1 - r) + E relu(1 + f), every weight of D divided by its largest singular value;  "
           "L_G = -E f",
       .paper = "Miyato et al. 2018, Spectral Normalization for GANs, arXiv:1802.05957; rates, "
                "batches and decay of its CIFAR-10 code",
       .make =
           [](const O&) {
             Schedule s = schedule(5, adam(2e-4, 0.0, 0.9));
             s.generator_batch = 2;
             s.lr_decay_steps = 50000;
             return Objective{
                 .loss = hinge_loss_pair(), .constraint = {.spectral_norm = true}, .schedule = s};
           },
       .note = "D is built with spectral norm in every layer and without batch norm. "
               "The rates reach zero after 50000 iterations: set --lr-decay-steps for longer runs."},
      {.name = "r1",
       .formula = "L_D = E softplus(-r) + E softplus(f) + lambda E ||grad D(x)||^2, x real, "
                  "lambda = gamma / 2;  L_G = E softplus(-f)",
       .paper =
           "Mescheder et al. 2018, Which Training Methods for GANs do actually Converge?, arXiv:1801.04406, "
           "eq. 9",
       .make =
           [](const O& o) {
             Schedule s = schedule(1, rmsprop(1e-4));
             s.ema = 0.999;
             return Objective{.loss = non_saturating_loss(1 - o.number("label-smoothing")),
                              .penalties = {{zero_centered(), at_real(), 5.0}},
                              .schedule = s};
           },
       .settings = {{"label-smoothing", 0.0}},
       .note = "gamma is 10 as in the paper. Its code leaves out the factor 1/2: "
               "its reg_param 10 is --lambda 10 here."},
      {.name = "r3gan",
       .formula = "L_D = E softplus(-(r - f)) + lambda (E ||grad D(x)||^2 + E ||grad D(G(z))||^2), "
                  "lambda = gamma / 2;  L_G = E softplus(-(f - r))",
       .paper =
           "Huang et al. 2024, The GAN is dead; long live the GAN! A Modern GAN Baseline, arXiv:2501.05441, "
           "eq. 3",
       .make =
           [](const O&) {
             return Objective{
                 .loss = non_saturating_loss(),
                 .relativism = Relativism::paired,
                 .penalties = {{zero_centered(), at_real(), 0.5}, {zero_centered(), at_fake(), 0.5}},
                 .schedule = schedule(1, adam(2e-4, 0.0, 0.99))};
           },
       .rates = "The paper's Stacked MNIST run: Adam 2e-4 with beta1 0, beta2 from 0.9 to 0.99, "
                "gamma from 1 to 0.1. Here both stay: gamma where it starts and beta2 where it ends, "
                "as nothing is annealed.",
       .note = "The paper trains networks without any normalisation (--norm-g none). "
               "Lazy penalties fail on 2-D toys and Stacked MNIST."},
      {.name = "lgan",
       .formula = "L_D = E softplus(-r) + E softplus(f) + lambda max ||grad D(x)||^2, "
                  "x on lines;  L_G = E softplus(-f)",
       .paper = "Zhou et al. 2019, Lipschitz Generative Adversarial Nets, arXiv:1902.05687, "
                "with softplus for its increasing convex functions",
       .make =
           [](const O& o) {
             return Objective{.loss = non_saturating_loss(1 - o.number("label-smoothing")),
                              .penalties = {{worst_of(zero_centered()), on_lines(), 1.0}},
                              .schedule = dcgan_schedule()};
           },
       .settings = {{"label-smoothing", 0.0}},
       .rates = "The paper's own weight and rates were not found. Here lambda 1 and Adam 2e-4 (0.5, 0.999) "
                "of Radford et al. 2015.",
       .note = "The penalty sees the steepest of a batch's points only, as an estimate of D's Lipschitz "
               "constant."},
      {.name = "wgan-div",
       .formula =
           "L_D = E f - E r + lambda (E ||grad D(x)||^6 + E ||grad D(G(z))||^6), lambda = k / 2;  L_G = -E f",
       .paper = "Wu et al. 2018, Wasserstein Divergence for GANs, arXiv:1712.01026; k = 2, p = 6",
       .make =
           [](const O&) {
             return Objective{.loss = wasserstein_loss(),
                              .penalties = {{power(6), at_real(), 1.0}, {power(6), at_fake(), 1.0}},
                              .schedule = schedule(5, adam(2e-4, 0.5, 0.999))};
           },
       .rates = "The paper's k 2 and p 6. Its rates were not found: here Adam 2e-4 (0.5, 0.999), "
                "those of public code, with the five steps of D of WGAN-GP.",
       .note =
           "Points are the real and the fake samples, each with weight k / 2, as in much public code. "
           "The paper's algorithm 1 draws them on lines between the two, which its theorem allows as well: "
           "penalties = {{power(6), on_lines(), 2.0}}."},
  };
  return rows;
}

}  // namespace duel::gan::detail
