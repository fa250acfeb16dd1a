// An unrolled GAN by hand (Metz et al. 2017, arXiv:1611.02163) on the ring of eight Gaussians: G's loss is that against
// the D which D's next steps would make, and its gradient flows through those steps.
//
//   build/examples/unrolling [STEPS]
#include <cstdio>

#include "duel/duel.h"

using namespace duel;       // NOLINT: an example
using namespace duel::gan;  // NOLINT

int main(int argc, char** argv) try {
  const int steps = argc > 1 ? parsed<int>("unrolling", "STEPS", argv[1]) : 20;
  constexpr int kAhead = 5;
  constexpr int64_t kBatch = 128, kLatent = 16;
  manual_seed(1);
  nn::Sequential g(nn::Linear(kLatent, 64), nn::Tanh(), nn::Linear(64, 64), nn::Tanh(), nn::Linear(64, 2));
  nn::Sequential d(nn::Linear(2, 64), nn::Tanh(), nn::Linear(64, 1));
  nn::Adam opt_g(g, {.lr = 1e-3, .betas = {0.5, 0.999}}), opt_d(d, {.lr = 1e-3, .betas = {0.5, 0.999}});
  const lab::Mixture ring = lab::make_mixture("ring");
  Generator random(2);
  Tensor loss_d, loss_g;
  for (int step = 0; step < steps; ++step) {
    const Tensor real = ring.sample(kBatch, random), z = random.normal({kBatch, kLatent});
    const auto loss_of_d = [&](const Tensor& fake) {
      const Tensor on_real = d(real), on_fake = d(fake);
      return bce_with_logits(on_real, 1.0) + bce_with_logits(on_fake, 0.0);
    };
    loss_d = loss_of_d(g(z).detach());
    opt_d.step(grad({loss_d}, d.parameters()));

    // D's weights after kAhead more of its steps, as a function of G's: the graph of every step is kept.
    const Tensor fake = g(z);
    nn::FunctionalOptimizer ahead(opt_d);
    std::vector<Tensor> weights;
    for (const Tensor& w : d.parameters()) weights.push_back(w.detach().set_requires_grad(true));
    for (int k = 0; k < kAhead; ++k) {
      std::vector<Tensor> gradients;
      {
        const nn::ScopedParameters there(d.parameters(), weights);
        gradients = grad({loss_of_d(fake)}, weights, {}, {.create_graph = true});
      }
      weights = ahead.step(weights, gradients);
    }
    {
      const nn::ScopedParameters there(d.parameters(), weights);
      loss_g = bce_with_logits(d(fake), 1.0);
    }
    opt_g.step(grad({loss_g}, g.parameters()));
  }
  const Tensor samples = g(random.normal({1000, kLatent}));
  std::printf("unrolling: %d iterations, loss of D %.4f, of G %.4f, deviation of the samples %.3f\n", steps,
              loss_d.item(), loss_g.item(), samples.std().item());
  return std::fflush(stdout) == 0 ? 0 : 1;
} catch (const Error& error) {
  std::fprintf(stderr, "unrolling: %s\n", error.what());
  return 2;
}
