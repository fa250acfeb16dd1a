// Five networks of the field in Duel, beside torch_nets.py: the same layers, names, losses and steps, timed
// per training step.
//
//   duel_networks NET [--threads 1] [--seconds 4]     prints one line of JSON
//   duel_networks NET --check FILE                    the losses and gradient norms that torch_nets.py --save wrote
//   duel_networks --count                             parameters of all of them against PyTorch's
//
// What Duel has no op for is written with those it has: a batched product is one product per sample; a
// convolution with a kernel per sample is one whose inputs and outputs are scaled per sample.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "duel/core/io/safetensors.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "duel/gan/objective/penalty.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"
#include "duel/nn/layers.h"
#include "duel/nn/optim/optim.h"

using namespace duel;
using namespace duel::nn;

namespace {

constexpr Conv2dOptions kSame{.padding = 1}, kHalve{.stride = 2, .padding = 1}, kPlain{.bias = false};
constexpr ConvTranspose2dOptions kDouble{.stride = 2, .padding = 1};

/// [N, C] as a factor or summand of [N, C, H, W].
Tensor per_channel(const Tensor& x) { return x.reshape({x.dim(0), x.dim(1), 1, 1}); }

struct Attention : Module {
  explicit Attention(int64_t c)
      : query(register_module("query", SpectralNorm(Conv2d(c, c / 8, 1, kPlain)))),
        key(register_module("key", SpectralNorm(Conv2d(c, c / 8, 1, kPlain)))),
        value(register_module("value", SpectralNorm(Conv2d(c, c / 2, 1, kPlain)))),
        out(register_module("out", SpectralNorm(Conv2d(c / 2, c, 1, kPlain)))),
        gamma(register_parameter("gamma", Tensor::zeros({1}))) {}
  Tensor forward(const Tensor& x) override {
    const Tensor q = (*query)(x).flatten(2), k = avg_pool2d((*key)(x), 2).flatten(2),
                 v = avg_pool2d((*value)(x), 2).flatten(2);
    std::vector<Tensor> seen;
    for (int64_t i = 0; i < x.dim(0); ++i) {
      const auto of = [i](const Tensor& all) {
        return slice(all, 0, i, i + 1).reshape({all.dim(1), all.dim(2)});
      };
      seen.push_back(matmul(of(v), softmax(matmul(of(q), of(k), true)), false, true));
    }
    return x + gamma * (*out)(stack(seen).reshape({x.dim(0), v.dim(1), x.dim(2), x.dim(3)}));
  }
  std::shared_ptr<SpectralNorm> query, key, value, out;
  Tensor gamma;
};

enum class Resize { none, up, down };

struct Residual : Module {
  Residual(int64_t c, int64_t side, Resize how, bool layer_norm)
      : resize(how),
        norm1(register_module("norm1", norm(c, side, layer_norm))),
        norm2(register_module("norm2", norm(c, side, layer_norm))),
        conv1(register_module("conv1", Conv2d(c, c, 3, kSame))),
        conv2(register_module("conv2", Conv2d(c, c, 3, kSame))),
        skip(register_module("skip", Conv2d(c, c, 1))) {}
  static std::shared_ptr<Module> norm(int64_t c, int64_t side, bool layer_norm) {
    if (layer_norm) return std::make_shared<LayerNorm>(Shape{c, side, side});
    return std::make_shared<BatchNorm2d>(c);
  }
  Tensor up(const Tensor& x) const { return resize == Resize::up ? upsample_nearest2d(x, 2) : x; }
  Tensor down(const Tensor& x) const { return resize == Resize::down ? avg_pool2d(x, 2) : x; }
  Tensor forward(const Tensor& x) override {
    const Tensor h = (*conv1)(up(relu((*norm1)(x))));
    return down((*conv2)(relu((*norm2)(h)))) + down((*skip)(up(x)));
  }
  Resize resize;
  std::shared_ptr<Module> norm1, norm2;
  std::shared_ptr<Conv2d> conv1, conv2, skip;
};

struct ConditionalNorm : Module {
  ConditionalNorm(int64_t c, int64_t k)
      : bn(register_module("bn", BatchNorm2d(c, {.affine = false}))),
        gain(register_module("gain", Linear(k, c, {.bias = false}))),
        bias(register_module("bias", Linear(k, c, {.bias = false}))) {}
  Tensor forward(const Tensor& x, const Tensor& y) override {
    return (*bn)(x)*per_channel((*gain)(y) + 1.0) + per_channel((*bias)(y));
  }
  std::shared_ptr<BatchNorm2d> bn;
  std::shared_ptr<Linear> gain, bias;
};

struct ConditionalBlock : Module {
  ConditionalBlock(int64_t i, int64_t o, int64_t k)
      : n1(register_module("n1", ConditionalNorm(i, k))),
        n2(register_module("n2", ConditionalNorm(o, k))),
        c1(register_module("c1", Conv2d(i, o, 3, kSame))),
        c2(register_module("c2", Conv2d(o, o, 3, kSame))),
        skip(register_module("skip", Conv2d(i, o, 1))) {}
  Tensor forward(const Tensor& x, const Tensor& y) override {
    const Tensor h = (*c1)(upsample_nearest2d(relu((*n1)(x, y)), 2));
    return (*c2)(relu((*n2)(h, y))) + (*skip)(upsample_nearest2d(x, 2));
  }
  std::shared_ptr<ConditionalNorm> n1, n2;
  std::shared_ptr<Conv2d> c1, c2, skip;
};

struct ConditionalG : Module {
  explicit ConditionalG(int64_t width = 24, int64_t e = 16)
      : w(width),
        shared(register_module("shared", Embedding(10, e))),
        fc(register_module("fc", Linear(e, 2 * w * 49))),
        b1(register_module("b1", ConditionalBlock(2 * w, w, 2 * e))),
        b2(register_module("b2", ConditionalBlock(w, w, 2 * e))),
        bn(register_module("bn", BatchNorm2d(w))),
        out(register_module("out", Conv2d(w, 1, 3, kSame))) {}
  Tensor forward(const Tensor& z, const Tensor& y) override {
    const Tensor label = (*shared)(y);
    const int64_t e = label.dim(1);
    Tensor h = (*fc)(slice(z, 1, 0, e)).reshape({-1, 2 * w, 7, 7});
    h = (*b1)(h, concat({label, slice(z, 1, e, 2 * e)}, 1));
    h = (*b2)(h, concat({label, slice(z, 1, 2 * e, 3 * e)}, 1));
    return tanh((*out)(relu((*bn)(h))));
  }
  int64_t w;
  std::shared_ptr<Embedding> shared;
  std::shared_ptr<Linear> fc;
  std::shared_ptr<ConditionalBlock> b1, b2;
  std::shared_ptr<BatchNorm2d> bn;
  std::shared_ptr<Conv2d> out;
};

Tensor one_hot(const Tensor& labels) {
  const auto of = labels.to_vector<int64_t>();
  std::vector<float> rows(of.size() * 10, 0.0f);
  for (size_t i = 0; i < of.size(); ++i) rows[i * 10 + static_cast<size_t>(of[i])] = 1;
  return Tensor::from(rows, {labels.dim(0), 10});
}

struct ProjectionD : Module {
  explicit ProjectionD(int64_t w = 32)
      : phi(register_module("phi", Sequential(SpectralNorm(Conv2d(1, w, 4, kHalve)), LeakyReLU(0.2),
                                              SpectralNorm(Conv2d(w, 2 * w, 4, kHalve)), LeakyReLU(0.2),
                                              SpectralNorm(Conv2d(2 * w, 4 * w, 3, kSame)), ReLU()))),
        psi(register_module("psi", SpectralNorm(Linear(4 * w, 1)))),
        embed(register_module("embed", SpectralNorm(Linear(10, 4 * w, {.bias = false})))) {}
  Tensor forward(const Tensor& x, const Tensor& labels) override {
    const Tensor h = sum((*phi)(x), {2, 3});
    const Tensor alone = (*psi)(h);
    return alone + sum((*embed)(one_hot(labels)) * h, {1}, true);
  }
  std::shared_ptr<Sequential> phi;
  std::shared_ptr<SpectralNorm> psi, embed;
};

/// A linear layer whose weights are scaled when they are used.
struct Equal : Module {
  Equal(int64_t i, int64_t o, double start = 0, double learning = 1)
      : weight(register_parameter("weight", default_generator().normal({o, i}))),
        bias(register_parameter("bias", Tensor::full({o}, start))),
        scale(learning / std::sqrt(static_cast<double>(i))),
        rate(learning) {}
  Tensor forward(const Tensor& x) override { return linear(x, weight * scale, bias * rate); }
  Tensor weight, bias;
  double scale, rate;
};

/// A convolution with one kernel per sample: weight[o, i] style[n, i], divided by its norm over i and the
/// kernel's places. It is the same as scaling channels before and after a convolution with the common weight.
struct Modulated : Module {
  Modulated(int64_t i, int64_t o, int64_t k, bool demodulated)
      : weight(register_parameter("weight", default_generator().normal({o, i, k, k}))),
        style(register_module("style", Equal(32, i, 1))),
        demodulate(demodulated) {}
  Tensor forward(const Tensor& x, const Tensor& w) override {
    const int64_t k = weight.dim(2);
    const Tensor scaled = weight * (1 / std::sqrt(static_cast<double>(weight.dim(1) * k * k))),
                 s = (*style)(w);
    const Tensor y = conv2d(x * per_channel(s), scaled, {}, {.stride = 1, .padding = k / 2});
    if (!demodulate) return y;
    return y * per_channel(rsqrt(linear(square(s), sum(square(scaled), {2, 3})) + 1e-8));
  }
  Tensor weight;
  std::shared_ptr<Equal> style;
  bool demodulate;
};

struct StyleLayer : Module {
  explicit StyleLayer(int64_t c)
      : conv(register_module("conv", Modulated(c, c, 3, true))),
        strength(register_parameter("strength", Tensor::zeros({}))),
        bias(register_parameter("bias", Tensor::zeros({c}))) {}
  Tensor forward(const Tensor& x, const Tensor& w, const Tensor& noise) override {
    return leaky_relu((*conv)(x, w) + noise * strength + bias.reshape({1, bias.dim(0), 1, 1}), 0.2) *
           std::sqrt(2.0);
  }
  std::shared_ptr<Modulated> conv;
  Tensor strength, bias;
};

struct StyleG : Module {
  explicit StyleG(int64_t c = 32)
      : mapping(register_module("mapping",
                                Sequential(Equal(32, 32, 0, 0.01), LeakyReLU(0.2), Equal(32, 32, 0, 0.01),
                                           LeakyReLU(0.2), Equal(32, 32, 0, 0.01), LeakyReLU(0.2)))),
        constant(register_parameter("constant", default_generator().normal({1, c, 7, 7}))) {
    for (int k = 0; k < 5; ++k) layers->push_back(StyleLayer(c));
    for (int k = 0; k < 3; ++k) gray->push_back(Modulated(c, 1, 1, false));
  }
  Tensor map(const Tensor& z) { return (*mapping)(z / sqrt(mean(square(z), {1}, true) + 1e-8)); }
  Tensor draw(const Tensor& w, const std::vector<Tensor>& noise) {
    Tensor x = (*layers)[0](broadcast_to(constant, constant.shape().with(0, w.dim(0))), w, noise[0]);
    Tensor image = (*gray)[0](x, w);
    for (size_t i = 1; i < 5; i += 2) {
      x = (*layers)[i](upsample_nearest2d(x, 2), w, noise[i]);
      x = (*layers)[i + 1](x, w, noise[i + 1]);
      image = upsample_nearest2d(image, 2) + (*gray)[(i + 1) / 2](x, w);
    }
    return image;
  }
  std::shared_ptr<Sequential> mapping;
  Tensor constant;
  std::shared_ptr<ModuleList> layers = register_module("layers", ModuleList());
  std::shared_ptr<ModuleList> gray = register_module("gray", ModuleList());
};

struct Net {
  std::shared_ptr<Module> g, d;
  int64_t latent;
  Shape image;
  std::string loss;
  int64_t batch = 64;
};

Net sagan() {
  constexpr int64_t w = 32;
  return {std::make_shared<Sequential>(
              SpectralNorm(Linear(64, 2 * w * 49)), Unflatten({2 * w, 7, 7}), BatchNorm2d(2 * w), ReLU(),
              SpectralNorm(ConvTranspose2d(2 * w, w, 4, kDouble)), BatchNorm2d(w), ReLU(), Attention(w),
              SpectralNorm(ConvTranspose2d(w, 1, 4, kDouble)), Tanh()),
          std::make_shared<Sequential>(SpectralNorm(Conv2d(1, w, 4, kHalve)), LeakyReLU(0.1), Attention(w),
                                       SpectralNorm(Conv2d(w, 2 * w, 4, kHalve)), LeakyReLU(0.1), Flatten(),
                                       SpectralNorm(Linear(2 * w * 49, 1))),
          64,
          {1, 28, 28},
          "hinge"};
}

Net resnet() {
  constexpr int64_t w = 32;
  return {
      std::make_shared<Sequential>(Linear(64, w * 16), Unflatten({w, 4, 4}),
                                   Residual(w, 4, Resize::up, false), Residual(w, 8, Resize::up, false),
                                   Residual(w, 16, Resize::up, false), BatchNorm2d(w), ReLU(),
                                   Conv2d(w, 1, 3, kSame), Tanh()),
      std::make_shared<Sequential>(Conv2d(1, w, 3, kSame), Residual(w, 32, Resize::down, true),
                                   Residual(w, 16, Resize::down, true), Residual(w, 8, Resize::none, true),
                                   ReLU(), AvgPool2d(8), Flatten(), Linear(w, 1)),
      64,
      {1, 32, 32},
      "wgan-gp"};
}

Net conditional() {
  return {std::make_shared<ConditionalG>(), std::make_shared<ProjectionD>(), 48, {1, 28, 28}, "hinge"};
}

Net stylegan() {
  constexpr int64_t q = 24;
  return {std::make_shared<StyleG>(),
          std::make_shared<Sequential>(
              Conv2d(1, q, 3, kSame), LeakyReLU(0.2), Conv2d(q, q, 3, kSame), LeakyReLU(0.2), AvgPool2d(2),
              Conv2d(q, 2 * q, 3, kSame), LeakyReLU(0.2), AvgPool2d(2), MinibatchStddev(),
              Conv2d(2 * q + 1, 2 * q, 3, kSame), LeakyReLU(0.2), Flatten(), Equal(2 * q * 49, 1)),
          32,
          {1, 28, 28},
          "ns-gan",
          32};
}

Net dcgan64() {
  constexpr int64_t n = 64;
  const auto up = [](Sequential& to, int64_t i, int64_t o, ConvTranspose2dOptions how) {
    how.bias = false;
    to.push_back(ConvTranspose2d(i, o, 4, how));
    to.push_back(BatchNorm2d(o));
    to.push_back(ReLU());
  };
  auto g = std::make_shared<Sequential>(), d = std::make_shared<Sequential>();
  g->push_back(Unflatten({100, 1, 1}));
  up(*g, 100, 8 * n, {.stride = 1, .padding = 0});
  for (int64_t wide = 8 * n; wide > n; wide /= 2) up(*g, wide, wide / 2, kDouble);
  g->push_back(ConvTranspose2d(n, 3, 4, {.stride = 2, .padding = 1, .bias = false}));
  g->push_back(Tanh());
  d->push_back(Conv2d(3, n, 4, {.stride = 2, .padding = 1, .bias = false}));
  d->push_back(LeakyReLU(0.2));
  for (int64_t wide = n; wide < 8 * n; wide *= 2) {
    d->push_back(Conv2d(wide, 2 * wide, 4, {.stride = 2, .padding = 1, .bias = false}));
    d->push_back(BatchNorm2d(2 * wide));
    d->push_back(LeakyReLU(0.2));
  }
  d->push_back(Conv2d(8 * n, 1, 4, {.stride = 1, .padding = 0, .bias = false}));
  d->push_back(Flatten());
  return {g, d, 100, {3, 64, 64}, "ns-gan"};
}

struct Named {
  const char* name;
  Net (*make)();
  int64_t parameters_g, parameters_d;  // PyTorch's
};
constexpr Named kNets[] = {{"sagan", sagan, 238626, 37794},
                           {"resnet", resnet, 92673, 231041},
                           {"conditional", conditional, 75881, 108641},
                           {"stylegan", stylegan, 59525, 39433},
                           {"dcgan64", dcgan64, 3576704, 2765568}};

/// What one update starts from; for G's, `path` too.
struct Inputs {
  Tensor z, labels;
  std::vector<Tensor> noise;
};

class Step {
 public:
  explicit Step(const Named& named) : net(named.make()), real(random_.uniform(images(net.batch), -1, 1)) {
    if (conditional())
      labels = random_.integers({net.batch}, 10), fake_labels_ = random_.integers({net.batch}, 10);
    adam_g_ = std::make_unique<Adam>(*net.g, AdamOptions{.lr = 2e-4, .betas = {0.0, 0.9}});
    adam_d_ = std::make_unique<Adam>(*net.d, AdamOptions{.lr = 2e-4, .betas = {0.0, 0.9}});
  }
  bool styled() const { return dynamic_cast<StyleG*>(net.g.get()) != nullptr; }
  bool conditional() const { return dynamic_cast<ConditionalG*>(net.g.get()) != nullptr; }
  Shape images(int64_t n) const { return {n, net.image[0], net.image[1], net.image[2]}; }

  Inputs inputs(int64_t n) {
    Inputs in{random_.normal({n, net.latent}), fake_labels_, {}};
    for (const int64_t side : {7, 14, 14, 28, 28}) {
      if (styled()) in.noise.push_back(random_.normal({n, 1, side, side}));
    }
    return in;
  }
  Tensor generate(const Inputs& in) {
    if (conditional()) return (*net.g)(in.z, in.labels);
    if (auto* g = dynamic_cast<StyleG*>(net.g.get())) return g->draw(g->map(in.z), in.noise);
    return (*net.g)(in.z);
  }
  Tensor judge(const Tensor& x, const Tensor& of) { return conditional() ? (*net.d)(x, of) : (*net.d)(x); }

  /// `e`: where on the lines between real and generated samples the penalty of wgan-gp is taken.
  Tensor loss_d(const Inputs& in, const Tensor& e, bool r1) {
    Tensor fake;
    {
      const NoGrad no_grad;
      fake = generate(in);
    }
    const Tensor r = judge(real, labels);  // before the fakes: a spectral norm moves at every pass
    const Tensor f = judge(fake, in.labels);
    if (net.loss == "hinge") return hinge_loss(r, 1) + hinge_loss(f, -1);
    if (net.loss == "wgan-gp") {
      const Tensor points = gan::line_points(real, fake, e.reshape({net.batch}));
      return mean(f) - mean(r) + gan::gradient_penalty(*net.d, points, gan::one_centered(), 10).value;
    }
    const Tensor loss = bce_with_logits(r, 1) + bce_with_logits(f, 0);
    return r1 ? loss + gan::gradient_penalty(*net.d, real, gan::zero_centered(), 8).value : loss;
  }
  /// With the length of the path where a direction is given.
  Tensor loss_g(const Inputs& in, const Inputs& path, const Tensor& direction) {
    const Tensor f = judge(generate(in), in.labels);
    const Tensor loss = net.loss == "ns-gan" ? bce_with_logits(f, 1) : -mean(f);
    if (!direction.defined()) return loss;
    auto& g = dynamic_cast<StyleG&>(*net.g);
    const Tensor w = g.map(path.z);
    const Tensor j =
        grad({sum(g.draw(w, path.noise) * direction) / 28.0}, {w}, {}, {.create_graph = true})[0];
    return loss + mean(square(sample_norm(j) - 0.1)) * 8.0;
  }

  void operator()() {
    for (int k = 0; k < (net.loss == "wgan-gp" ? 5 : 1); ++k) {
      const Inputs in = inputs(net.batch);
      const Tensor e = random_.uniform({net.batch});
      adam_d_->step(grad({loss_d(in, e, styled() && count_ % 16 == 0)}, net.d->parameters()));
    }
    const bool lazy = styled() && count_ % 4 == 0;
    const Inputs in = inputs(net.batch), path = lazy ? inputs(net.batch / 2) : Inputs{};
    const Tensor direction = lazy ? random_.normal(images(net.batch / 2)) : Tensor();
    adam_g_->step(grad({loss_g(in, path, direction)}, net.g->parameters()));
    ++count_;
  }

 private:
  Generator random_{1, 7};

 public:
  Net net;
  Tensor real, labels;

 private:
  Tensor fake_labels_;
  std::unique_ptr<Adam> adam_g_, adam_d_;
  int64_t count_ = 0;
};

double norm(const std::vector<Tensor>& gradient) {
  double squares = 0;
  for (const Tensor& each : gradient) squares += sum(square(each.to(DType::f64))).item();
  return std::sqrt(squares);
}

/// The same weights and inputs as PyTorch's must give its losses and gradients: rounding apart, in f32.
int check(Step& step, const std::string& path) {
  const TensorFile file = read_safetensors(path);
  const auto at = [&](const std::string& name) {
    const Tensor* found = file.find(name);
    DUEL_CHECK(found, "networks", "{}: {} is missing; expected a file of torch_nets.py --save", path, name);
    return *found;
  };
  for (const auto& [prefix, net] : {std::pair{"g.", step.net.g}, std::pair{"d.", step.net.d}}) {
    StateDict state;
    for (const auto& [name, tensor] : file.tensors) {
      if (name.starts_with(prefix)) state.emplace_back(name.substr(2), tensor);
    }
    net->load_state_dict(state);
  }
  step.real = at("real");
  if (step.conditional()) step.labels = at("labels.0");
  const auto inputs = [&](const std::string& name) {
    Inputs in{at(name + ".0"), step.conditional() ? at(name + ".1") : Tensor(), {}};
    for (int k = 1; step.styled() && k <= 5; ++k) in.noise.push_back(at(name + "." + std::to_string(k)));
    return in;
  };
  const Tensor loss_d = step.loss_d(inputs("first"), at("e"), step.styled());
  const double norm_d = norm(grad({loss_d}, step.net.d->parameters()));
  const Tensor loss_g =
      step.loss_g(inputs("second"), inputs("path"), step.styled() ? at("direction") : Tensor());
  const double norm_g = norm(grad({loss_g}, step.net.g->parameters()));
  bool good = true;
  for (const auto& [name, ours] : {std::pair{"loss_d", loss_d.item()},
                                   {"norm_d", norm_d},
                                   {"loss_g", loss_g.item()},
                                   {"norm_g", norm_g}}) {
    const double theirs = at(name).item(), apart = std::abs(ours - theirs) / std::max(std::abs(theirs), 1e-3);
    std::printf("%s: Duel %.7g, PyTorch %.7g, relative difference %.1e\n", name, ours, theirs, apart);
    good = good && apart < 1e-3;
  }
  return good ? 0 : 1;
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double cpu_time() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// As torch_gan.py's measured(): three stretches after half a second and one call.
void time_steps(const Named& named, Step& step, double seconds) {
  const int together = step.styled() ? 16 : 1;
  int calls = 0;
  const auto run = [&] {
    for (int k = 0; k < together; ++k) step();
    ++calls;
  };
  const double warm = now();
  do run();
  while (now() - warm < 0.5);
  const int stretch = std::max(1, static_cast<int>(std::ceil(seconds / 3 / ((now() - warm) / calls))));
  std::vector<double> times;
  const double cpu = cpu_time();
  for (int k = 0; k < 3; ++k) {
    const double began = now();
    for (int i = 0; i < stretch; ++i) run();
    times.push_back((now() - began) * 1e3 / (stretch * together));
  }
  const double cpu_ms = (cpu_time() - cpu) * 1e3 / (3 * stretch * together);
  std::sort(times.begin(), times.end());
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "{\"net\": \"%s\", \"batch\": %lld, \"threads\": %d, \"ms_median\": %.3f, \"ms_min\": %.3f, "
      "\"ms_cpu\": %.3f, \"parameters_g\": %lld, \"parameters_d\": %lld, \"peak_mib\": %.1f}\n",
      named.name, static_cast<long long>(step.net.batch), kernels::threads(), times[1], times[0], cpu_ms,
      static_cast<long long>(step.net.g->parameter_count()),
      static_cast<long long>(step.net.d->parameter_count()), static_cast<double>(usage.ru_maxrss) / 1024);
}

/// Fails where a network has other layers than PyTorch's.
int count() {
  bool good = true;
  for (const Named& named : kNets) {
    const Net net = named.make();
    const int64_t g = net.g->parameter_count(), d = net.d->parameter_count();
    std::printf("%s: G %lld, D %lld parameters; PyTorch's %lld and %lld\n", named.name,
                static_cast<long long>(g), static_cast<long long>(d),
                static_cast<long long>(named.parameters_g), static_cast<long long>(named.parameters_d));
    good = good && g == named.parameters_g && d == named.parameters_d;
  }
  return good ? 0 : 1;
}

int run(const std::vector<std::string>& args) {
  if (args == std::vector<std::string>{"--count"}) return count();
  const Named* named = nullptr;
  for (const Named& each : kNets) {
    if (!args.empty() && args[0] == each.name) named = &each;
  }
  DUEL_CHECK(named && args.size() % 2 == 1, "networks",
             "expected --count, or one of sagan, resnet, conditional, stylegan, dcgan64 with --threads N, "
             "--seconds S or --check FILE");
  double seconds = 4;
  std::string file;
  for (size_t k = 1; k < args.size(); k += 2) {
    if (args[k] == "--threads")
      kernels::set_threads(std::stoi(args[k + 1]));
    else if (args[k] == "--seconds")
      seconds = std::stod(args[k + 1]);
    else if (args[k] == "--check")
      file = args[k + 1];
    else
      fail("networks", "unknown option '{}': expected --threads, --seconds or --check", args[k]);
  }
  manual_seed(1);
  Step step(*named);
  if (!file.empty()) return check(step, file);
  time_steps(*named, step, seconds);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "duel_networks: %s\n", error.what());
    return 2;
  }
}
