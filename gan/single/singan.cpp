#include "duel/gan/single/singan.h"

#include <algorithm>
#include <cmath>

#include "duel/core/io/safetensors.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/models/network.h"
#include "duel/gan/objective/penalty.h"
#include "duel/kernels/base/settings.h"
#include "duel/kernels/base/text.h"
#include "duel/nn/layers.h"
#include "duel/nn/optim/optim.h"

namespace duel::gan {
namespace {

constexpr int64_t kLayers = 5;        // 3x3 convolutions without padding of their own
constexpr int64_t kBorder = kLayers;  // that they take away on each side
constexpr int64_t kLeastSide = 12, kMostSide = 512;
constexpr const char* kFormat = "duel-singan-1";

/// Weights [to, from] of the pixels of a line that becomes another one: a triangle around each new centre.
Tensor line_weights(int64_t from, int64_t to, TensorOptions options) {
  const double ratio = static_cast<double>(from) / static_cast<double>(to), width = std::max(ratio, 1.0);
  std::vector<double> weights(static_cast<size_t>(from * to));
  for (int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * ratio - 0.5;
    double total = 0;
    double* row = weights.data() + i * from;
    const auto first = static_cast<int64_t>(std::floor(centre - width)),
               last = static_cast<int64_t>(std::ceil(centre + width));
    for (int64_t j = first; j <= last; ++j) {
      const double near = std::max(0.0, 1 - std::abs(static_cast<double>(j) - centre) / width);
      row[std::clamp<int64_t>(j, 0, from - 1)] += near;
      total += near;
    }
    for (int64_t j = 0; j < from; ++j) row[j] /= total;
  }
  return Tensor::from(weights, {to, from}).to(options.dtype).to(options.device);
}

double root_mean_square(const Tensor& x) { return std::sqrt(mean(square(x.to(DType::f64))).item()); }

/// Layers of D; G's have instance norm and end in tanh.
std::shared_ptr<nn::Sequential> layers(int64_t colours, int64_t channels, int64_t out, bool norm) {
  auto net = std::make_shared<nn::Sequential>();
  for (int64_t i = 0; i < kLayers; ++i) {
    const bool last = i + 1 == kLayers;
    net->push_back(nn::Conv2d(i == 0 ? colours : channels, last ? out : channels, 3));
    if (last) break;
    if (norm) net->push_back(nn::InstanceNorm2d(channels, {.affine = true}));
    net->push_back(nn::LeakyReLU(0.2));
  }
  return net;
}

/// D's judgement: the mean over patches.
struct PatchCritic : nn::Module {
  explicit PatchCritic(std::shared_ptr<nn::Sequential> layers)
      : net(register_module("net", std::move(layers))) {}
  Tensor forward(const Tensor& x) override { return mean((*net)(x), {1, 2, 3}).reshape({x.dim(0), 1}); }
  bool second_derivative_zero() const override { return children_second_derivative_zero(); }
  bool mixes_samples() const override { return children_mix_samples(); }
  std::shared_ptr<nn::Sequential> net;
};

/// sqrt(pixels) D(x): its slope by Euclidean distance is D's by the root mean square of pixels.
struct ByRootMeanSquare : nn::Module {
  explicit ByRootMeanSquare(PatchCritic& of) : critic(of) {}
  Tensor forward(const Tensor& x) override {
    return critic(x) * std::sqrt(static_cast<double>(x.shape().numel_from(1)));
  }
  bool second_derivative_zero() const override { return critic.second_derivative_zero(); }
  bool mixes_samples() const override { return critic.mixes_samples(); }
  PatchCritic& critic;
};

}  // namespace

Tensor resized(const Tensor& images, int64_t height, int64_t width) {
  DUEL_CHECK(images.rank() == 4 && height >= 1 && width >= 1, "resized",
             "expected [N, C, H, W] and sides of at least 1, got {}, {} x {}", images.shape(), height, width);
  Tensor y = images;
  if (width != images.dim(3))
    y = matmul(y, line_weights(images.dim(3), width, images.options()), false, true);
  if (height != images.dim(2)) y = matmul(line_weights(images.dim(2), height, images.options()), y);
  return y;
}

Singan::Singan(const Tensor& image, SinganOptions o)
    : options_(o), weights_(o.seed, 101), random_(o.seed, 102) {
  DUEL_CHECK(image.rank() == 4 && image.dim(0) == 1 && (image.dim(1) == 1 || image.dim(1) == 3), "singan",
             "expected one image [1, C, H, W], gray or of three colours, got {}", image.shape());
  DUEL_CHECK(
      std::min(image.dim(2), image.dim(3)) >= kLeastSide && std::max(image.dim(2), image.dim(3)) <= kMostSide,
      "singan",
      "expected an image with sides from {} to {} pixels, got {} x {}; --size brings a large one to less",
      kLeastSide, kMostSide, image.dim(2), image.dim(3));
  DUEL_CHECK(
      o.smallest >= kLeastSide && o.factor >= 0.5 && o.factor <= 0.9 && o.channels >= 1 && o.steps >= 1 &&
          o.inner_steps >= 1 && o.lr > 0 && o.lambda >= 0 && o.reconstruction >= 0 && o.noise >= 0,
      "singan",
      "expected smallest of at least {}, a factor from 0.5 to 0.9, and at least one channel, step and inner step; got {}, "
      "{}, {}, {} and {}",
      kLeastSide, o.smallest, o.factor, o.channels, o.steps, o.inner_steps);
  image_ = image.detach().clone();
  plan(image.dim(1), image.dim(2), image.dim(3));
  z_star_ = random_.normal({1, colours_, sides_[0].height, sides_[0].width});
}

void Singan::plan(int64_t channels, int64_t height, int64_t width) {
  colours_ = channels;
  for (double h = static_cast<double>(height), w = static_cast<double>(width);;
       h *= options_.factor, w *= options_.factor) {
    if (!sides_.empty() && std::min(h, w) < static_cast<double>(options_.smallest) - 0.5) break;
    sides_.insert(sides_.begin(), {std::llround(h), std::llround(w)});
  }
}

std::vector<Singan::Sides> Singan::sides_of(int64_t height, int64_t width) const {
  std::vector<Sides> scaled;
  for (const Sides& s : sides_) {
    const auto to = [](int64_t side, int64_t part, int64_t whole) {
      return std::max<int64_t>(
          std::llround(static_cast<double>(side) * static_cast<double>(part) / static_cast<double>(whole)),
          1);
    };
    scaled.push_back({to(height, s.height, this->height()), to(width, s.width, this->width())});
  }
  return scaled;
}

std::shared_ptr<nn::Sequential> Singan::new_generator() const {
  return layers(colours_, options_.channels, colours_, true);
}

Tensor Singan::step_up(size_t scale, const Tensor& below, const Tensor& noise) const {
  Tensor in = below;
  if (noise.defined()) in = noise * sigmas_[scale] + below;
  return tanh((*generators_[scale])(pad(in, {kBorder, kBorder, kBorder, kBorder}))) + below;
}

Tensor Singan::climb(size_t scales, int64_t n, const std::vector<Sides>& sides, const NoiseFor& noise) const {
  const NoGrad off;
  Tensor y = Tensor::zeros({n, colours_, sides[0].height, sides[0].width});
  for (size_t i = 0; i < scales; ++i) {
    const Sides& next = sides[std::min(i + 1, sides.size() - 1)];
    y = resized(step_up(i, y, noise(i, y.shape())), next.height, next.width);
  }
  return y;
}

Tensor Singan::below(Generator& random, int64_t n, const std::vector<Sides>& sides, size_t scales) const {
  return climb(scales, n, sides, [&](size_t, const Shape& shape) { return random.normal(shape); });
}

Tensor Singan::reconstruction_at(size_t scales) const {
  return climb(scales, 1, sides_,
               [&](size_t scale, const Shape&) { return scale == 0 ? z_star_ : Tensor(); });
}

bool Singan::train_scale(const std::function<bool(const Progress&)>& progressed) {
  DUEL_CHECK(image_.defined() && !trained(), "singan", "expected a model with scales left to train, got {}",
             image_.defined() ? "one that is trained" : "a stored one");
  const auto n = generators_.size();
  const Sides& sides = sides_[n];
  const Tensor real = resized(image_, sides.height, sides.width);
  const LendDefaultGenerator lent(weights_);
  const std::shared_ptr<nn::Sequential> g = n == 0 ? new_generator() : nn::clone(*generators_.back());
  const auto net = n == 0 ? layers(colours_, options_.channels, 1, false) : nn::clone(*last_critic_);
  if (n == 0) begin_weights(*g, Start::small), begin_weights(*net, Start::small);
  PatchCritic d(net);
  ByRootMeanSquare by_distance(d);
  const Tensor rec_below = reconstruction_at(n);
  generators_.push_back(g);
  sigmas_.push_back(n == 0 ? 1.0 : options_.noise * root_mean_square(real - rec_below));
  const nn::AdamOptions adam{.lr = options_.lr, .betas = {0.5, 0.999}};
  nn::Adam of_g(*g, adam), of_d(d, adam);
  for (int64_t step = 1; step <= options_.steps; ++step) {
    if (step == options_.steps - options_.steps / 5 + 1)
      of_g.set_lr(options_.lr / 10), of_d.set_lr(options_.lr / 10);
    Progress now{.scale = static_cast<int64_t>(n), .step = step};
    for (int64_t k = 0; k < options_.inner_steps; ++k) {
      Tensor fake;
      {
        const NoGrad off;
        const Tensor from = below(random_, 1, sides_, n);
        fake = step_up(n, from, random_.normal(from.shape()));
      }
      const Tensor on_real = mean(d(real));
      const Tensor on_fake = mean(d(fake));
      const Tensor points = line_points(real, fake, random_);
      const Tensor loss =
          on_fake - on_real + gradient_penalty(by_distance, points, one_centered(), options_.lambda).value;
      of_d.step(grad({loss}, d.parameters()));
      now.loss_d = loss.item();
    }
    for (int64_t k = 0; k < options_.inner_steps; ++k) {
      const Tensor from = below(random_, 1, sides_, n);
      const Tensor fake = step_up(n, from, random_.normal(from.shape()));
      const Tensor rec = step_up(n, rec_below, n == 0 ? z_star_ : Tensor());
      const Tensor missing = mean(square(rec - real));
      const Tensor loss = missing * options_.reconstruction - mean(d(fake));
      of_g.step(grad({loss}, g->parameters()));
      now.loss_g = loss.item();
      now.rec_error = std::sqrt(missing.item());
    }
    DUEL_CHECK(std::isfinite(now.loss_d) && std::isfinite(now.loss_g), "singan",
               "scale {}, iteration {}: the losses are {} and {}; a smaller lr may help", n, step, now.loss_d,
               now.loss_g);
    if (progressed && !progressed(now)) {
      generators_.pop_back();
      sigmas_.pop_back();
      return false;
    }
  }
  last_critic_ = net;
  rec_error_ = root_mean_square(step_up(n, rec_below, n == 0 ? z_star_ : Tensor()).detach() - real);
  return true;
}

Tensor Singan::sample(int64_t n, int64_t height, int64_t width, uint64_t seed) const {
  DUEL_CHECK(trained(), "singan", "expected a model whose scales are all trained, got {} of {}",
             scales_done(), scales());
  DUEL_CHECK(n >= 1 && std::min(height, width) >= kLeastSide && std::max(height, width) <= 4 * kMostSide,
             "singan", "expected at least 1 sample with sides from {} to {} pixels, got {} of {} x {}",
             kLeastSide, 4 * kMostSide, n, height, width);
  Generator random(seed, 103);
  return clamp(below(random, n, sides_of(height, width), generators_.size()), -1, 1);
}

Tensor Singan::reconstruction() const {
  DUEL_CHECK(trained(), "singan", "expected a model whose scales are all trained, got {} of {}",
             scales_done(), scales());
  return reconstruction_at(generators_.size());
}

void Singan::save(const std::filesystem::path& file) const {
  DUEL_CHECK(trained(), "singan", "expected a model whose scales are all trained, got {} of {}",
             scales_done(), scales());
  TensorFile stored;
  for (size_t i = 0; i < generators_.size(); ++i) {
    for (const auto& [name, tensor] : generators_[i]->state_dict())
      stored.tensors.emplace_back(message("scale{}.{}", i, name), tensor);
  }
  stored.tensors.emplace_back("z_star", z_star_);
  stored.tensors.emplace_back("sigmas", Tensor::from(sigmas_, {scales()}));
  const auto put = [&](const char* key, const std::string& text) { stored.metadata.emplace_back(key, text); };
  put("format", kFormat);
  put("channels", std::to_string(options_.channels));
  put("height", std::to_string(height()));
  put("width", std::to_string(width()));
  put("smallest", std::to_string(options_.smallest));
  put("factor", message("{}", options_.factor));
  put("steps", std::to_string(options_.steps));
  put("seed", std::to_string(options_.seed));
  put("rec_error", message("{}", rec_error_));
  write_safetensors(file, stored);
}

Singan::Singan(const std::filesystem::path& file) : weights_(0, 101), random_(0, 102) {
  const TensorFile stored = read_safetensors(file);
  DUEL_CHECK(stored.text("format") == kFormat, "singan",
             "{}: expected a model that duel singan wrote, got another safetensors file", file.string());
  const auto read = [&](const char* key, auto& into, double low, double high) {
    into = parsed<std::remove_reference_t<decltype(into)>>("singan", key, stored.text(key));
    DUEL_CHECK(static_cast<double>(into) >= low && static_cast<double>(into) <= high, "singan",
               "{}: {}: expected {} to {}, got {}", file.string(), key, low, high, into);
  };
  int64_t height = 0, width = 0;
  read("channels", options_.channels, 1, 4096);
  read("height", height, kLeastSide, kMostSide);
  read("width", width, kLeastSide, kMostSide);
  read("smallest", options_.smallest, kLeastSide, kMostSide);
  read("factor", options_.factor, 0.5, 0.9);
  read("steps", options_.steps, 1, 1e12);
  read("seed", options_.seed, 0, 1.9e19);
  read("rec_error", rec_error_, 0, 1e6);
  const auto find = [&](const std::string& name) -> const Tensor& {
    const Tensor* tensor = stored.find(name);
    DUEL_CHECK(tensor, "singan", "{}: lacks {}", file.string(), name);
    return *tensor;
  };
  z_star_ = find("z_star").to(DType::f32);
  DUEL_CHECK(z_star_.rank() == 4 && z_star_.dim(0) == 1 && (z_star_.dim(1) == 1 || z_star_.dim(1) == 3),
             "singan", "{}: z_star: expected [1, C, H, W], got {}", file.string(), z_star_.shape());
  plan(z_star_.dim(1), height, width);
  DUEL_CHECK(z_star_.dim(2) == sides_[0].height && z_star_.dim(3) == sides_[0].width, "singan",
             "{}: z_star: expected {} x {} pixels, got {}", file.string(), sides_[0].height, sides_[0].width,
             z_star_.shape());
  const Tensor& sigmas = find("sigmas");
  DUEL_CHECK(sigmas.shape() == Shape{scales()}, "singan", "{}: sigmas: expected {} of them, got {}",
             file.string(), scales(), sigmas.shape());
  sigmas_ = sigmas.to_vector<double>();
  const LendDefaultGenerator lent(weights_);
  for (int64_t i = 0; i < scales(); ++i) {
    const std::string prefix = message("scale{}.", i);
    nn::StateDict state;
    for (const auto& [name, tensor] : stored.tensors) {
      if (name.starts_with(prefix)) state.emplace_back(name.substr(prefix.size()), tensor);
    }
    auto g = new_generator();
    try {
      g->load_state_dict(state);
    } catch (const Error& error) {
      fail("singan", "{}: scale {}: {}", file.string(), i, error.what());
    }
    generators_.push_back(g);
  }
}

}  // namespace duel::gan
