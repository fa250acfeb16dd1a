// Rows: known losses, with the players moving or seeing otherwise.
#include "duel/gan/objective/rows/objective_rows.h"

namespace duel::gan::detail {

const Rows& dynamics_rows() {
  using O = ObjectiveOverrides;
  static const Rows rows = {
      {.name = "pacgan",
       .formula = "as ns-gan, with D(x_1, ..., x_m) of m samples at once, all real or all fake; m = 2",
       .paper = "Lin et al. 2018, PacGAN: The power of two samples in generative adversarial networks, "
                "arXiv:1712.04086",
       .make =
           [](const O& o) {
             Schedule s = dcgan_schedule();
             s.packing = 2;
             return Objective{.loss = non_saturating_loss(1 - o.number("label-smoothing")), .schedule = s};
           },
       .settings = {{"label-smoothing", 0.0}},
       .rates = "The paper's Stacked MNIST run: Adam 2e-4 (0.5, 0.999) with two steps of G per step of D. "
                "Here one, as in ns-gan, so that packing is all that differs; "
                "--generator-steps 2 is the paper's."},
      {.name = "unrolled",
       .formula = "L_D = E softplus(-r) + E softplus(f);  L_G = -L_D at D after k more of its own steps, "
                  "differentiated through them",
       .paper = "Metz et al. 2017, Unrolled Generative Adversarial Networks, arXiv:1611.02163, eq. 9; "
                "k and rates of its ring example",
       .make =
           [](const O& o) {
             Schedule s{.d = adam(1e-4, 0.5, 0.999), .g = adam(1e-3, 0.5, 0.999)};
             s.unroll = 5;
             return Objective{.loss = saddle_loss(minimax_loss(1 - o.number("label-smoothing"))),
                              .schedule = s};
           },
       .settings = {{"label-smoothing", 0.0}},
       .note = "Made for small networks (--arch mlp): every step of G differentiates through k steps of D."},
      {.name = "consensus",
       .formula = "L_D + gamma R and L_G + gamma R, R = (||grad_D L_D||^2 + ||grad_G L_G||^2) / 2, "
                  "with the losses of ns-gan, both moved at once",
       .paper =
           "Mescheder et al. 2017, The Numerics of GANs, arXiv:1705.10461, algorithm 2; rate of its code",
       .make =
           [](const O& o) {
             Schedule s = schedule(1, rmsprop(1e-4));
             s.update = Update::consensus;
             return Objective{.loss = non_saturating_loss(1 - o.number("label-smoothing")),
                              .schedule = s,
                              .batch_norm_in_d = false};
           },
       .settings = {{"label-smoothing", 0.0}},
       .rates =
           "The paper's mixtures of Gaussians: gamma 10. Here gamma 0.1 and D without batch norm: with 10, "
           "or with batch norm, dcgan on digits hardly moves.",
       .note = "Every update differentiates twice through both networks."},
  };
  return rows;
}

}  // namespace duel::gan::detail
