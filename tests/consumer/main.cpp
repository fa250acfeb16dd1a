// The 30 lines that a user writes first: a WGAN-GP on a cloud of points, with the library's parts.
#include <cmath>
#include <cstdio>

#include "duel/core/autograd.h"
#include "duel/core/ops.h"
#include "duel/core/random.h"
#include "duel/gan/penalty.h"
#include "duel/nn/layers.h"
#include "duel/nn/optim.h"

using namespace duel;

int main() {
  manual_seed(1);
  nn::Sequential g(nn::Linear(8, 64), nn::ReLU(), nn::Linear(64, 2));
  nn::Sequential d(nn::Linear(2, 64), nn::LeakyReLU(0.2), nn::Linear(64, 1));
  nn::Adam opt_g(g, {.lr = 1e-3, .betas = {0.5, 0.9}}), opt_d(d, {.lr = 1e-3, .betas = {0.5, 0.9}});
  Generator random(2);
  double loss = 0;
  for (int step = 0; step < 200; ++step) {
    Tensor real = random.normal({64, 2}, 0, 0.1) + Tensor::ones({64, 2});
    Tensor fake = g(random.normal({64, 8})).detach();
    Tensor x = gan::line_points(real, fake, random.uniform({64}));
    Tensor loss_d = mean(d(fake)) - mean(d(real)) + gan::gradient_penalty(d, x, gan::one_centered(), 10.0).value;
    opt_d.step(grad({loss_d}, d.parameters(), {}, {.allow_unused = true}));
    Tensor loss_g = -mean(d(g(random.normal({64, 8}))));
    opt_g.step(grad({loss_g}, g.parameters()));
    loss = loss_d.item();
  }
  std::printf("loss of the critic after 200 steps: %.4f\n", loss);
  return std::isfinite(loss) ? 0 : 1;
}
