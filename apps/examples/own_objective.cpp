// An objective of one's own, composed from outside the library: a loss that no paper has, two gradient
// penalties and a constraint, trained on drawn digits for a moment. The parts know nothing of each other:
// each could be replaced.
//
//   build/examples/own_objective [STEPS]
#include <cstdio>

#include "duel/core/ops.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/train/trainer.h"
#include "duel/kernels/base/settings.h"

using namespace duel;       // NOLINT: an example
using namespace duel::gan;  // NOLINT

int main(int argc, char** argv) try {
  // The loss: four terms on raw logits. This one is bounded: tanh keeps any single sample from pulling hard.
  const auto pull = [](double sign) { return [sign](const Tensor& x) { return mean(tanh(x * sign)); }; };
  Objective mine{.name = "bounded", .loss = {"tanh", pull(-1), pull(1), pull(-1), pull(1)}};
  // Two penalties: the gradient near 1 on lines, and small at real data in the worst case.
  mine.penalties = {{one_centered(1.0), on_lines(), 5.0}, {worst_of(zero_centered()), at_real(), 0.1}};
  // A constraint, an own term, and a schedule.
  mine.constraint.spectral_norm = true;
  mine.g_terms = {{.name = "brightness", .weight = 0.1, .reads_real = true, .value = [](const Round& round) {
                     return square(mean(round.fake.samples) - mean(round.real.samples));
                   }}};
  mine.schedule.critic_steps = 2;
  mine.schedule.d.beta1 = mine.schedule.g.beta1 = 0.0;

  Generator weights(/*seed=*/1);
  const Networks networks = make_networks({.arch = "mlp", .channels_g = 64, .channels_d = 64}, mine, weights);
  Trainer trainer(networks, mine, std::make_shared<ResidentData>(draw_digits(512, 1)), {.batch = 32});
  const int steps = argc > 1 ? parsed<int>("own_objective", "STEPS", argv[1]) : 20;
  for (int i = 0; i < steps; ++i) trainer.step(i + 1 == steps);
  const Metrics m = trainer.metrics();
  std::printf("%s: %lld iterations, loss of D %.4f, of G %.4f, penalty %.4f\n", mine.name.c_str(),
              static_cast<long long>(m.iteration), m.loss_d, m.loss_g, m.penalty);
  return std::fflush(stdout) == 0 ? 0 : 1;
} catch (const Error& error) {
  std::fprintf(stderr, "own_objective: %s\n", error.what());
  return 2;
}
