// An objective is an algebra, not a switch:  Objective = loss × relativism × penalties × constraint × schedule.
//
// Named objectives are rows of one table with the literature's defaults; an own one is composed of the same
// parts.
//
// Example:
//   Objective wgan_gp = named_objective("wgan-gp", {{"lambda", 1.0}, {"optimizer", "adam"}});
//   Objective own{.name = "hinge + R1", .loss = hinge_loss_pair(),
//                 .penalties = {{zero_centered(), at_real(), 5.0}}};
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "duel/gan/objective/energy.h"
#include "duel/gan/objective/loss.h"
#include "duel/gan/objective/penalty.h"
#include "duel/gan/objective/regularisers/adaptation.h"
#include "duel/gan/objective/regularisers/latent_step.h"
#include "duel/gan/objective/settings.h"
#include "duel/gan/objective/term.h"
#include "duel/nn/module/module.h"
#include "duel/nn/optim/lr_schedule.h"

namespace duel::gan {

enum class OptimizerKind { adam, rmsprop, sgd, adamw, oadam };
/// Their words, in this order.
const std::vector<std::string>& optimizer_words();
/// Adam and what is made of it: those with beta1 and beta2.
inline bool is_adam(OptimizerKind kind) {
  return kind != OptimizerKind::rmsprop && kind != OptimizerKind::sgd;
}

struct OptimizerChoice {
  OptimizerKind kind = OptimizerKind::adam;
  double lr = 2e-4;
  double beta1 = 0.5, beta2 = 0.999;  // Adam, AdamW, Optimistic Adam
  double weight_decay = 0.01;         // AdamW
  double alpha = 0.99;                // RMSProp
  double momentum = 0.0;              // SGD and RMSProp
  // from `lr` and the iterations done to the rate: nn::cosine_rule(10000), say (nn/optim/lr_schedule.h)
  nn::LrRule lr_rule = nullptr;
};
/// "adam 0.0002 (0.5, 0.999)", "rmsprop 5e-05".
std::string to_text(const OptimizerChoice& choice);

/// What D's weights have to obey after every step.
struct Constraint {
  double weight_clip = 0.0;  // > 0: every parameter of D ends in [-c, c] (Arjovsky 2017)
  // every weight of D is divided by its largest singular value (Miyato 2018): D is built so
  bool spectral_norm = false;
};

/// How the two players move within an iteration (update.h).
enum class Update { alternating, simultaneous, extragradient, consensus };

/// Iterations in which D takes more steps: the first ones, and every so many from then on (the WGAN code: 100
/// steps of the critic in the first 25 iterations and in every 500th).
struct Warmup {
  int64_t critic_steps = 0;  // 0: none
  int64_t first = 25, every = 500;
};

struct Schedule {
  int64_t critic_steps = 1;
  int64_t generator_steps = 1;
  int64_t generator_batch = 1;  // G's batch as a multiple of D's
  Warmup warmup = {};
  // another one with critic_steps k: k - 1 plain steps of D, then the step of both
  Update update = Update::alternating;
  double consensus = 0.1;  // gamma of Update::consensus (Mescheder 2017)
  int64_t unroll = 0;      // G plays against D so many steps ahead, on all of its loss (Metz 2017)
  OptimizerChoice d, g;
  int64_t lr_decay_steps = 0;        // both rates fall linearly to zero over so many iterations; 0: constant
  double label_flip = 0.0;           // probability with which D is told the wrong label of a sample
  double instance_noise = 0.0;       // deviation of normal noise on D's inputs (Arjovsky & Bottou 2017)
  int64_t instance_noise_steps = 0;  // annealed linearly to zero over so many iterations; 0: constant
  int64_t packing = 1;               // samples that D judges together (PacGAN, Lin 2018)
  // share of a batch that G learns from, those that D finds best (Sinha et al. 2020, arXiv:2002.06224); 1: all
  double top_k = 1.0;
  double ema = 0.0;  // > 0: decay of G's moving average, used for samples
  // every so many iterations both players' weights go back to between where they were at the last such time and where they
  // are, lookahead_alpha of the way (Lookahead, Zhang et al. 2019, arXiv:1907.08610; of games, Chavdarova et al. 2021,
  // arXiv:2006.14567, algorithm 1): nn/optim/lookahead.h. 0: never
  int64_t lookahead = 0;
  double lookahead_alpha = 0.5;
  int64_t lazy_interval = 1;  // penalties every so many critic steps, their weight multiplied by it
};

/// What D's inputs go through before it sees them, real and generated ones alike, each time drawn anew: from
/// samples [N, ...] to as many of the same shape. Differentiable in them, so that G's gradient passes it, and
/// it draws from `random` only, which checkpoints hold (DiffAugment: Zhao 2020, arXiv:2006.10738).
using Augmentation = std::function<Tensor(const Tensor& samples, Generator& random)>;

struct Objective {
  std::string name = "";
  Loss loss = non_saturating_loss();
  Relativism relativism = Relativism::none;
  std::vector<Penalty> penalties = {};
  std::vector<Term> d_terms = {}, g_terms = {};
  Constraint constraint = {};
  Schedule schedule = {};
  CriticKind critic = CriticKind::plain;  // what D must be
  Codes codes = Codes();                  // what a code_head finds in G's input
  int64_t embedding = 0;                  // numbers per sample that an embedding has
  NoiseKind noise = NoiseKind::normal;
  bool batch_norm_in_d = true;                  // whether D's automatic normalisation may be batch norm
  std::optional<Equilibrium> equilibrium = {};  // k on the fakes' term of D's loss
  Augmentation augmentation = nullptr;          // before instance noise and packing; none: as they are
  Adaptation adaptation = {};                   // ADA, APA: what is done by a probability that adapts
  LatentStep latent_step = {};                  // LOGAN: of G's latents towards what D finds real
  std::string formula = "";                     // both losses, in one line each
  std::string paper = "";
  std::string rates =
      "";  // where optimizers, steps or weights are not the paper's: what that has, and why Duel differs
  std::string note = "";  // known pitfalls
};

/// Whether sigmoid(D) is a probability under this objective, so that D(x) means something.
bool has_probabilities(const Objective& objective);

/// By name, with values in place of its defaults (settings.h). An unknown name is an Error with the nearest
/// one; so is a value that the objective has no place for (a clip value without clipping, beta1 without Adam):
/// it says so, and what would make a place.
Objective named_objective(const std::string& name, const ObjectiveOverrides& overrides = {});
std::vector<std::string> objective_names();

/// Makes an objective of the program's own known by its name: to named_objective, RunConfig, checkpoints and
/// load_trainer. The newest of a name counts. Error for a name of Duel's own.
void register_objective(const std::string& name, std::function<Objective()> make);
/// Whether named_objective() knows it.
bool is_objective(const std::string& name);

/// Every value that applies to the objective, with the default where `overrides` leaves it open: what a run's
/// resolved configuration says.
ObjectiveOverrides resolved_overrides(const std::string& name, const ObjectiveOverrides& overrides = {});

/// named_objective() and resolved_overrides() in one.
struct ResolvedObjective {
  Objective objective;
  ObjectiveOverrides overrides;
};
ResolvedObjective resolved_objective(const std::string& name, const ObjectiveOverrides& overrides = {});

/// `overrides` without the values that another one leaves no place for: Adam's betas where no Adam is, the
/// fading of instance noise that is not there. Versions that took such values for nothing stored them with
/// their runs: this is how those are read.
ObjectiveOverrides without_idle(const std::string& name, ObjectiveOverrides overrides);
/// The same, but only values that are not among the settings `given` anew and lose their place to one of them.
ObjectiveOverrides without_displaced(const std::string& name, ObjectiveOverrides overrides,
                                     const std::vector<std::string>& given);

/// Throws Error with the reason where objective, critic and batch cannot work together: batch statistics in D
/// under a per-sample penalty, a batch that packing does not divide, … The table of such mixes is
/// compatibility.h. G is looked at where it is given.
void check_compatible(const Objective& objective, const nn::Module& critic, int64_t batch,
                      const nn::Module* generator = nullptr);

}  // namespace duel::gan
