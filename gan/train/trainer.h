// The fight: every iteration is critic_steps updates of D and one of G, from resident data and counter-based
// noise.
//
// Note [What a run is a function of]
// Weights after n iterations depend on (networks' initial weights, objective, data, batch, seed, n) and on
// nothing else: not on threads, not on logging, not on whether the run was interrupted and resumed. Every
// random number comes from a generator of its own stream whose state is part of the checkpoint.
//
// Note [An iteration is one graph]
// On a GPU the second iteration of a kind (so many critic steps, the penalty in these of them) is captured as
// a CUDA graph, and from then on that kind is one launch: the same kernels, the same bits, nothing waits for
// the device. Iterations with diagnostics are eager. So within an iteration no number that changes from one
// to the next may come from the host: random offsets, the place in the data's order, step counts, rates and
// the noise's deviation lie in device memory. Terms and penalties of one's own must not read results (item,
// to_vector), and an optimizer's other settings are captured as they are: forget_graphs() after changing one.
//
// Note [A refused call changes nothing]
// A call that throws leaves the Trainer as it was, bit for bit: weights, moments, buffers, generators,
// counts. What can be checked is checked first. For the rest the first call of its kind (the same shapes, the
// same critic steps) is made with a copy of everything at hand, which is put back; a kind that went through
// once does the same again, so it needs no copy. Only a term of one's own that throws later, after D has
// moved, finds that update made.
//
// Example:
//   Trainer trainer(nets, named_objective("wgan-gp"), std::make_shared<ResidentData>(draw_digits(60000, 1)), {.batch = 64});
//   for (int i = 0; i < 2000; ++i) trainer.step();
//   Tensor digits = trainer.sample(noise.normal({64, nets.latent.width()}));
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "duel/core/io/safetensors.h"
#include "duel/core/tensor/random.h"
#include "duel/core/tensor/tensor.h"
#include "duel/gan/data/resident_data.h"
#include "duel/gan/models/models.h"
#include "duel/gan/objective/objective.h"
#include "duel/gan/train/graph_runner.h"
#include "duel/gan/train/judging.h"
#include "duel/gan/train/losses.h"
#include "duel/gan/train/random_streams.h"
#include "duel/nn/optim/lookahead.h"
#include "duel/nn/optim/optim.h"
#include "duel/nn/optim/parameter_arena.h"

namespace duel::gan {

struct TrainerOptions {
  int64_t batch = 64;
  uint64_t seed = 1;
  DType dtype = DType::f32;  // the networks are converted to it
  Device device = {};        // the networks are moved there; the data must lie there
  bool graphs = true;        // on a GPU: Note [An iteration is one graph]
};

/// In Metrics, where a number was not taken. (One that was taken can be NaN too: of a run that diverged.)
inline constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

/// What one iteration showed. Losses of the last critic step and of the generator step; logits are means over
/// the batch. Without diagnostics only the losses and the penalty are taken, and the gradient's norm where a
/// penalty takes it anyway.
struct Metrics {
  int64_t iteration = 0;
  double loss_d = kNotMeasured, loss_g = kNotMeasured;
  double penalty = 0;  // also where none was due
  // mean raw logits; of a loss with a witness that one's means
  double d_real = kNotMeasured, d_fake = kNotMeasured;
  // means of sigmoid(logit): D(x) and D(G(z)) where the loss is a cross-entropy
  double p_real = kNotMeasured, p_fake = kNotMeasured;
  // mean of ‖∇ₓ D‖ at the points of all penalties, half way between real and fake without one
  double input_gradient_norm = kNotMeasured;
  double grad_norm_d = kNotMeasured, grad_norm_g = kNotMeasured;
  // the objective's extra terms before their weights, by name
  std::vector<std::pair<std::string, double>> terms_d = {}, terms_g = {};
  // under an Equilibrium its k and convergence (energy.h); the probability that adapts (adaptation.h)
  std::vector<std::pair<std::string, double>> more = {};
};

/// Of one iteration: its last critic step and the generator's.
struct Losses {
  int64_t iteration = 0;
  double loss_d = 0, loss_g = 0, penalty = 0;
};

struct StepRecord;

class Trainer {
 public:
  /// Checks that objective, networks and batch fit (check_compatible). `data` may be null where only
  /// critic_step and generator_step are called.
  Trainer(Networks networks, Objective objective, std::shared_ptr<const ResidentData> data,
          TrainerOptions options);

  /// One iteration, and where it is due both players' weights go back (Schedule::lookahead). With diagnostics on, metrics() afterwards is complete; the weights are the same either
  /// way. A record is filled for diagnose() (diagnostics.h) and turns diagnostics on.
  void step(bool diagnostics = false, StepRecord* record = nullptr);

  /// Sets what follows the iteration's number: rates that decay, the deviation of noise that fades. step()
  /// calls it first. Everything else of an iteration leaves these values alone: only device memory changes
  /// from one to the next.
  void begin_iteration() { begin_iteration(iteration_); }
  void begin_iteration(int64_t number);
  /// Updates of D in the next iteration.
  int64_t critic_steps_now() const;
  /// Captured iterations; 0 on the CPU.
  int64_t graphs() const { return graphs_.count(); }
  /// The captured iterations by kind, for who looks at their nodes (duel bench graph).
  std::map<std::string, const CapturedGraph*> captured() const { return graphs_.captured(); }
  /// They are captured anew when next needed.
  void forget_graphs() { graphs_.forget(); }

  /// The parts of step(), for tests and own loops. real and fake [N, ...]; labels and codes where the
  /// objective has them.
  struct Batch {
    Tensor real = {}, real_labels = {};
    Tensor fake = {};  // critic_step: made by G already
    // generator_step and joint_step: what G starts from; critic_step: labels and codes of `fake`
    Latents latents = {};
  };
  void critic_step(const Batch& batch, bool diagnostics = false);
  void generator_step(const Batch& batch, bool diagnostics = false);
  /// One update of both players (Schedule::update other than alternating).
  void joint_step(const Batch& batch, bool diagnostics = false);
  /// The same without labels and codes. z [N, latent width].
  void critic_step(const Tensor& real, const Tensor& fake, bool diagnostics = false) {
    critic_step({.real = real, .fake = fake}, diagnostics);
  }
  void generator_step(const Tensor& z, const Tensor& real, bool diagnostics = false) {
    generator_step({.real = real, .latents = {.input = z}}, diagnostics);
  }
  /// Samples as D takes them: `packing` of them side by side as channels.
  Tensor packed(const Tensor& samples) const { return judging_.packed(samples); }
  /// L_D of both sides' logits as D trains on it, k of an Equilibrium included; penalties and terms left out.
  Tensor adversarial_loss_of_d(const Round& round) const {
    return gan::adversarial_loss_of_d(objective_, round, balance_);
  }
  /// What tells of a sample, as D judges it, which side of the batch it is from: the loss's witness, D in evaluation mode; null
  /// where D's logit does.
  PenalisedValue witness_of(const Batch& batch) const;
  /// G(z) in training mode without a graph.
  Tensor generate(const Tensor& z);

  /// The losses (and, after step(true), the rest) of the last iteration, NaN for what it did not measure;
  /// reads the device.
  Metrics metrics() const;
  /// Of the last iterations that step() made here, oldest first, at most kRemembered; one read of the device
  /// for all.
  std::vector<Losses> recent_losses() const;
  static constexpr int64_t kRemembered = 1024;
  /// Iterations done.
  int64_t iteration() const { return iteration_; }
  /// G(z) in evaluation mode, by the moving average of G's weights where the objective keeps one, with
  /// batch-norm statistics gathered under it (nn/optim/averaged_weights.h). [N, C, H, W] on the trainer's
  /// device; z may lie on another. A function of weights and z: it draws nothing.
  Tensor sample(const Tensor& z);

  /// What is not finite, and since which update: "g.0.weight is not finite at flat index 3, since update 12
  /// of G". Looks at gradients, weights, moments, averages and buffers; empty where all is well, which costs
  /// next to nothing to find out.
  std::optional<std::string> first_nonfinite() const;

  /// While it lives layers that draw random numbers (dropout) draw from a generator that nothing depends on:
  /// a look at the networks between two iterations does not change the run. On a GPU it waits for the device.
  class QuietDraws {
   public:
    explicit QuietDraws(const Trainer& trainer);
    ~QuietDraws();
    QuietDraws(const QuietDraws&) = delete;

   private:
    const Trainer& trainer_;
    Generator::State d_, g_;
    Generator own_;
    LendDefaultGenerator lent_;
  };

  /// Everything that decides the future: weights, buffers, moments, EMA, generators, data order, iteration.
  /// On the CPU, whatever the trainer's device: a checkpoint goes on on any. The average is a network of its
  /// own, "g_ema.NAME", what sample() uses.
  TensorFile state() const;
  /// Restores it; throws Error naming key, expectation and find, and changes nothing then. Values that are
  /// not finite are refused. Files of before version 0.2 (the average beside the optimizer's moments, no
  /// generators of layers) are taken.
  void restore(const TensorFile& state);

  const Networks& networks() const { return networks_; }
  const Objective& objective() const { return objective_; }
  const TrainerOptions& options() const { return options_; }
  const std::shared_ptr<const ResidentData>& data() const { return data_; }
  nn::Optimizer& optimizer_d() { return *optimizer_d_; }
  nn::Optimizer& optimizer_g() { return *optimizer_g_; }
  /// D and G parameters' gradients of the last critic_step / generator_step, in order of parameters().
  const std::vector<Tensor>& last_gradients() const { return last_.gradients; }

 private:
  /// Whether an iteration is looked at, and what for.
  struct Look {
    bool on = false;
    StepRecord* record = nullptr;
  };
  /// Note [A refused call changes nothing].
  void attempt(const std::string& kind, const std::function<void()>& work);
  /// All that a checkpoint holds but for what follows from the rest (the average's buffers), and of that what
  /// moves without an update: generators, counts, k, what terms remember.
  std::vector<StatePart> parts() const;
  std::vector<StatePart> moving_parts() const;
  /// The optimizers' moments, and G's average as a network.
  StatePart optimizers() const;
  /// The buffers that belong to the average; empty without one or without statistics in G.
  const nn::StateDict& average_buffers() const;
  bool has_average_buffers() const;
  // What they find goes where `shown` says; `step`: number of the update of D.
  void critic_update(const Batch& batch, int64_t step, const Look& look, Shown& shown);
  /// `step`: number of the update of G; `fakes`: of its latents with their graph, where they are made already.
  void generator_update(const Batch& batch, int64_t step, const Look& look, Shown& shown,
                        const Tensor& fakes = {});
  void joint_update(const Batch& batch, int64_t step, const Look& look, Shown& shown);
  /// `beside`: the GPU where work may go on side streams, else the CPU.
  Shown iterate(int64_t critic_steps, const Look& look, const Device& beside);
  std::string kind_of(int64_t critic_steps) const;
  /// Number of the first update of G in this iteration.
  int64_t generator_steps_done() const { return iteration_ * objective_.schedule.generator_steps; }
  bool penalty_due(int64_t step) const { return step % objective_.schedule.lazy_interval == 0; }
  /// `step`: of the player whose loss it is.
  Round round_of(const Batch& batch, int64_t step) const;
  Tensor loss_of_d(const Batch& batch, int64_t step, const Look& look, Shown& shown);
  Tensor loss_of_g(const Batch& batch, int64_t step, Weights weights_of_d, const Look& look, Shown& shown,
                   const Tensor& fakes = {});
  /// Latents as the objective leads them before G makes samples of them, with the graph of that (latent_step.h).
  Tensor led(const Latents& latents, Weights weights_of_d);
  /// The batch with D's fakes of its latents.
  Batch with_fakes(Batch batch, Weights weights_of_g = Weights::constant);
  /// The batch's real samples, some of them generated ones where the objective says so: APA (adaptation.h).
  Tensor shown_as_real(const Batch& batch);
  /// Moves k, and the probability that adapts, after a step of D.
  void balance(const Shown& shown);
  void keep_norms_d(const std::vector<Tensor>& gradients, const Batch& batch, const Look& look, Shown& shown);
  void keep_norms_g(const std::vector<Tensor>& gradients, const Look& look, Shown& shown);
  void remember(const Shown& shown);

  Networks networks_;
  Objective objective_;  // what its terms remember is the Trainer's own
  std::shared_ptr<const ResidentData> data_;
  TrainerOptions options_;
  nn::ParameterArena arena_d_, arena_g_;
  std::vector<Tensor> parameters_d_, parameters_g_;
  std::unique_ptr<nn::Optimizer> optimizer_d_, optimizer_g_;
  std::unique_ptr<nn::Lookahead> lookahead_d_, lookahead_g_;  // where the schedule has it
  // Mutable: parts() hands them out to be read and set.
  mutable DataOrder order_;
  mutable LatentGenerators latent_random_, pseudo_random_;
  mutable Judging judging_;
  mutable Generator layers_g_;  // what G's layers draw: lent as the default generator while it runs
  mutable int64_t iteration_ = 0, critic_steps_done_ = 0;
  Tensor balance_;  // k of the objective's Equilibrium, shape []; undefined without one
  // every iteration's losses [kRemembered, kernels::kRingColumns], and how many i64 [1]
  Tensor ring_, ring_pushed_;
  Shown last_;
  std::set<std::string> tried_;  // kinds of calls that went through
  // of both networks, floating ones, by their names in a checkpoint
  NamedTensors buffers_;
  mutable nn::StateDict average_buffers_;
  mutable int64_t average_buffers_at_ = -1;  // the update of G that they belong to
  GraphRunner graphs_;
};

/// What one iteration leaves behind for diagnose(): handles to what its last updates of D and G saw, and
/// copies of the weights before them. All stays on the device.
struct StepRecord {
  Trainer::Batch batch = {};  // of D's update
  // D's raw logits in that update, without a graph; of a loss with a witness its values [N, 1]
  Tensor real_logits = {}, fake_logits = {};
  std::vector<Tensor> gradients_d = {}, gradients_g = {};  // in order of parameters()
  std::vector<Tensor> weights_d = {}, weights_g = {};      // one per block of the arena, before the update
};

}  // namespace duel::gan
