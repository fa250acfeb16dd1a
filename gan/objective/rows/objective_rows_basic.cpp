// Rows: the classic losses with their penalties and constraints.
#include "duel/gan/objective/rows/objective_rows.h"

namespace duel::gan::detail {

const Rows& basic_rows() {
  using O = ObjectiveOverrides;
  static const Rows rows = {
      {.name = "gan",
       .formula = "L_D = E softplus(-r) + E softplus(f);  L_G = -E softplus(f)",
       .paper = "Goodfellow et al. 2014, Generative Adversarial Nets, arXiv:1406.2661, eq. 1",
       .make =
           [](const O& o) {
             return Objective{.loss = minimax_loss(1 - o.number("label-smoothing")),
                              .schedule = dcgan_schedule(),
                              .batch_norm_in_d = false};
           },
       .settings = {{"label-smoothing", 0.0}},
       .rates = "The paper's MNIST code: SGD 0.1 with momentum 0.5 rising to 0.7 and a rate that decays, "
                "for maxout networks with dropout. Here Adam 2e-4 (0.5, 0.999), those of Radford et al. "
                "2015 for the convolutions that Duel's networks have.",
       .note = "Saturating: where D is sure of a fake, G's gradient vanishes (Arjovsky & Bottou 2017, "
               "arXiv:1701.04862). D has no batch norm unless asked for (the paper's has none): "
               "with it D tells one batch from the other at once and dcgan stays blank."},
      {.name = "ns-gan",
       .formula = "L_D = E softplus(-r) + E softplus(f);  L_G = E softplus(-f)",
       .paper = "Goodfellow et al. 2014, section 3",
       .make =
           [](const O& o) {
             return Objective{.loss = non_saturating_loss(1 - o.number("label-smoothing")),
                              .schedule = dcgan_schedule()};
           },
       .settings = {{"label-smoothing", 0.0}},
       .rates = "The paper's MNIST code: SGD 0.1 with momentum 0.5 rising to 0.7 and a rate that decays, "
                "for maxout networks with dropout. Here Adam 2e-4 (0.5, 0.999), those of Radford et al. "
                "2015 for the convolutions that Duel's networks have."},
      {.name = "wgan",
       .formula = "L_D = E f - E r, |w| <= c;  L_G = -E f",
       .paper = "Arjovsky et al. 2017, Wasserstein GAN, arXiv:1701.07875, algorithm 1",
       .make =
           [](const O&) {
             return Objective{.loss = wasserstein_loss(),
                              .constraint = {.weight_clip = 0.01},
                              .schedule = schedule(5, rmsprop(5e-5))};
           },
       .note = "Optimizers with momentum were unstable here (section 4): RMSProp, or Adam with beta1 0."},
      {.name = "wgan-gp",
       .formula = "L_D = E f - E r + lambda E (||grad D(x)|| - K)^2, x on lines;  L_G = -E f",
       .paper = "Gulrajani et al. 2017, Improved Training of Wasserstein GANs, arXiv:1704.00028; "
                "Adam's betas of its MNIST code",
       .make =
           [](const O&) {
             return Objective{.loss = wasserstein_loss(),
                              .penalties = {{one_centered(1.0), on_lines(), 10.0}},
                              .schedule = schedule(5, adam(1e-4, 0.5, 0.9))};
           },
       .rates =
           "Algorithm 1 of the paper: Adam 1e-4 (0, 0.9). Here beta1 0.5, which the authors' MNIST code has. "
           "Both: lambda 10 on images; their toy code has 0.1, as duel lab ring and grid."},
      {.name = "wgan-lp",
       .formula = "L_D = E f - E r + lambda E max(0, ||grad D(x)|| - K)^2, x on lines;  L_G = -E f",
       .paper = "Petzka et al. 2018, On the regularization of Wasserstein GANs, arXiv:1709.08894",
       .make =
           [](const O&) {
             return Objective{.loss = wasserstein_loss(),
                              .penalties = {{one_sided(1.0), on_lines(), 10.0}},
                              .schedule = schedule(5, adam(1e-4, 0.5, 0.9))};
           }},
      {.name = "lsgan",
       .formula = "L_D = E (r - b)^2 / 2 + E (f - a)^2 / 2;  L_G = E (f - c)^2 / 2;  a, b, c = 0, 1, 1",
       .paper = "Mao et al. 2016, Least Squares GAN, arXiv:1611.04076, eq. 9",
       .make =
           [](const O& o) {
             return Objective{.loss = least_squares_loss(o.number("label-a"), o.number("label-b"),
                                                         o.number("label-c"), o.number("square-weight")),
                              .schedule = dcgan_schedule()};
           },
       .settings = {{"label-a", 0}, {"label-b", 1}, {"label-c", 1}, {"square-weight", 0.5}}},
      {.name = "lsgan-pearson",
       .formula = "as lsgan with a, b, c = -1, 1, 0: the Pearson chi-squared divergence",
       .paper = "Mao et al. 2016, eq. 8",
       .make =
           [](const O& o) {
             return Objective{.loss = least_squares_loss(o.number("label-a"), o.number("label-b"),
                                                         o.number("label-c"), o.number("square-weight")),
                              .schedule = dcgan_schedule()};
           },
       .settings = {{"label-a", -1}, {"label-b", 1}, {"label-c", 0}, {"square-weight", 0.5}}},
      {.name = "dragan",
       .formula = "L_D = E softplus(-r) + E softplus(f) + lambda E (||grad D(x)|| - K)^2, "
                  "x around real data;  L_G = E softplus(-f)",
       .paper = "Kodali et al. 2017, On Convergence and Stability of GANs, arXiv:1705.07215; "
                "sampling of its DRAGAN.ipynb",
       .make =
           [](const O& o) {
             return Objective{.loss = non_saturating_loss(1 - o.number("label-smoothing")),
                              .penalties = {{one_centered(1.0), around_real(), 10.0}},
                              .schedule = schedule(1, adam(1e-4, 0.5, 0.9))};
           },
       .settings = {{"label-smoothing", 0.0}}},
      {.name = "dragan-two-sided",
       .formula = "as dragan, with points on both sides of real data, clipped to [-1, 1]",
       .paper = "Kodali et al. 2017, arXiv:1705.07215, in the form of later public code, with its rates",
       .make =
           [](const O& o) {
             return Objective{.loss = non_saturating_loss(1 - o.number("label-smoothing")),
                              .penalties = {{one_centered(1.0), around_real_two_sided(), 10.0}},
                              .schedule = dcgan_schedule()};
           },
       .settings = {{"label-smoothing", 0.0}},
       .rates = "The paper's notebook: Adam 1e-4 (0.5, 0.9). Here Adam 2e-4 (0.5, 0.999) "
                "of the public code that draws points so.",
       .note = "alpha is drawn from [-1, 1) where the authors' notebook draws from [0, 1): noise of U[0, 1) "
               "per pixel then darkens as often as it brightens."},
      {.name = "hinge",
       .formula = "L_D = E relu(1 - r) + E relu(1 + f);  L_G = -E f",
       .paper = "Lim & Ye 2017, Geometric GAN, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957",
       .make = [](const O&) { return Objective{.loss = hinge_loss_pair(), .schedule = dcgan_schedule()}; },
       .rates = "Lim & Ye: RMSProp 2e-4 and ten steps of G per step of D, which is geometric-gan here. "
                "Miyato et al.: Adam 2e-4 (0, 0.9) and five steps of D, with spectral norm, which is sngan. "
                "Here the loss alone, at the rates and steps of ns-gan, to compare the two losses."},
      {.name = "hinge-v1",
       .formula = "L_D = E relu(1 - r) + E relu(1 + f);  L_G = E relu(1 - f)",
       .paper =
           "D as in Lim & Ye 2017, arXiv:1705.02894; G's margin as in Zhao et al. 2016, arXiv:1609.03126, "
           "and in public collections",
       .make = [](const O&) { return Objective{.loss = hinge_margin_loss(), .schedule = dcgan_schedule()}; },
       .rates = "Lim & Ye: RMSProp 2e-4 and ten steps of G per step of D. Here the loss alone, "
                "at the rates and steps of ns-gan, to compare the two losses.",
       .note = "A fake beyond the margin gives G no gradient at all."},
      {.name = "geometric-gan",
       .formula = "L_D = E relu(1 - r) + E relu(1 + f);  L_G = -E f;  10 steps of G per step of D",
       .paper = "Lim & Ye 2017, Geometric GAN, arXiv:1705.02894; rates of its MNIST code",
       .make =
           [](const O&) {
             Schedule s = schedule(1, rmsprop(2e-4));
             s.generator_steps = 10;
             return Objective{.loss = hinge_loss_pair(), .schedule = s};
           },
       .note =
           "The code's weight decay on D's last layer, the soft-margin term of its SVM view, is left out."},
  };
  return rows;
}

}  // namespace duel::gan::detail
