// Self-attention in both networks (SAGAN: Zhang et al. 2019, arXiv:1805.08318), with spectral norm and the hinge
// loss: a block of one's own, made of batched matrix products, between ordinary layers. (nn::SelfAttention2d is Duel's own, and
// `duel train --arch sagan` the network.)
//
//   build/examples/attention [STEPS]
#include <cstdio>

#include "duel/duel.h"

using namespace duel;       // NOLINT: an example
using namespace duel::gan;  // NOLINT

/// x + gamma * o(attention(x)), gamma 0 at first: every place of an image may look at every other (equations 1 to 3).
struct SelfAttention : nn::Module {
  explicit SelfAttention(int64_t width) : channels(width) {}
  int64_t channels;
  std::shared_ptr<nn::Module> query = one_by_one("query", channels, channels / 8),
                              key = one_by_one("key", channels, channels / 8),
                              value = one_by_one("value", channels, channels / 2),
                              out = one_by_one("out", channels / 2, channels);
  Tensor gamma = register_parameter("gamma", Tensor::zeros({1}));

  std::shared_ptr<nn::Module> one_by_one(const std::string& name, int64_t in, int64_t out_channels) {
    return register_module(name, nn::SpectralNorm(nn::Conv2d(in, out_channels, 1)));
  }
  Tensor forward(const Tensor& x) override {
    const int64_t n = x.size(0), places = x.size(2) * x.size(3);
    const auto flat = [&](const Tensor& t) { return t.reshape({n, t.size(1), places}); };
    const Tensor q = flat((*query)(x)), k = flat((*key)(x)), v = flat((*value)(x));
    const Tensor weights = matmul(q, k, /*transpose_a=*/true).softmax(-1);  // [N, places, places]
    const Tensor seen = matmul(v, weights, false, /*transpose_b=*/true);    // [N, channels / 2, places]
    return x + gamma * (*out)(seen.reshape({n, channels / 2, x.size(2), x.size(3)}));
  }
};

int main(int argc, char** argv) try {
  constexpr int64_t kLatent = 32, kWidth = 32;
  const auto up = [](int64_t in, int64_t out) {
    return nn::SpectralNorm(nn::ConvTranspose2d(in, out, 4, {.stride = 2, .padding = 1}));
  };
  const auto down = [](int64_t in, int64_t out) {
    return nn::SpectralNorm(nn::Conv2d(in, out, 4, {.stride = 2, .padding = 1}));
  };
  manual_seed(1);                                                  // of the first weights
  const auto attention = std::make_shared<SelfAttention>(kWidth);  // of D
  Networks nets{
      .generator = std::make_shared<nn::Sequential>(
          nn::SpectralNorm(nn::Linear(kLatent, 2 * kWidth * 7 * 7)), nn::Unflatten({2 * kWidth, 7, 7}),
          nn::BatchNorm2d(2 * kWidth), nn::ReLU(), up(2 * kWidth, kWidth), nn::BatchNorm2d(kWidth),
          nn::ReLU(), SelfAttention(kWidth), up(kWidth, 1), nn::Tanh()),
      .discriminator = std::make_shared<nn::Sequential>(
          down(1, kWidth), nn::LeakyReLU(0.1), attention, down(kWidth, 2 * kWidth), nn::LeakyReLU(0.1),
          nn::Flatten(), nn::SpectralNorm(nn::Linear(2 * kWidth * 7 * 7, 1))),
      .latent = {.noise = kLatent}};
  // The paper's rates: D four times as fast as G.
  const Objective hinge =
      named_objective("hinge", {{"lr-g", 1e-4}, {"lr-d", 4e-4}, {"beta1", 0.0}, {"beta2", 0.9}});
  Trainer trainer(nets, hinge, std::make_shared<ResidentData>(draw_digits(512, 1)), {.batch = 16});
  const int steps = argc > 1 ? parsed<int>("attention", "STEPS", argv[1]) : 20;
  for (int i = 0; i < steps; ++i) trainer.step(i + 1 == steps);
  const Metrics m = trainer.metrics();
  std::printf("attention: %lld iterations, loss of D %.4f, of G %.4f, gamma of D %.6f\n",
              static_cast<long long>(m.iteration), m.loss_d, m.loss_g, attention->gamma.item());
  return std::fflush(stdout) == 0 ? 0 : 1;
} catch (const Error& error) {
  std::fprintf(stderr, "attention: %s\n", error.what());
  return 2;
}
