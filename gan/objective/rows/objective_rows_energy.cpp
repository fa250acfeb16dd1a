// Rows: critics that are autoencoders.
#include "duel/gan/objective/rows/objective_rows.h"

namespace duel::gan::detail {

const Rows& energy_rows() {
  using O = ObjectiveOverrides;
  static const Rows rows = {
      {.name = "ebgan",
       .formula =
           "L_D = E(x) + max(0, m - E(G(z)));  L_G = E(G(z)) + w PT;  E: "
           "mean squared error of D's reconstruction; PT: mean over i != j of cos^2 of the codes of fakes i "
           "and j",
       .paper =
           "Zhao et al. 2016, Energy-based Generative Adversarial Network, arXiv:1609.03126, eq. 1, 2, 4",
       .make =
           [](const O& o) {
             return Objective{.loss = energy_margin_loss(o.number("margin")),
                              .g_terms = {pull_away_term(o.number("pull-away"))},
                              .schedule = dcgan_schedule(),
                              .critic = CriticKind::squared_error};
           },
       .settings = {{"margin", 0.3}, {"pull-away", 0.1}},
       .rates =
           "The paper searches Adam's rate and the margin on a grid on MNIST. Here Adam 2e-4 (0.5, 0.999) "
           "of Radford et al. 2015.",
       .note =
           "The margin is in units of the mean squared error of pixels in [-1, 1]: "
           "MNIST's mean image has 0.27 on its digits. With 1, G drew no digits in 1500 iterations (dcgan of "
           "width 32, batch 32, one seed); with 0.3 it did."},
      {.name = "began",
       .formula =
           "L_D = E(x) - k E(G(z));  L_G = E(G(z));  k += lambda_k (gamma E(x) - E(G(z))), within [0, 1];  "
           "E: mean absolute error of D's reconstruction",
       .paper = "Berthelot et al. 2017, BEGAN: Boundary Equilibrium Generative Adversarial Networks, "
                "arXiv:1703.10717",
       .make =
           [](const O& o) {
             return Objective{
                 .loss = energy_loss(),
                 .schedule = schedule(1, adam(5e-4, 0.5, 0.999)),
                 .critic = CriticKind::absolute_error,
                 .noise = NoiseKind::uniform,
                 .batch_norm_in_d = false,
                 .equilibrium = Equilibrium{.gamma = o.number("gamma"), .rate = o.number("lambda-k")}};
           },
       .settings = {{"gamma", 0.9}, {"lambda-k", 0.05}},
       .rates =
           "The paper: Adam 1e-4 falling, gamma 0.5, lambda_k 0.001, for long runs on faces. "
           "On MNIST (dcgan, batch 16, one seed each) they left the autoencoder at black images after 2000 "
           "iterations; with rate 5e-4 G drew ones only. Here 5e-4, gamma 0.9, lambda_k 0.05.",
       .note = "Lower gamma: less diverse. With the defaults here ones and sevens are still most of what it "
               "draws after 1500 iterations."},
  };
  return rows;
}

}  // namespace duel::gan::detail
