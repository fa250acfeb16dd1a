#include "duel/gan/trainer.h"

#include <cmath>

#include "duel/core/autograd.h"
#include "duel/core/ops.h"

namespace duel::gan {
namespace {

Generator stream(uint64_t seed, RandomStream which) { return Generator(seed, static_cast<uint64_t>(which)); }

std::unique_ptr<nn::Optimizer> make_optimizer(const nn::ParameterArena& arena, const OptimizerChoice& choice) {
  switch (choice.kind) {
    case OptimizerKind::adam:
      return std::make_unique<nn::Adam>(arena, nn::AdamOptions{.lr = choice.lr, .betas = {choice.beta1, choice.beta2}});
    case OptimizerKind::rmsprop:
      return std::make_unique<nn::RMSProp>(
          arena, nn::RMSPropOptions{.lr = choice.lr, .alpha = choice.alpha, .momentum = choice.momentum});
    case OptimizerKind::sgd: return std::make_unique<nn::SGD>(arena, nn::SGDOptions{.lr = choice.lr, .momentum = choice.momentum});
  }
  throw InternalError("unknown optimizer");
}

double norm_of(const std::vector<Tensor>& gradients) {
  NoGrad no_grad;
  double total = 0;
  for (const Tensor& g : gradients) {
    if (g.defined()) total += sum(square(g)).item();
  }
  return std::sqrt(total);
}

}  // namespace

Trainer::Trainer(Networks networks, Objective objective, std::shared_ptr<const ResidentData> data, TrainerOptions options)
    : networks_(std::move(networks)),
      objective_(std::move(objective)),
      data_(std::move(data)),
      options_(options),
      arena_d_((check_compatible(objective_, *networks_.discriminator, options.batch), *networks_.discriminator)),
      arena_g_(*networks_.generator),
      parameters_d_(networks_.discriminator->parameters()),
      parameters_g_(networks_.generator->parameters()),
      optimizer_d_(make_optimizer(arena_d_, objective_.schedule.d)),
      optimizer_g_(make_optimizer(arena_g_, objective_.schedule.g)),
      order_(data_ ? data_->count() : 1, options.seed),
      latent_noise_(stream(options.seed, RandomStream::latent)),
      penalty_noise_(stream(options.seed, RandomStream::penalty)),
      instance_noise_(stream(options.seed, RandomStream::instance_noise)) {
  DUEL_CHECK(!data_ || options.batch <= data_->count(), "trainer", "batch: expected at most the {} images of the data set, got {}",
             data_->count(), options.batch);
  if (objective_.constraint.weight_clip > 0) optimizer_d_->set_clip(objective_.constraint.weight_clip);
  if (objective_.schedule.ema > 0) optimizer_g_->set_ema(objective_.schedule.ema);
  networks_.generator->train(true);
  networks_.discriminator->train(true);
}

Tensor Trainer::generate(const Tensor& z) {
  NoGrad no_grad;
  return (*networks_.generator)(z);
}

// Packing: D judges `packing` images as the channels of one sample (Lin et al. 2018).
Tensor Trainer::packed(const Tensor& images) const {
  const int64_t m = objective_.schedule.packing;
  return m == 1 ? images : images.reshape({images.dim(0) / m, m * images.dim(1), images.dim(2), images.dim(3)});
}

Tensor Trainer::judge(const Tensor& images) { return (*networks_.discriminator)(packed(images)); }

Tensor Trainer::with_instance_noise(const Tensor& images) {
  const Schedule& s = objective_.schedule;
  double deviation = s.instance_noise;
  if (s.instance_noise_steps > 0) {
    deviation *= std::max(0.0, 1.0 - static_cast<double>(iteration_) / static_cast<double>(s.instance_noise_steps));
  }
  if (deviation <= 0) return images;
  return add(images, instance_noise_.normal(images.shape(), 0.0, deviation, images.options()));
}

// Where no layer of D mixes samples, one pass over both batches gives the same logits with half the launches.
Trainer::Logits Trainer::judge_both(const Tensor& real, const Tensor& fake) {
  if (networks_.discriminator->mixes_samples()) {
    const Tensor real_logits = judge(real);
    return {real_logits, judge(fake)};
  }
  const Tensor logits = judge(concat({real, fake}));
  const int64_t split = real.dim(0) / objective_.schedule.packing;
  return {slice(logits, 0, 0, split), slice(logits, 0, split, logits.dim(0))};
}

void Trainer::critic_step(const Tensor& given_real, const Tensor& given_fake, bool diagnostics) {
  const Tensor real = with_instance_noise(given_real), fake = with_instance_noise(given_fake);
  const Logits logits = judge_both(real, fake);
  Tensor loss = discriminator_loss(objective_.loss, objective_.relativism, logits.real, logits.fake);
  last_.penalty = {};
  last_.input_gradient_norm = {};
  const int64_t interval = objective_.schedule.lazy_interval;
  if (critic_steps_done_ % interval == 0) {
    for (const Penalty& penalty : objective_.penalties) {
      const Tensor points = packed(penalty.sampling.points(real, fake, penalty_noise_));
      const PenaltyResult result = gradient_penalty(*networks_.discriminator, points, penalty.shape,
                                                    penalty.weight * static_cast<double>(interval));
      loss = add(loss, result.value);
      last_.penalty = last_.penalty.defined() ? add(last_.penalty, result.value.detach()) : result.value.detach();
      last_.input_gradient_norm = result.mean_norm;
    }
  }
  last_gradients_ = grad({loss}, parameters_d_, {}, {.allow_unused = true});
  last_.loss_d = loss.detach();
  if (diagnostics) {
    last_.d_real = mean(logits.real.detach());
    last_.d_fake = mean(logits.fake.detach());
    last_.p_real = mean(sigmoid(logits.real.detach()));
    last_.p_fake = mean(sigmoid(logits.fake.detach()));
    last_.grad_norm_d = norm_of(last_gradients_);
    if (!last_.input_gradient_norm.defined()) {
      // A fixed eps: diagnostics draw no random numbers, so that the run is the same without them.
      const Tensor middle = packed(line_points(real, fake, Tensor::full({real.dim(0)}, 0.5, real.options())));
      last_.input_gradient_norm = Tensor::full({}, mean_gradient_norm(*networks_.discriminator, middle), {DType::f64, {}});
    }
  }
  optimizer_d_->step(last_gradients_);
  ++critic_steps_done_;
}

void Trainer::generator_step(const Tensor& z, const Tensor& real, bool diagnostics) {
  const Tensor fake = (*networks_.generator)(z);
  Tensor real_logits;
  if (generator_needs_real(objective_.loss, objective_.relativism)) {
    NoGrad no_grad;
    real_logits = judge(with_instance_noise(real));
  }
  Tensor fake_logits;
  {
    NoParamGrad frozen;  // D's weights are constants of G's loss: nothing is recorded for them
    fake_logits = judge(with_instance_noise(fake));
  }
  const Tensor loss = generator_loss(objective_.loss, objective_.relativism, real_logits, fake_logits);
  last_gradients_ = grad({loss}, parameters_g_, {}, {.allow_unused = true});
  last_.loss_g = loss.detach();
  if (diagnostics) last_.grad_norm_g = norm_of(last_gradients_);
  optimizer_g_->step(last_gradients_);
}

void Trainer::step(bool diagnostics) {
  DUEL_CHECK(data_, "trainer", "step() needs a data set");
  const Schedule& s = objective_.schedule;
  const int64_t batch = options_.batch, n = s.critic_steps * batch;
  const TensorOptions floats{options_.dtype, {}};
  // One gather and one draw for all critic steps of the iteration: the next batches lie ready.
  const Tensor reals = data_->images(order_.next(n), options_.dtype);
  const Tensor latents = latent_noise_.normal({n, networks_.latent}, 0.0, 1.0, floats);
  // The critics of one iteration meet the same G: without batch statistics in G one pass makes all their fakes.
  const bool one_pass = !networks_.generator->mixes_samples();
  const Tensor all_fakes = one_pass ? generate(latents) : Tensor();
  Tensor real;
  for (int64_t k = 0; k < s.critic_steps; ++k) {
    const int64_t begin = k * batch, end = begin + batch;
    real = slice(reals, 0, begin, end);
    const Tensor fake = one_pass ? slice(all_fakes, 0, begin, end) : generate(slice(latents, 0, begin, end));
    critic_step(real, fake, diagnostics && k + 1 == s.critic_steps);
  }
  generator_step(latent_noise_.normal({batch, networks_.latent}, 0.0, 1.0, floats), real, diagnostics);
  ++iteration_;
}

Metrics Trainer::metrics() const {
  const auto value = [](const Tensor& t) { return t.defined() ? t.item() : 0.0; };
  return {.iteration = iteration_, .loss_d = value(last_.loss_d), .loss_g = value(last_.loss_g), .penalty = value(last_.penalty),
          .d_real = value(last_.d_real), .d_fake = value(last_.d_fake),
          .p_real = value(last_.p_real), .p_fake = value(last_.p_fake),
          .input_gradient_norm = value(last_.input_gradient_norm), .grad_norm_d = last_.grad_norm_d, .grad_norm_g = last_.grad_norm_g};
}

}  // namespace duel::gan
