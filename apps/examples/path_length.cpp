// Path-length regularisation of G (StyleGAN2: Karras et al. 2020, arXiv:1912.04958, equation 4) as a term of one's own
// in the trainer: it asks G, draws noise, and remembers a mean, all of which checkpoints hold. (Duel's own is `--path-length`,
// gan/objective/regularisers/regularisers.h; this is how one is written.)
//
//   build/examples/path_length [STEPS]
#include <cmath>
#include <cstdio>

#include "duel/duel.h"

using namespace duel;       // NOLINT: an example
using namespace duel::gan;  // NOLINT

/// weight * E (|J^T y| - a)^2, y normal, J the Jacobian of G in its input and a the mean length so far: a step of fixed
/// size in the latent moves the image by as much everywhere. J^T y is one walk back; its own gradient a second one.
Term own_path_length(double weight, double decay = 0.01) {
  return {.name = "own_path_length",
          .weight = weight,
          .value =
              [decay](const Round& round) {
                const Tensor z = round.latents.detach().set_requires_grad(true);
                const Tensor images = (*round.generator)(z);
                const double pixels = static_cast<double>(images.size(2) * images.size(3));
                const Tensor y =
                    default_generator().normal(images.shape(), 0, 1, images.options()) / std::sqrt(pixels);
                const Tensor jy = grad({sum(images * y)}, {z}, {}, {.create_graph = true})[0];
                const Tensor lengths = sample_norm(jy, 1e-12);
                const Tensor mean_length = round.memory[0];  // moved, and a constant of this step
                {
                  NoGrad off;
                  mean_length.copy_(mean_length + (lengths.mean() - mean_length) * decay);
                }
                return mean(square(lengths - mean_length.detach().clone()));
              },
          .memory = {Tensor::zeros({})}};
}

int main(int argc, char** argv) try {
  Objective objective = named_objective("r1");
  objective.g_terms = {own_path_length(2.0)};
  Generator weights(/*seed=*/1);
  const Networks networks =
      make_networks({.arch = "mlp", .channels_g = 64, .channels_d = 64}, objective, weights);
  Trainer trainer(networks, objective, std::make_shared<ResidentData>(draw_digits(512, 1)), {.batch = 32});
  const int steps = argc > 1 ? parsed<int>("path_length", "STEPS", argv[1]) : 20;
  for (int i = 0; i < steps; ++i) trainer.step(i + 1 == steps);
  const Metrics m = trainer.metrics();
  std::printf("path_length: %lld iterations, loss of D %.4f, of G %.4f, mean length %.5f\n",
              static_cast<long long>(m.iteration), m.loss_d, m.loss_g,
              trainer.state().find("terms_g.own_path_length.0")->item());
  return std::fflush(stdout) == 0 ? 0 : 1;
} catch (const Error& error) {
  std::fprintf(stderr, "path_length: %s\n", error.what());
  return 2;
}
