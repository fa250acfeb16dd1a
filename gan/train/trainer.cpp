#include "duel/gan/train/trainer.h"

#include <cmath>
#include <utility>

#include "duel/core/device/graph.h"
#include "duel/core/device/side_streams.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/kernels/training/ring.h"
#include "duel/nn/optim/grad_norm.h"

namespace duel::gan {
namespace {

std::unique_ptr<nn::Optimizer> make_optimizer(const nn::ParameterArena& arena,
                                              const OptimizerChoice& choice) {
  switch (choice.kind) {
    case OptimizerKind::adam:
      return std::make_unique<nn::Adam>(
          arena, nn::AdamOptions{.lr = choice.lr, .betas = {choice.beta1, choice.beta2}});
    case OptimizerKind::rmsprop:
      return std::make_unique<nn::RMSProp>(
          arena, nn::RMSPropOptions{.lr = choice.lr, .alpha = choice.alpha, .momentum = choice.momentum});
    case OptimizerKind::adamw:
      return std::make_unique<nn::AdamW>(arena, nn::AdamWOptions{.lr = choice.lr,
                                                                 .betas = {choice.beta1, choice.beta2},
                                                                 .weight_decay = choice.weight_decay});
    case OptimizerKind::oadam:
      return std::make_unique<nn::OptimisticAdam>(
          arena, nn::AdamOptions{.lr = choice.lr, .betas = {choice.beta1, choice.beta2}});
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

/// With copies of what its terms remember, converted and moved as the networks are.
Objective with_own_memory(Objective objective, const Networks& networks, const TrainerOptions& options) {
  for (auto* terms : {&objective.d_terms, &objective.g_terms}) {
    std::set<std::string> names;
    for (Term& term : *terms) {
      if (term.memory_of && networks.generator && networks.discriminator)
        term.memory = term.memory_of(*networks.generator, *networks.discriminator);
      DUEL_CHECK(
          term.memory.empty() || names.insert(term.name).second, "trainer",
          "two terms '{}' remember something: expected different names, by which a checkpoint knows them",
          term.name);
      for (Tensor& tensor : term.memory) {
        tensor =
            (is_floating(tensor.dtype()) ? tensor.to(options.dtype) : tensor).to(options.device).detach();
      }
    }
  }
  return objective;
}

}  // namespace

Trainer::Trainer(Networks networks, Objective objective, std::shared_ptr<const ResidentData> data,
                 TrainerOptions options)
    : networks_(std::move(networks)),
      objective_(with_own_memory(std::move(objective), networks_, options)),
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
      pseudo_random_{stream(options.seed, RandomStream::pseudo_noise),
                     stream(options.seed, RandomStream::pseudo_labels),
                     stream(options.seed, RandomStream::pseudo_codes)},
      judging_(networks_.discriminator, objective_, options.seed, {options.dtype, options.device}),
      layers_g_(stream(options.seed, RandomStream::layers_g)),
      graphs_(options.device) {
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
  DUEL_CHECK(objective_.schedule.lr_decay_steps == 0 ||
                 !(objective_.schedule.d.lr_rule || objective_.schedule.g.lr_rule),
             "trainer", "{} has two rules for its rates: expected lr_rule or lr_decay_steps",
             objective_.name);
  if (objective_.equilibrium) balance_ = Tensor::zeros({}, {options.dtype, options.device});
  DUEL_CHECK(!data_ || data_->device() == options.device, "trainer",
             "data: expected it on {}, where the trainer computes, got {}", options.device, data_->device());
  if (objective_.constraint.weight_clip > 0) optimizer_d_->set_clip(objective_.constraint.weight_clip);
  if (objective_.schedule.ema > 0) optimizer_g_->set_ema(objective_.schedule.ema, /*warm_up=*/true);
  if (objective_.schedule.lookahead > 0) {
    lookahead_d_ = std::make_unique<nn::Lookahead>(arena_d_, objective_.schedule.lookahead_alpha);
    lookahead_g_ = std::make_unique<nn::Lookahead>(arena_g_, objective_.schedule.lookahead_alpha);
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

void Trainer::begin_iteration(int64_t number) {
  judging_.begin_iteration(number);
  const Schedule& s = objective_.schedule;
  for (const auto& [choice, optimizer] :
       {std::pair(&s.d, optimizer_d_.get()), std::pair(&s.g, optimizer_g_.get())}) {
    if (choice->lr_rule) {
      const double rate = choice->lr_rule(choice->lr, number);
      DUEL_CHECK(rate >= 0 && std::isfinite(rate), "trainer",
                 "the rule of {}'s rate gave {} for iteration {}: expected a finite number of at least 0",
                 choice == &s.d ? "D" : "G", rate, number);
      optimizer->set_lr(rate);
    } else if (s.lr_decay_steps > 0) {
      optimizer->set_lr(choice->lr * share_left(number, s.lr_decay_steps));
    }
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

Round Trainer::round_of(const Batch& batch, int64_t step) const {
  return {.real = {batch.real, batch.real_labels, {}},
          .fake = {batch.fake, batch.latents.labels, {}},
          .codes = batch.latents.codes,
          .latents = batch.latents.input,
          .noise_columns = networks_.latent.noise,
          .generator = networks_.generator.get(),
          .discriminator = networks_.discriminator.get(),
          .step = step};
}

Tensor Trainer::loss_of_d(const Batch& batch, int64_t step, const Look& look, Shown& shown) {
  Round round = round_of(batch, step);
  round.real.samples = shown_as_real(batch);
  LossOfD d = gan::loss_of_d(objective_, judging_, std::move(round), balance_, penalty_due(step),
                             objective_.schedule.update == Update::consensus);
  shown.loss_d = d.value.detach();
  shown.penalty = d.penalty;
  shown.input_gradient_norm = d.input_gradient_norm;
  if (objective_.equilibrium) {
    shown.energy_real = mean(d.real_logits);
    shown.energy_fake = mean(d.fake_logits);
  }
  if (objective_.adaptation.on()) shown.real_logits = d.real_logits;
  shown.terms_d.clear();
  shown.d_real = shown.d_fake = shown.p_real = shown.p_fake = {};
  if (look.on && objective_.loss.witness) {
    const NoGrad no_grad;
    const PenalisedValue value = witness_beside(objective_.loss, d.real, d.fake);
    d.real_logits = value(d.real).reshape(d.real_logits.shape());
    d.fake_logits = value(d.fake).reshape(d.fake_logits.shape());
  }
  if (look.on) {
    shown.terms_d = d.terms;
    shown.d_real = mean(d.real_logits);
    shown.d_fake = mean(d.fake_logits);
    shown.p_real = mean(sigmoid(d.real_logits));
    shown.p_fake = mean(sigmoid(d.fake_logits));
  }
  if (look.record) {
    look.record->batch = batch;
    look.record->batch.fake = batch.fake.detach();
    look.record->real_logits = d.real_logits;
    look.record->fake_logits = d.fake_logits;
  }
  return d.value;
}

Tensor Trainer::led(const Latents& latents, Weights weights_of_d) {
  return stepped(objective_.latent_step, networks_.latent, latents.input, [&](const Tensor& input) {
    const Tensor samples = judging_.shown((*networks_.generator)(input));
    std::optional<NoParamGrad> frozen;
    if (weights_of_d == Weights::constant) frozen.emplace();
    const Tensor answers = judging_.judge(samples, latents.labels).logits;
    return objective_.loss.energy ? neg(answers) : answers;
  });
}

Trainer::Batch Trainer::with_fakes(Batch batch, Weights weights_of_g) {
  if (objective_.latent_step.on()) {
    const LendDefaultGenerator lent(layers_g_);
    const Tensor input = led(batch.latents, Weights::recorded);
    batch.fake = (*networks_.generator)(input);
    batch.latents.input = input.detach();
  } else if (weights_of_g == Weights::recorded) {
    const LendDefaultGenerator lent(layers_g_);
    batch.fake = (*networks_.generator)(batch.latents.input);
  } else {
    batch.fake = generate(batch.latents.input);
  }
  return batch;
}

Tensor Trainer::loss_of_g(const Batch& batch, int64_t step, Weights weights_of_d, const Look& look,
                          Shown& shown, const Tensor& fakes) {
  const LendDefaultGenerator lent(layers_g_);
  Round round = round_of(batch, step);
  Tensor input = batch.latents.input;
  if (objective_.latent_step.on()) {
    input = led(batch.latents, weights_of_d);
    round.latents = input.detach();
  }
  round.fake.samples = fakes.defined() ? fakes : (*networks_.generator)(input);
  const LossOfG g = gan::loss_of_g(objective_, judging_, std::move(round), balance_, weights_of_d,
                                   {parameters_d_, *optimizer_d_});
  shown.loss_g = g.value.detach();
  shown.terms_g = look.on ? g.terms : NamedTensors();
  return g.value;
}

Tensor Trainer::shown_as_real(const Batch& batch) {
  if (!objective_.adaptation.pseudo) return batch.real;
  const NoGrad off;
  const LatentPlan& plan = networks_.latent;
  const Latents drawn =
      draw_latents(plan, batch.real.dim(0), pseudo_random_, {options_.dtype, options_.device});
  const Latents alike =
      compose_latents(plan, slice(drawn.input, 1, 0, plan.noise), batch.real_labels, drawn.codes);
  return judging_.partly_generated(batch.real, generate(alike.input));
}

void Trainer::balance(const Shown& shown) {
  judging_.adapt(shown.real_logits);
  if (!objective_.equilibrium) return;
  const NoGrad no_grad;
  balance_.copy_(next_balance(*objective_.equilibrium, balance_, shown.energy_real, shown.energy_fake));
}

PenalisedValue Trainer::witness_of(const Batch& batch) const {
  if (!objective_.loss.witness) return nullptr;
  nn::Module& d = *networks_.discriminator;
  const NoGrad no_grad;
  const nn::EvalMode looking(d);
  const Judgement real = judge(d, packed(batch.real), batch.real_labels);
  const Judgement fake = judge(d, packed(batch.fake.detach()), batch.latents.labels);
  return witness_beside(objective_.loss, real, fake);
}

void Trainer::keep_norms_d(const std::vector<Tensor>& gradients, const Batch& batch, const Look& look,
                           Shown& shown) {
  shown.grad_norm_d = {};
  if (!look.on) return;
  shown.grad_norm_d = nn::gradient_norms(gradients).total;
  if (look.record) look.record->gradients_d = gradients;
  if (shown.input_gradient_norm.defined()) return;
  // A fixed eps: diagnostics draw no random numbers, so that the run is the same without them.
  const QuietDraws quiet(*this);
  const Tensor middle = packed(line_points(batch.real, batch.fake.detach(),
                                           Tensor::full({batch.real.dim(0)}, 0.5, batch.real.options())));
  shown.input_gradient_norm = Tensor::full(
      {}, mean_gradient_norm(*networks_.discriminator, middle, batch.real_labels, witness_of(batch)),
      {DType::f64, {}});
}

void Trainer::keep_norms_g(const std::vector<Tensor>& gradients, const Look& look, Shown& shown) {
  shown.grad_norm_g = look.on ? nn::gradient_norms(gradients).total : Tensor();
  if (look.record) look.record->gradients_g = gradients;
}

void Trainer::critic_update(const Batch& batch, int64_t step, const Look& look, Shown& shown) {
  shown.gradients = grad({loss_of_d(batch, step, look, shown)}, parameters_d_, {}, {.allow_unused = true});
  keep_norms_d(shown.gradients, batch, look, shown);
  if (look.record) look.record->weights_d = arena_d_.copies();
  optimizer_d_->step(shown.gradients);
  balance(shown);
}

void Trainer::generator_update(const Batch& batch, int64_t step, const Look& look, Shown& shown,
                               const Tensor& fakes) {
  shown.gradients = grad({loss_of_g(batch, step, Weights::constant, look, shown, fakes)}, parameters_g_, {},
                         {.allow_unused = true});
  keep_norms_g(shown.gradients, look, shown);
  if (look.record) look.record->weights_g = arena_g_.copies();
  optimizer_g_->step(shown.gradients);
}

void Trainer::joint_update(const Batch& batch, int64_t step, const Look& look, Shown& shown) {
  Batch now = batch;
  if (look.record) {
    look.record->weights_d = arena_d_.copies();
    look.record->weights_g = arena_g_.copies();
  }
  const Schedule& s = objective_.schedule;
  const bool mutual = s.update == Update::consensus;  // each loss recorded for both players' weights
  const Game game{{parameters_d_, *optimizer_d_}, {parameters_g_, *optimizer_g_}, [&] {
                    const Weights of_the_other = mutual ? Weights::recorded : Weights::constant;
                    now = with_fakes(batch, of_the_other);
                    const Tensor loss_d = loss_of_d(now, step, look, shown);
                    return std::pair(loss_d,
                                     loss_of_g(batch, generator_steps_done(), of_the_other, look, shown));
                  }};
  Gradients gradients = mutual                              ? consensus_update(game, s.consensus)
                        : s.update == Update::extragradient ? extragradient_update(game)
                                                            : simultaneous_update(game);
  keep_norms_d(gradients.d, now, look, shown);
  keep_norms_g(gradients.g, look, shown);
  shown.gradients = std::move(gradients.g);
  balance(shown);
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
  attempt(gan::kind_of("critic_step", batch), [&] {
    Shown shown = last_;
    critic_update(batch, critic_steps_done_, {diagnostics}, shown);
    last_ = std::move(shown);
    ++critic_steps_done_;
  });
}

void Trainer::generator_step(const Batch& batch, bool diagnostics) {
  attempt(gan::kind_of("generator_step", batch), [&] {
    Shown shown = last_;
    generator_update(batch, generator_steps_done(), {diagnostics}, shown);
    last_ = std::move(shown);
  });
}

void Trainer::joint_step(const Batch& batch, bool diagnostics) {
  attempt(gan::kind_of("joint_step", batch), [&] {
    Shown shown = last_;
    joint_update(batch, critic_steps_done_, {diagnostics}, shown);
    last_ = std::move(shown);
    ++critic_steps_done_;
  });
}

void Trainer::step(bool diagnostics, StepRecord* record) {
  DUEL_CHECK(data_, "trainer", "step() needs a data set");
  const Look look{diagnostics || record, record};
  const int64_t critic_steps = critic_steps_now();
  const std::string kind = kind_of(critic_steps);
  attempt("step " + kind + (look.on ? " diagnostics" : ""), [&] {
    begin_iteration();
    if (options_.graphs && options_.device.is_cuda() && !look.on) {
      last_ = graphs_.run(kind, [&](bool beside) {
        std::optional<Judging::SideBySide> passes;
        if (beside) passes.emplace(judging_);
        return iterate(critic_steps, look, beside ? options_.device : Device::cpu());
      });
    } else {
      last_ = iterate(critic_steps, look, Device::cpu());
    }
    ++iteration_;
    critic_steps_done_ += critic_steps;
    // Beside the captured iteration: the same graph whether it is due or not.
    if (lookahead_d_ && iteration_ % objective_.schedule.lookahead == 0) {
      lookahead_d_->pull_back();
      lookahead_g_->pull_back();
    }
  });
}

// One letter per critic step, since a penalty that is due in some of them only changes what is launched; and the lazy terms that
// are due.
std::string Trainer::kind_of(int64_t critic_steps) const {
  std::string kind(static_cast<size_t>(critic_steps), '.');
  for (int64_t k = 0; k < critic_steps && !objective_.penalties.empty(); ++k) {
    if (penalty_due(critic_steps_done_ + k)) kind[static_cast<size_t>(k)] = 'p';
  }
  const auto add = [&](const std::vector<Term>& terms, const char* player, int64_t from, int64_t steps) {
    for (const Term& term : terms) {
      for (int64_t k = 0; k < steps && term.every > 1; ++k) {
        if (term.due(from + k)) kind += message(" {}{}.{}", player, k, term.name);
      }
    }
  };
  add(objective_.d_terms, "d", critic_steps_done_, critic_steps);
  add(objective_.g_terms, "g", generator_steps_done(), objective_.schedule.generator_steps);
  return kind;
}

Shown Trainer::iterate(int64_t critic_steps, const Look& look, const Device& beside) {
  Shown shown;
  const Schedule& s = objective_.schedule;
  const bool joint = s.update != Update::alternating;
  const int64_t batch = options_.batch;
  // One gather and one draw for all critic steps of the iteration: the next batches lie ready.
  // The latents of G's steps too, where they are the same as of draws of their own: a draw begins at a multiple of 4, and no
  // generator draws twice for one batch.
  const int64_t drawn = critic_steps * batch, of_g = s.generator_batch * batch;
  const LatentPlan& plan = networks_.latent;
  const bool once_each = plan.categorical.size() + (plan.continuous > 0 ? 1 : 0) <= 1;
  const bool at_once = !joint && once_each && drawn % 4 == 0 && of_g % 4 == 0;
  Batch all;
  all.latents = draw_latents(plan, drawn + (at_once ? s.generator_steps * of_g : 0), latent_random_,
                             {options_.dtype, options_.device});
  // The critics of one iteration meet the same G: without batch statistics in G one pass makes all their
  // fakes.
  const bool one_pass = critic_steps == 1 || !networks_.generator->mixes_samples();
  Tensor fakes = one_pass && !joint && !objective_.latent_step.on()
                     ? generate(slice(all.latents, 0, drawn).input)
                     : Tensor();
  // D is shown them behind the real ones.
  const bool alike = fakes.defined() && fakes.dtype() == options_.dtype &&
                     fakes.device() == options_.device &&
                     fakes.shape() == data_->sample_shape().inserted(0, drawn);
  const bool behind = critic_steps == 1 && alike && judging_.shows_sides_together();
  const ResidentData::Drawn real = data_->next(order_, drawn, options_.dtype, behind ? fakes : Tensor());
  all.real = rows(real.samples, 0, drawn);
  if (behind) fakes = rows(real.samples, drawn, 2 * drawn);
  if (all.latents.labels.defined()) all.real_labels = data_->labels(real.index);
  const auto part = [&](int64_t k) {
    const int64_t begin = k * batch, end = begin + batch;
    return Batch{.real = rows(all.real, begin, end),
                 .real_labels = all.real_labels.defined() ? rows(all.real_labels, begin, end) : Tensor(),
                 .latents = slice(all.latents, begin, end)};
  };
  const auto part_of_g = [&](int64_t k) {
    Batch batch_of_g = part(critic_steps - 1);
    batch_of_g.latents =
        at_once ? slice(all.latents, drawn + k * of_g, drawn + (k + 1) * of_g)
                : draw_latents(networks_.latent, of_g, latent_random_, {options_.dtype, options_.device});
    return batch_of_g;
  };
  // What G's first step shows to D does not wait for D: it is made beside D's last step, where nothing of the user's runs, which
  // might ask G, too.
  const bool early = at_once && s.generator_steps > 0 && beside.is_cuda() && judging_.runs_own_code_alone();
  Tensor ahead;
  std::optional<SideStreams> streams;  // what is freed meanwhile waits for their join: of one step of D alone
  for (int64_t k = 0; k < critic_steps; ++k) {
    Batch now = part(k);
    const bool last = k + 1 == critic_steps;
    const int64_t step = critic_steps_done_ + k;
    if (joint && last) {
      joint_update(now, step, look, shown);
      continue;
    }
    if (fakes.defined())
      now.fake = rows(fakes, k * batch, (k + 1) * batch);
    else
      now = with_fakes(std::move(now));
    if (last && early) {
      streams.emplace(beside);
      streams->run(0, [&] {
        const LendDefaultGenerator lent(layers_g_);
        ahead = (*networks_.generator)(part_of_g(0).latents.input);
      });
    }
    critic_update(now, step, last ? look : Look(), shown);
  }
  if (streams) streams->join();
  for (int64_t k = 0; k < s.generator_steps && !joint; ++k)
    generator_update(part_of_g(k), generator_steps_done() + k, k + 1 == s.generator_steps ? look : Look(),
                     shown, k == 0 ? ahead : Tensor());
  remember(shown);
  return shown;
}

void Trainer::remember(const Shown& shown) {
  DUEL_DISPATCH(options_.dtype, "trainer", {
    const auto place = [](const Tensor& t) { return t.defined() ? t.data<T>() : nullptr; };
    kernels::ring_push(stream_of(options_.device), kRemembered,
                       kernels::RingRow<T>{{place(shown.loss_d), place(shown.loss_g), place(shown.penalty)}},
                       ring_pushed_.mutable_data<int64_t>(), ring_.mutable_data<T>(),
                       drawn_in_capture(options_.device));
  });
}

}  // namespace duel::gan
