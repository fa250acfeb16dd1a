// The 30 lines that a user writes first: a GAN with the R1 penalty learns where a cloud of points lies.
#include <cstdio>

#include "duel/duel.h"

using namespace duel;

int main() {
  manual_seed(1);
  nn::Sequential g(nn::Linear(8, 64), nn::ReLU(), nn::Linear(64, 2));
  nn::Sequential d(nn::Linear(2, 64), nn::LeakyReLU(0.2), nn::Linear(64, 1));
  nn::Adam opt_g(g, {.lr = 1e-3, .betas = {0.5, 0.9}}), opt_d(d, {.lr = 1e-3, .betas = {0.5, 0.9}});
  Generator random(2);
  for (int step = 0; step < 3000; ++step) {
    Tensor real = random.normal({64, 2}, 0, 0.1) + Tensor::ones({64, 2});
    Tensor fake = g(random.normal({64, 8})).detach();
    Tensor r1 = gan::gradient_penalty(d, real, gan::zero_centered(), 1.0).value;  // differentiates a gradient
    // passes one after the other: C++ orders those of one expression as it likes
    Tensor on_real = d(real), on_fake = d(fake);
    Tensor loss_d = bce_with_logits(on_real, 1.0) + bce_with_logits(on_fake, 0.0) + r1;
    opt_d.step(grad({loss_d}, d.parameters()));
    Tensor loss_g = bce_with_logits(d(g(random.normal({64, 8}))), 1.0);
    opt_g.step(grad({loss_g}, g.parameters()));
  }
  Tensor centre = mean(g(random.normal({1000, 8})), {0});
  std::printf("centre of 1000 samples: %.2f %.2f; of the data: 1 1\n", centre.to_vector<float>()[0],
              centre.to_vector<float>()[1]);
  return mean(abs(centre - 1.0)).item() < 0.2 ? 0 : 1;
}
