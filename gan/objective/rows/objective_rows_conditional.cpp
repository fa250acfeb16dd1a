// Rows: class labels and codes.
#include "duel/gan/objective/conditional.h"
#include "duel/gan/objective/rows/objective_rows.h"

namespace duel::gan::detail {

const Rows& conditional_rows() {
  using O = ObjectiveOverrides;
  static const Rows rows = {
      {.name = "cgan",
       .formula = "L_D = E softplus(-D(x, y)) + E softplus(D(G(z, y), y));  L_G = E softplus(-D(G(z, y), y))",
       .paper = "Mirza & Osindero 2014, Conditional Generative Adversarial Nets, arXiv:1411.1784",
       .make =
           [](const O& o) {
             return Objective{.loss = non_saturating_loss(1 - o.number("label-smoothing")),
                              .schedule = dcgan_schedule(),
                              .critic = CriticKind::label_input};
           },
       .settings = {{"label-smoothing", 0.0}},
       .rates =
           "The paper: SGD 0.1 falling, with momentum 0.5 rising to 0.7, for maxout networks with dropout. "
           "Here Adam 2e-4 (0.5, 0.999) of Radford et al. 2015 for the convolutions that Duel's networks "
           "have.",
       .note = "D sees the label as one-hot planes beside the image (mlp: columns), G as columns beside z."},
      {.name = "acgan",
       .formula = "L_D = E softplus(-r) + E softplus(f) + w (CE(y | x) + CE(y | G(z, y)));  "
                  "L_G = E softplus(-f) + w CE(y | G(z, y))",
       .paper =
           "Odena et al. 2017, Conditional Image Synthesis with Auxiliary Classifier GANs, arXiv:1610.09585, "
           "eq. 2, 3",
       .make =
           [](const O& o) {
             return Objective{.loss = non_saturating_loss(1 - o.number("label-smoothing")),
                              .d_terms = {class_term_d(o.number("class-weight"))},
                              .g_terms = {class_term_g(o.number("class-weight"))},
                              .schedule = dcgan_schedule(),
                              .critic = CriticKind::class_head};
           },
       .settings = {{"label-smoothing", 0.0}, {"class-weight", 1.0}},
       .note = "The class head rewards samples that are easy to classify: classes may lose diversity."},
      {.name = "projection",
       .formula =
           "L_D = E relu(1 - D(x, y)) + E relu(1 + D(G(z, y), y)), every weight of D divided by its largest "
           "singular value;  L_G = -E D(G(z, y), y);  D(x, y) = psi(phi(x)) + <embed(y), phi(x)>",
       .paper =
           "Miyato & Koyama 2018, cGANs with Projection Discriminator, arXiv:1802.05637, eq. 3 and section 4",
       .make =
           [](const O&) {
             return Objective{.loss = hinge_loss_pair(),
                              .constraint = {.spectral_norm = true},
                              .schedule = schedule(5, adam(2e-4, 0.0, 0.9)),
                              .critic = CriticKind::projection,
                              .batch_norm_in_d = false};
           },
       .note =
           "Spectral norm in every layer of D, the embedding too. The paper's G has a batch norm per class; "
           "here G is given the label beside z."},
      {.name = "infogan",
       .formula = "L_D = E softplus(-r) + E softplus(f) + w C;  L_G = E softplus(-f) + w C;  "
                  "C = -E log Q(c | G(z, c)): cross-entropy, and (c - mean)^2 / 2 for continuous codes",
       .paper = "Chen et al. 2016, InfoGAN, arXiv:1606.03657, eq. 5, 6; rates and variance of its MNIST code",
       .make =
           [](const O& o) {
             Codes codes{.categorical = {}, .continuous = o.integer("code-values")};
             if (o.integer("code-classes") > 0) codes.categorical = {o.integer("code-classes")};
             const Term information = information_term(codes, o.number("info-weight"));
             return Objective{.loss = non_saturating_loss(1 - o.number("label-smoothing")),
                              .d_terms = {information},
                              .g_terms = {information},
                              .schedule = {.d = adam(2e-4, 0.5, 0.999), .g = adam(1e-3, 0.5, 0.999)},
                              .critic = CriticKind::code_head,
                              .codes = codes,
                              .noise = NoiseKind::uniform};
           },
       .settings = {{"label-smoothing", 0.0}, {"info-weight", 1.0}, {"code-classes", 10}, {"code-values", 2}},
       .note = "Q shares D's layers and is trained by D's optimizer. The network of the paper is --arch "
               "infogan."},
  };
  return rows;
}

}  // namespace duel::gan::detail
