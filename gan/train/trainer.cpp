#include "duel/gan/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>

#include "duel/core/device/side_streams.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/kernels/training/ring.h"
#include "duel/nn/module/scoped_parameters.h"
#include "duel/nn/optim/grad_norm.h"

namespace duel::gan {
namespace {

/// Kinds of iterations beyond these stay eager: each graph keeps memory of its own.
constexpr int64_t kMostGraphs = 32;

Generator stream(uint64_t seed, RandomStream which) { return Generator(seed, static_cast<uint64_t>(which)); }

std::unique_ptr<nn::Optimizer> make_optimizer(const nn::ParameterArena& arena,
                                              const OptimizerChoice& choice) {
  switch (choice.kind) {
    case OptimizerKind::adam:
      return std::make_unique<nn::Adam>(
          arena, nn::AdamOptions{.lr = choice.lr, .betas = {choice.beta1, choice.beta2}});
    case OptimizerKind::rmsprop:
      return std::make_unique<nn::RMSProp>(
          arena, nn::RMSPropOptions{.lr = choice.lr, .alpha = choice.alpha, .momentum = choice.momentum});
    case OptimizerKind::sgd:
      return std::make_unique<nn::SGD>(arena, nn::SGDOptions{.lr = choice.lr, .momentum = choice.momentum});
  }
  throw InternalError("unknown optimizer");
}

/// Checks that they fit, and moves the networks.
TrainerOptions placed(const Networks& networks, const Objective& objective, const TrainerOptions& options) {
  for (const auto& [name, network] : {std::pair("generator", networks.generator.get()),
                                      std::pair("discriminator", networks.discriminator.get())}) {
    DUEL_CHECK(network, "trainer", "expected a {}, got a null pointer", name);
    DUEL_CHECK(network->parameter_count() > 0, "trainer",
               "the {} has no parameters to train: {}. Layers of a network of one's own are registered with "
               "register_module, weights with register_parameter",
               name, network->describe());
  }
  DUEL_CHECK(is_floating(options.dtype), "trainer", "expected f32 or f64 as dtype, got {}",
             to_text(options.dtype));
  check_compatible(objective, *networks.discriminator, options.batch, networks.generator.get());
  for (nn::Module* network : {networks.generator.get(), networks.discriminator.get()}) {
    network->to(options.dtype);
    network->to(options.device);
  }
  return options;
}

/// Such a D changes in a pass (running statistics, power iterations): its passes come one after the other.
bool has_buffers(const nn::Module& module) { return !module.named_buffers().empty(); }

}  // namespace

Trainer::Trainer(Networks networks, Objective objective, std::shared_ptr<const ResidentData> data,
                 TrainerOptions options)
    : networks_(std::move(networks)),
      objective_(std::move(objective)),
      data_(std::move(data)),
      options_(placed(networks_, objective_, options)),
      arena_d_(*networks_.discriminator),
      arena_g_(*networks_.generator),
      parameters_d_(networks_.discriminator->parameters()),
      parameters_g_(networks_.generator->parameters()),
      optimizer_d_(make_optimizer(arena_d_, objective_.schedule.d)),
      optimizer_g_(make_optimizer(arena_g_, objective_.schedule.g)),
      order_(data_ ? data_->count() : 1, options.seed, options.device),
      latent_random_{stream(options.seed, RandomStream::latent), stream(options.seed, RandomStream::labels),
                     stream(options.seed, RandomStream::codes)},
      penalty_noise_(stream(options.seed, RandomStream::penalty)),
      instance_noise_(stream(options.seed, RandomStream::instance_noise)),
      label_flips_(stream(options.seed, RandomStream::label_flips)),
      layers_d_(stream(options.seed, RandomStream::layers_d)),
      layers_g_(stream(options.seed, RandomStream::layers_g)) {
  DUEL_CHECK(!data_ || options.batch <= data_->count(), "trainer",
             "batch: expected at most the {} images of the data set, got {}", data_->count(), options.batch);
  DUEL_CHECK(!data_ || networks_.latent.classes == 0 || data_->has_labels(), "trainer",
             "{} is conditional: it needs the class of every real sample, and this data set has no labels",
             objective_.name);
  DUEL_CHECK(!data_ || networks_.latent.classes == 0 || data_->label_end() <= networks_.latent.classes,
             "trainer",
             "labels: expected 0 to {} for networks of {} classes, got {}; number_labels (class_names.h) "
             "counts classes from 0",
             networks_.latent.classes - 1, networks_.latent.classes, data_->label_end() - 1);
  if (objective_.equilibrium) balance_ = Tensor::zeros({}, {options.dtype, options.device});
  DUEL_CHECK(!data_ || data_->device() == options.device, "trainer",
             "data: expected it on {}, where the trainer computes, got {}", options.device, data_->device());
  if (objective_.constraint.weight_clip > 0) optimizer_d_->set_clip(objective_.constraint.weight_clip);
  if (objective_.schedule.ema > 0) optimizer_g_->set_ema(objective_.schedule.ema, /*warm_up=*/true);
  if (objective_.schedule.instance_noise > 0) {
    noise_deviation_ = Tensor::full({}, objective_.schedule.instance_noise, {options.dtype, options.device});
  }
  ring_ = Tensor::zeros({kRemembered, kernels::kRingColumns}, {options.dtype, options.device});
  ring_pushed_ = Tensor::zeros({1}, {DType::i64, options.device});
  networks_.generator->train(true);
  networks_.discriminator->train(true);
  for (const auto& [prefix, network] :
       {std::pair("d.", networks_.discriminator.get()), std::pair("g.", networks_.generator.get())}) {
    for (const auto& [name, buffer] : network->named_buffers()) {
      if (is_floating(buffer.dtype())) buffers_.emplace_back(prefix + name, buffer);
    }
  }
}

namespace {
/// What is left of a linear fall to zero over `steps` iterations; 0 steps: it never falls.
double share_left(int64_t iteration, int64_t steps) {
  return steps > 0 ? std::max(0.0, 1.0 - static_cast<double>(iteration) / static_cast<double>(steps)) : 1.0;
}
}  // namespace

void Trainer::begin_iteration(int64_t number) {
  const Schedule& s = objective_.schedule;
  if (noise_deviation_.defined() && s.instance_noise_steps > 0)
    noise_deviation_.fill_(s.instance_noise * share_left(number, s.instance_noise_steps));
  if (s.lr_decay_steps > 0) {
    optimizer_d_->set_lr(s.d.lr * share_left(number, s.lr_decay_steps));
    optimizer_g_->set_lr(s.g.lr * share_left(number, s.lr_decay_steps));
  }
}

int64_t Trainer::critic_steps_now() const {
  const Warmup& w = objective_.schedule.warmup;
  const bool warm = w.critic_steps > 0 && (iteration_ < w.first || iteration_ % w.every == 0);
  return warm ? w.critic_steps : objective_.schedule.critic_steps;
}

Tensor Trainer::generate(const Tensor& z) {
  NoGrad no_grad;
  const LendDefaultGenerator lent(layers_g_);
  return (*networks_.generator)(z);
}

// Packing: D judges `packing` samples as one, images side by side as channels (Lin et al. 2018).
Tensor Trainer::packed(const Tensor& samples) const {
  const int64_t m = objective_.schedule.packing;
  return m == 1 ? samples
                : samples.reshape(samples.shape().with(0, samples.dim(0) / m).with(1, m * samples.dim(1)));
}

Judgement Trainer::judge(const Tensor& samples, const Tensor& labels) {
  const LendDefaultGenerator lent(layers_d_);
  return gan::judge(*networks_.discriminator, packed(samples), labels);
}

// The deviation lies in device memory: a replayed graph sees it fade.
Tensor Trainer::with_instance_noise(const Tensor& samples) {
  if (!noise_deviation_.defined()) return samples;
  return add(samples,
             mul(instance_noise_.normal(samples.shape(), 0.0, 1.0, samples.options()), noise_deviation_));
}

namespace {

/// Rows [begin, end), of an undefined tensor an undefined one.
Tensor part_of(const Tensor& tensor, int64_t begin, int64_t end) {
  return tensor.defined() ? rows(tensor, begin, end) : tensor;
}

Judgement part_of(const Judgement& j, int64_t begin, int64_t end) {
  return {part_of(j.logits, begin, end), part_of(j.features, begin, end), part_of(j.classes, begin, end),
          part_of(j.codes, begin, end)};
}

Tensor joined(const Tensor& a, const Tensor& b) {
  return a.defined() && b.defined() ? concat({a, b}) : Tensor();
}

/// In G's step the judgement of real samples may be missing: the engine's error would name neither the term
/// nor the way out.
Tensor value_of(const Term& term, const Round& round) {
  const auto compute = [&] {
    if (term.reads_real || round.real.judgement.logits.defined()) return term.value(round);
    try {
      return term.value(round);
    } catch (const OutOfMemory&) {
      throw;
    } catch (const Error& error) {
      fail("trainer",
           "the term '{}' of G: {}. In G's step D judges real samples only where they are asked for: "
           "set reads_real if the term reads round.real",
           term.name, error.what());
    }
  };
  Tensor value = compute();
  DUEL_CHECK(value.defined() && value.rank() == 0, "trainer",
             "the term '{}' gave {}, expected one number, of shape []", term.name,
             value.defined() ? to_text(value.shape()) : "nothing");
  return value;
}

Tensor checked_points(const Penalty& penalty, const Tensor& points, const Tensor& real, bool labelled) {
  const bool fits = points.defined() && points.rank() == real.rank() && points.dim(0) >= 1 &&
                    points.shape().with(0, real.dim(0)) == real.shape() &&
                    (!labelled || points.dim(0) == real.dim(0));
  DUEL_CHECK(fits, "trainer",
             "the penalty sampling '{}' gave points {}, expected {}samples of the size that D is given, {}",
             penalty.sampling.name, points.defined() ? to_text(points.shape()) : "nowhere",
             labelled ? "one for each label, and " : "", real.shape());
  return points;
}

/// Their values are kept where `kept` says.
Tensor with_terms(Tensor loss, const std::vector<Term>& terms, const Round& round,
                  std::vector<std::pair<std::string, Tensor>>* kept) {
  for (const Term& term : terms) {
    const Tensor value = value_of(term, round);
    if (kept) kept->emplace_back(term.name, value.detach());
    loss = add(loss, mul_scalar(value, term.weight));
  }
  return loss;
}

}  // namespace

void Trainer::balance() {
  if (!objective_.equilibrium) return;
  NoGrad no_grad;
  balance_.copy_(next_balance(*objective_.equilibrium, balance_, last_.energy_real, last_.energy_fake));
}

void Trainer::two_passes(const std::function<void()>& first, const std::function<void()>& second) {
  std::optional<SideStreams> beside;
  if (passes_beside_) beside.emplace(options_.device);
  beside ? beside->run(first) : first();
  second();
  if (beside) beside->join();
}

// Where no layer of D mixes samples, one pass over both batches gives the same logits with half the launches.
void Trainer::judge_both(Round& round) {
  Side& real = round.real;
  Side& fake = round.fake;
  if (networks_.discriminator->mixes_samples()) {
    two_passes([&] { real.judgement = judge(real.samples, real.labels); },
               [&] { fake.judgement = judge(fake.samples, fake.labels); });
    return;
  }
  const Judgement all = judge(concat({real.samples, fake.samples}), joined(real.labels, fake.labels));
  const int64_t split = real.samples.dim(0) / objective_.schedule.packing;
  real.judgement = part_of(all, 0, split);
  fake.judgement = part_of(all, split, all.logits.dim(0));
}

// With probability p the label of a judged sample is wrong: logits of equal index change sides, which is the
// same in any loss that is a sum over each side. (Exchanging images instead would mix the two batches'
// statistics in a batch norm.)
void Trainer::flip_labels(Round& round) {
  const double p = objective_.schedule.label_flip;
  if (p <= 0) return;
  Tensor &real = round.real.judgement.logits, &fake = round.fake.judgement.logits;
  const Tensor drawn = label_flips_.uniform(real.shape(), 0.0, 1.0, real.options());
  const Tensor flip = greater(Tensor::full(real.shape(), p, real.options()), drawn);
  const Tensor kept = real;
  real = where(flip, fake, kept);
  fake = where(flip, kept, fake);
}

Tensor Trainer::adversarial_loss_of_d(const Round& round) const {
  const Tensor &real = round.real.judgement.logits, &fake = round.fake.judgement.logits;
  if (!objective_.equilibrium) return discriminator_loss(objective_.loss, objective_.relativism, real, fake);
  // A copy of k: the loss's graph must not see it move.
  return balanced_discriminator_loss(objective_.loss, real, fake, balance_.clone());
}

Tensor Trainer::loss_of_d(const Batch& batch, bool diagnostics) {
  DUEL_CHECK(batch.real.rank() >= 1 && batch.fake.rank() == batch.real.rank() &&
                 batch.fake.shape().with(0, batch.real.dim(0)) == batch.real.shape() &&
                 batch.fake.dtype() == batch.real.dtype(),
             "trainer", "G's samples are {}, expected samples like the real ones, {}", to_text(batch.fake),
             to_text(batch.real));
  Round round{.real = {with_instance_noise(batch.real), batch.real_labels, {}},
              .fake = {with_instance_noise(batch.fake), batch.latents.labels, {}},
              .codes = batch.latents.codes};
  const bool penalized = !objective_.penalties.empty() && penalty_due(critic_steps_done_);
  std::optional<SideStreams> beside;
  if (penalized && passes_beside_) beside.emplace(options_.device);
  judge_both(round);
  const Tensor real = round.real.judgement.logits, fake = round.fake.judgement.logits;
  if (objective_.equilibrium) {
    last_.energy_real = mean(real.detach());
    last_.energy_fake = mean(fake.detach());
  }
  flip_labels(round);
  Tensor loss = adversarial_loss_of_d(round);
  last_.terms_d.clear();
  loss = with_terms(loss, objective_.d_terms, round, diagnostics ? &last_.terms_d : nullptr);
  last_.penalty = {};
  last_.input_gradient_norm = {};
  if (penalized) {
    const auto interval = static_cast<double>(objective_.schedule.lazy_interval);
    std::vector<PenaltyResult> results;
    const auto judge_points = [&] {
      const LendDefaultGenerator lent(layers_d_);
      for (const Penalty& penalty : objective_.penalties) {
        const Tensor& labels =
            penalty.sampling.labels == LabelsOf::fake ? round.fake.labels : round.real.labels;
        const Tensor points =
            penalty.sampling.points(round.real.samples.detach(), round.fake.samples.detach(), penalty_noise_);
        results.push_back(
            gradient_penalty(*networks_.discriminator,
                             packed(checked_points(penalty, points, round.real.samples, labels.defined())),
                             penalty.shape, penalty.weight * interval, labels));
      }
    };
    if (beside) {
      beside->run(judge_points);
      beside->join();
    } else {
      judge_points();
    }
    for (const PenaltyResult& result : results) {
      loss = add(loss, result.value);
      last_.penalty =
          last_.penalty.defined() ? add(last_.penalty, result.value.detach()) : result.value.detach();
    }
    last_.input_gradient_norm = mean_norm(results);
  }
  last_.loss_d = loss.detach();
  last_.d_real = last_.d_fake = last_.p_real = last_.p_fake = {};
  if (diagnostics) {
    last_.d_real = mean(real.detach());
    last_.d_fake = mean(fake.detach());
    last_.p_real = mean(sigmoid(real.detach()));
    last_.p_fake = mean(sigmoid(fake.detach()));
  }
  if (diagnostics && record_) {
    record_->batch = batch;
    record_->batch.fake = batch.fake.detach();
    record_->real_logits = real.detach();
    record_->fake_logits = fake.detach();
  }
  return loss;
}

Tensor Trainer::loss_of_g(const Batch& batch, Weights weights_of_d, bool diagnostics) {
  const auto generated = [&] {
    const LendDefaultGenerator lent(layers_g_);
    return (*networks_.generator)(batch.latents.input);
  };
  Round round{.real = {batch.real, batch.real_labels, {}},
              .fake = {with_instance_noise(generated()), batch.latents.labels, {}},
              .codes = batch.latents.codes};
  const auto reads_real = [](const Term& term) { return term.reads_real; };
  const bool needs_real = generator_needs_real(objective_.loss, objective_.relativism) ||
                          std::any_of(objective_.g_terms.begin(), objective_.g_terms.end(), reads_real);
  const int64_t ahead = objective_.schedule.unroll;
  if (needs_real || ahead > 0) round.real.samples = with_instance_noise(batch.real);
  // Unrolled: D as it will be after some steps against these samples, a function of G's weights.
  std::optional<nn::ScopedParameters> moved;
  if (ahead > 0) {
    moved.emplace(parameters_d_, unrolled_parameters({parameters_d_, *optimizer_d_}, ahead, [&] {
                    Round inner = round;
                    judge_both(inner);
                    flip_labels(inner);
                    return with_terms(adversarial_loss_of_d(inner), objective_.d_terms, inner, nullptr);
                  }));
  }
  const auto judge_real = [&] {
    std::optional<NoGrad> constant;
    if (weights_of_d == Weights::constant && ahead == 0) constant.emplace();
    round.real.judgement = judge(round.real.samples, round.real.labels);
  };
  const auto judge_fake = [&] {
    // Where D's weights are constants of G's loss, nothing is recorded for them.
    std::optional<NoParamGrad> frozen;
    if (weights_of_d == Weights::constant) frozen.emplace();
    round.fake.judgement = judge(round.fake.samples, round.fake.labels);
  };
  needs_real ? two_passes(judge_real, judge_fake) : judge_fake();
  last_.terms_g.clear();
  const Tensor loss = with_terms(generator_loss(objective_.loss, objective_.relativism,
                                                round.real.judgement.logits, round.fake.judgement.logits),
                                 objective_.g_terms, round, diagnostics ? &last_.terms_g : nullptr);
  last_.loss_g = loss.detach();
  return loss;
}

void Trainer::keep_norms_d(const std::vector<Tensor>& gradients, const Batch& batch) {
  last_.grad_norm_d = nn::gradient_norms(gradients).total;
  if (record_) record_->gradients_d = gradients;
  if (last_.input_gradient_norm.defined()) return;
  // A fixed eps: diagnostics draw no random numbers, so that the run is the same without them.
  const QuietDraws quiet(*this);
  const Tensor middle = packed(line_points(batch.real, batch.fake.detach(),
                                           Tensor::full({batch.real.dim(0)}, 0.5, batch.real.options())));
  last_.input_gradient_norm = Tensor::full(
      {}, mean_gradient_norm(*networks_.discriminator, middle, batch.real_labels), {DType::f64, {}});
}

void Trainer::keep_norms_g(const std::vector<Tensor>& gradients) {
  last_.grad_norm_g = nn::gradient_norms(gradients).total;
  if (record_) record_->gradients_g = gradients;
}

void Trainer::critic_update(const Batch& batch, bool diagnostics) {
  last_gradients_ = grad({loss_of_d(batch, diagnostics)}, parameters_d_, {}, {.allow_unused = true});
  last_.grad_norm_d = {};
  if (diagnostics) keep_norms_d(last_gradients_, batch);
  if (diagnostics && record_) record_->weights_d = arena_d_.copies();
  optimizer_d_->step(last_gradients_);
  balance();
  ++critic_steps_done_;
}

void Trainer::generator_update(const Batch& batch, bool diagnostics) {
  last_gradients_ =
      grad({loss_of_g(batch, Weights::constant, diagnostics)}, parameters_g_, {}, {.allow_unused = true});
  last_.grad_norm_g = {};
  if (diagnostics) keep_norms_g(last_gradients_);
  if (diagnostics && record_) record_->weights_g = arena_g_.copies();
  optimizer_g_->step(last_gradients_);
}

void Trainer::joint_update(const Batch& batch, bool diagnostics) {
  Batch now = batch;
  if (diagnostics && record_) {
    record_->weights_d = arena_d_.copies();
    record_->weights_g = arena_g_.copies();
  }
  const Schedule& s = objective_.schedule;
  const bool mutual = s.update == Update::consensus;  // each loss recorded for both players' weights
  const Game game{{parameters_d_, *optimizer_d_}, {parameters_g_, *optimizer_g_}, [&] {
                    if (mutual) {
                      const LendDefaultGenerator lent(layers_g_);
                      now.fake = (*networks_.generator)(batch.latents.input);
                    } else {
                      now.fake = generate(batch.latents.input);
                    }
                    const Tensor loss_d = loss_of_d(now, diagnostics);
                    return std::pair(
                        loss_d, loss_of_g(now, mutual ? Weights::recorded : Weights::constant, diagnostics));
                  }};
  const Gradients gradients = mutual                              ? consensus_update(game, s.consensus)
                              : s.update == Update::extragradient ? extragradient_update(game)
                                                                  : simultaneous_update(game);
  last_.grad_norm_d = last_.grad_norm_g = {};
  if (diagnostics) {
    keep_norms_d(gradients.d, now);
    keep_norms_g(gradients.g);
  }
  last_gradients_ = gradients.g;
  balance();
  ++critic_steps_done_;
}

namespace {
/// Batches of one kind start the same kernels.
std::string kind_of(const char* call, const Trainer::Batch& batch) {
  std::string kind = call;
  for (const Tensor* t : {&batch.real, &batch.real_labels, &batch.fake, &batch.latents.input,
                          &batch.latents.labels, &batch.latents.codes}) {
    kind += " " + (t->defined() ? to_text(*t) : std::string("-"));
  }
  return kind;
}
}  // namespace

void Trainer::critic_step(const Batch& batch, bool diagnostics) {
  attempt(gan::kind_of("critic_step", batch), [&] { critic_update(batch, diagnostics); });
}

void Trainer::generator_step(const Batch& batch, bool diagnostics) {
  attempt(gan::kind_of("generator_step", batch), [&] { generator_update(batch, diagnostics); });
}

void Trainer::joint_step(const Batch& batch, bool diagnostics) {
  attempt(gan::kind_of("joint_step", batch), [&] { joint_update(batch, diagnostics); });
}

// The next n samples, and what G starts from for as many fakes.
Trainer::Batch Trainer::draw(int64_t n) {
  const Tensor index = order_.next(n);
  Batch batch{.real = data_->batch(index, options_.dtype)};
  batch.latents = draw_latents(networks_.latent, n, latent_random_, {options_.dtype, options_.device});
  if (batch.latents.labels.defined()) batch.real_labels = data_->labels(index);
  return batch;
}

void Trainer::step(bool diagnostics, StepRecord* record) {
  DUEL_CHECK(data_, "trainer", "step() needs a data set");
  diagnostics = diagnostics || record;
  record_ = record;
  const struct Recording {
    StepRecord*& slot;
    ~Recording() { slot = nullptr; }
  } recording{record_};
  const int64_t critic_steps = critic_steps_now();
  attempt("step " + kind_of(critic_steps) + (diagnostics ? " diagnostics" : ""), [&] {
    begin_iteration();
    if (options_.graphs && options_.device.is_cuda() && !diagnostics) {
      replay(critic_steps);
    } else {
      iterate(critic_steps, diagnostics);
    }
    ++iteration_;
  });
}

// One letter per critic step, since a penalty that is due in some of them only changes what is launched.
std::string Trainer::kind_of(int64_t critic_steps) const {
  std::string kind(static_cast<size_t>(critic_steps), '.');
  if (objective_.penalties.empty()) return kind;
  for (int64_t k = 0; k < critic_steps; ++k) {
    if (penalty_due(critic_steps_done_ + k)) kind[static_cast<size_t>(k)] = 'p';
  }
  return kind;
}

// What a side stream needs at its first use (handles, plans, kernels that only branches start) may not come
// up in a capture.
void Trainer::iterate_beside(int64_t critic_steps) {
  const ParallelLeafGradients beside;
  const struct Passes {
    bool& beside;
    ~Passes() { beside = false; }
  } passes{passes_beside_};
  passes_beside_ = !has_buffers(*networks_.discriminator);
  iterate(critic_steps, false);
}

// Note [An iteration is one graph] in trainer.h.
void Trainer::replay(int64_t critic_steps) {
  const auto [found, first] = kinds_.try_emplace(kind_of(critic_steps));
  Kind& kind = found->second;
  // libraries plan, memory comes into the cache, as the capture will ask
  if (first) return iterate_beside(critic_steps);
  if (!kind.graph && graphs() >= kMostGraphs) return iterate(critic_steps, false);
  const int64_t done = critic_steps_done_;
  if (!kind.graph) {
    const Shown before = last_;
    try {
      last_ = {};
      kind.graph = std::make_unique<CapturedGraph>(options_.device, [&] { iterate_beside(critic_steps); });
    } catch (...) {
      last_ = before;
      critic_steps_done_ = done;
      throw;
    }
    kind.shown = last_;
    kind.last_gradients = last_gradients_;
  }
  kind.graph->launch();
  last_ = kind.shown;
  last_gradients_ = kind.last_gradients;
  critic_steps_done_ = done + critic_steps;
}

void Trainer::iterate(int64_t critic_steps, bool diagnostics) {
  const Schedule& s = objective_.schedule;
  const bool joint = s.update != Update::alternating;
  const int64_t batch = options_.batch;
  // One gather and one draw for all critic steps of the iteration: the next batches lie ready.
  const Batch all = draw(critic_steps * batch);
  const auto part = [&](int64_t k) {
    const int64_t begin = k * batch, end = begin + batch;
    return Batch{part_of(all.real, begin, end), part_of(all.real_labels, begin, end),
                 part_of(all.fake, begin, end), slice(all.latents, begin, end)};
  };
  // The critics of one iteration meet the same G: without batch statistics in G one pass makes all their
  // fakes.
  const bool one_pass = !networks_.generator->mixes_samples();
  const Tensor fakes = one_pass && !joint ? generate(all.latents.input) : Tensor();
  for (int64_t k = 0; k < critic_steps; ++k) {
    Batch now = part(k);
    const bool look = diagnostics && k + 1 == critic_steps;
    if (joint && k + 1 == critic_steps) {
      joint_update(now, look);
      continue;
    }
    now.fake = fakes.defined() ? part_of(fakes, k * batch, (k + 1) * batch) : generate(now.latents.input);
    critic_update(now, look);
  }
  for (int64_t k = 0; k < s.generator_steps && !joint; ++k) {
    Batch last = part(critic_steps - 1);
    last.latents = draw_latents(networks_.latent, s.generator_batch * batch, latent_random_,
                                {options_.dtype, options_.device});
    generator_update(last, diagnostics && k + 1 == s.generator_steps);
  }
  DUEL_DISPATCH(options_.dtype, "trainer", {
    const auto place = [](const Tensor& t) { return t.defined() ? t.data<T>() : nullptr; };
    kernels::ring_push(stream_of(options_.device), kRemembered,
                       kernels::RingRow<T>{{place(last_.loss_d), place(last_.loss_g), place(last_.penalty)}},
                       ring_pushed_.mutable_data<int64_t>(), ring_.mutable_data<T>());
  });
}

}  // namespace duel::gan
