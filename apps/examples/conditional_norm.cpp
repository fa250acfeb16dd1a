// Conditional batch norm and a projection critic (Miyato & Koyama 2018, arXiv:1802.05637): modules of two tensors.
//
//   build/examples/conditional_norm [STEPS]
#include <cstdio>

#include "duel/duel.h"

using namespace duel;       // NOLINT: an example
using namespace duel::gan;  // NOLINT

constexpr int64_t kClasses = 10, kLatent = 32, kWidth = 32, kFeatures = kWidth * 7 * 7;

/// Batch norm whose scale and shift are rows of the label (Dumoulin et al. 2017, arXiv:1610.07629).
struct ConditionalNorm : nn::Module {
  explicit ConditionalNorm(int64_t width) : channels(width) {
    NoGrad off;
    scale->weight.fill_(1);
    shift->weight.fill_(0);
  }
  int64_t channels;
  std::shared_ptr<nn::BatchNorm2d> bn = register_module("bn", nn::BatchNorm2d(channels, {.affine = false}));
  std::shared_ptr<nn::Embedding> scale = register_module("scale", nn::Embedding(kClasses, channels)),
                                 shift = register_module("shift", nn::Embedding(kClasses, channels));
  Tensor forward(const Tensor& x, const Tensor& label) override {
    const auto planes = [&](nn::Embedding& rows) { return rows(label).unsqueeze(2).unsqueeze(3); };
    return (*bn)(x)*planes(*scale) + planes(*shift);
  }
};

struct ConditionalG : nn::Module {
  std::shared_ptr<nn::Linear> in = register_module("in", nn::Linear(kLatent, kFeatures));
  std::shared_ptr<ConditionalNorm> norm1 = register_module("norm1", ConditionalNorm(kWidth)),
                                   norm2 = register_module("norm2", ConditionalNorm(kWidth));
  std::shared_ptr<nn::ConvTranspose2d>
      up1 = register_module("up1", nn::ConvTranspose2d(kWidth, kWidth, 4, {.stride = 2, .padding = 1})),
      up2 = register_module("up2", nn::ConvTranspose2d(kWidth, 1, 4, {.stride = 2, .padding = 1}));
  Tensor forward(const Tensor& z, const Tensor& label) override {
    const Tensor small = relu((*norm1)((*in)(z).reshape({-1, kWidth, 7, 7}), label));
    return tanh((*up2)(relu((*norm2)((*up1)(small), label))));
  }
};

struct ProjectionD : nn::Module {
  std::shared_ptr<nn::Sequential> trunk = register_module(
      "trunk", nn::Sequential(nn::SpectralNorm(nn::Conv2d(1, kWidth, 4, {.stride = 2, .padding = 1})),
                              nn::LeakyReLU(0.1),
                              nn::SpectralNorm(nn::Conv2d(kWidth, kWidth, 4, {.stride = 2, .padding = 1})),
                              nn::LeakyReLU(0.1), nn::Flatten()));
  std::shared_ptr<nn::Module> linear = register_module("linear", nn::SpectralNorm(nn::Linear(kFeatures, 1)));
  std::shared_ptr<nn::Module> rows = register_module("rows", nn::Embedding(kClasses, kFeatures));
  Tensor forward(const Tensor& x, const Tensor& label) override {
    const Tensor features = (*trunk)(x);
    return (*linear)(features) + sum((*rows)(label)*features, 1, /*keep_axes=*/true);
  }
};

int main(int argc, char** argv) try {
  const int steps = argc > 1 ? parsed<int>("conditional_norm", "STEPS", argv[1]) : 20;
  manual_seed(1);  // of the first weights
  ConditionalG g;
  ProjectionD d;
  nn::Adam opt_g(g, {.lr = 2e-4, .betas = {0, 0.9}}), opt_d(d, {.lr = 2e-4, .betas = {0, 0.9}});
  const ResidentData data(draw_digits(512, 1));
  Generator random(2);
  Tensor loss_d, loss_g;
  for (int step = 0; step < steps; ++step) {
    const Tensor index = random.integers({16}, data.count()), label = data.labels(index);
    const Tensor fake = g(random.normal({16, kLatent}), label);
    const Tensor on_real = d(data.batch(index, DType::f32), label), on_fake = d(fake.detach(), label);
    loss_d = hinge_loss(on_real, 1.0) + hinge_loss(on_fake, -1.0);
    opt_d.step(grad({loss_d}, d.parameters()));
    loss_g = -d(fake, label).mean();
    opt_g.step(grad({loss_g}, g.parameters()));
  }
  std::printf("conditional_norm: %d iterations, losses %.4f %.4f\n", steps, loss_d.item(), loss_g.item());
  return std::fflush(stdout) == 0 ? 0 : 1;
} catch (const Error& error) {
  std::fprintf(stderr, "conditional_norm: %s\n", error.what());
  return 2;
}
