// Rows: distances between the distributions of what D says: integral probability metrics beyond Wasserstein's.
#include "duel/gan/objective/distances/embedding.h"
#include "duel/gan/objective/distances/fisher.h"
#include "duel/gan/objective/distances/sliced.h"
#include "duel/gan/objective/rows/objective_rows.h"

namespace duel::gan::detail {

const Rows& distance_rows() {
  using O = ObjectiveOverrides;
  static const Rows rows = {
      {.name = "fisher-gan",
       .formula =
           "L_D = E f - E r + l (O - 1) + rho / 2 (O - 1)^2;  L_G = -E f;  O = E r^2 / 2 + E f^2 / 2;  "
           "l += rho (O - 1) with each step of D",
       .paper = "Mroueh & Sercu 2017, Fisher GAN, arXiv:1705.09675, equation 9 and algorithm 1; "
                "rates of the authors' code",
       .make =
           [](const O& o) {
             return Objective{.loss = wasserstein_loss(),
                              .d_terms = {second_moment(o.number("rho"))},
                              .schedule = schedule(2, adam(2e-4, 0.5, 0.999))};
           },
       .settings = {{"rho", 1e-6}},
       .note = "Logits grow until the multiplier holds them, for some thousand steps at rho 1e-6: only their "
               "difference over the root of O, which starts at any size, means something."},
      {.name = "mmd-gan",
       .formula =
           "L_D = -M + lambda E (||grad w(x)|| - K)^2, x on lines;  L_G = M;  M = E k(r, r') + E k(f, f') - 2 E k(r, f);  "
           "w(x) = E k(D(x), r) - E k(D(x), f);  k(a, b) = sum of (1 + |a - b|^2 / (2 s))^-s over s = 0.2, 0.5, 1, 2, 5",
       .paper =
           "Binkowski et al. 2018, Demystifying MMD GANs, arXiv:1801.01401; Li et al. 2017, MMD GAN, arXiv:1705.08584",
       .make =
           [](const O& o) {
             return Objective{.loss = mmd_loss(rational_quadratic({0.2, 0.5, 1, 2, 5})),
                              .penalties = {{one_centered(1.0), on_lines(), 1.0}},
                              .schedule = schedule(5, adam(1e-4, 0.5, 0.9)),
                              .critic = CriticKind::embedding,
                              .embedding = o.integer("embedding")};
           },
       .settings = {{"embedding", int64_t{16}}},
       .note =
           "The paper's kernel for photographs adds <a, b>, and its rates fall as the kernel distance of samples stops "
           "falling; both are left out."},
      {.name = "mmd-gan-rep",
       .formula =
           "L_D = E k(r, r') - E k(f, f'), no |r - r'|^2 above 4 nor |f - f'|^2 below 0.25 counting as such;  "
           "L_G = E k(r, r') + E k(f, f') - 2 E k(r, f);  k(a, b) = exp(-|a - b|^2 / 2)",
       .paper =
           "Wang, Sun & Halgamuge 2019, Improving MMD-GAN Training with Repulsive Loss Function, arXiv:1812.09916; "
           "rates of the authors' my_test_cifar.py",
       .make =
           [](const O& o) {
             Schedule s = schedule(1, adam(2e-4, 0.5, 0.999));
             s.g.lr = 5e-4;
             return Objective{.loss = repulsive_loss(),
                              .constraint = {.spectral_norm = true},
                              .schedule = s,
                              .critic = CriticKind::embedding,
                              .embedding = o.integer("embedding")};
           },
       .settings = {{"embedding", int64_t{16}}},
       .note =
           "The paper's power iteration is of each convolution, and each layer is scaled up; here it is of the weight as a "
           "matrix, as in sngan, and no layer is scaled, so that embeddings lie nearer together."},
      {.name = "cramer-gan",
       .formula =
           "L_D = E w(G(z)) - E w(x) + lambda E (||grad w(x)|| - K)^2, x on lines;  L_G = 2 E |r - f| - E |f - f'|;  "
           "w(x) = E |D(x) - f| - |D(x)|",
       .paper =
           "Bellemare et al. 2017, The Cramer Distance as a Solution to Biased Wasserstein Gradients, arXiv:1705.10743, "
           "algorithm 1",
       .make =
           [](const O& o) {
             return Objective{.loss = cramer_loss(),
                              .penalties = {{one_centered(1.0), on_lines(), 10.0}},
                              .schedule = schedule(5, adam(1e-4, 0.5, 0.9)),
                              .critic = CriticKind::embedding,
                              .embedding = o.integer("embedding")};
           },
       .settings = {{"embedding", int64_t{256}}},
       .note =
           "Where the paper draws one independent fake, every other fake of the batch is one here. Binkowski et al. 2018 "
           "(arXiv:1801.01401) discuss what w's |D(x)|, a distance to 0 in place of one to real samples, may miss."},
      {.name = "sliced-wasserstein",
       .formula =
           "L_D = E softplus(-r) + E softplus(f);  L_G = mean over directions u of W(u)^2;  W(u): 2-Wasserstein distance of "
           "<u, phi(x)> and <u, phi(G(z))>, matched in order;  phi: what D's last layer sees",
       .paper =
           "Deshpande, Zhang & Schwing 2018, Generative Modeling using the Sliced Wasserstein Distance, arXiv:1803.11188",
       .make =
           [](const O& o) {
             return Objective{.loss = sliced_wasserstein_loss(o.integer("directions")),
                              .schedule = schedule(1, adam(1e-4, 0.5, 0.999))};
           },
       .settings = {{"directions", int64_t{256}}},
       .note =
           "The authors' swg.py has 10,000 directions, uniform latents, and G's step before D's. Here 256: their mean "
           "is of the same expectation, and the projections of 10,000 would be most of an iteration on a CPU."},
  };
  return rows;
}

}  // namespace duel::gan::detail
