// The table of impossible mixes.
#include "duel/gan/objective/compatibility.h"

#include <algorithm>

#include "duel/gan/objective/critic.h"
#include "duel/gan/objective/distances/fisher.h"
#include "duel/gan/objective/internal/layers_of.h"
#include "duel/gan/objective/regularisers/regularisers.h"
#include "duel/nn/norm/batch_norm.h"

namespace duel::gan {
namespace {

using namespace detail;

bool alone_in_d(const Mix& m) {
  return m.batch / m.objective.schedule.packing < 2 && has_flat_batch_norm(m.critic);
}
bool alone_in_g(const Mix& m) { return m.generator && m.batch < 2 && has_flat_batch_norm(*m.generator); }

bool mixes_images(const Objective& o) {
  return std::any_of(o.d_terms.begin(), o.d_terms.end(),
                     [](const Term& term) { return term.name == kCutmix; });
}

const Penalty* without_functions(const Objective& o) {
  for (const Penalty& penalty : o.penalties) {
    if (!penalty.shape.apply || !penalty.sampling.points) return &penalty;
  }
  return nullptr;
}
/// The first term of D, then of G, for which `is` holds; null without one.
const Term* first_term(const Objective& o, bool (*is)(const Term&)) {
  for (const auto* terms : {&o.d_terms, &o.g_terms}) {
    for (const Term& term : *terms) {
      if (is(term)) return &term;
    }
  }
  return nullptr;
}
bool has_no_value(const Term& term) { return !term.value; }
bool is_never_due(const Term& term) { return term.every < 1; }
bool is_lazy(const Term& term) { return term.every > 1; }
/// Samples that D judges in its own step, and in G's.
int64_t judged_by_d(const Mix& m) { return m.batch / m.objective.schedule.packing; }
int64_t judged_for_g(const Mix& m) {
  return m.batch * m.objective.schedule.generator_batch / m.objective.schedule.packing;
}
/// The first term that needs more samples than there are.
const Term* short_of_samples(const Mix& m) {
  const auto first = [](const std::vector<Term>& terms, int64_t samples) {
    const auto found =
        std::find_if(terms.begin(), terms.end(), [&](const Term& t) { return t.least_samples > samples; });
    return found == terms.end() ? nullptr : &*found;
  };
  const Term* of_d = first(m.objective.d_terms, judged_by_d(m));
  return of_d ? of_d : first(m.objective.g_terms, judged_for_g(m));
}
/// The first penalty that aims at a norm above 0.
const Penalty* aiming(const Objective& o) {
  for (const Penalty& penalty : o.penalties) {
    if (penalty.shape.with_k && penalty.shape.k > 0) return &penalty;
  }
  return nullptr;
}

bool joint_loss(const Objective& o) { return o.loss.d_joint || o.loss.g_joint; }
bool joint_update(const Objective& o) { return o.schedule.update != Update::alternating; }

}  // namespace

const std::vector<ImpossibleMix>& impossible_mixes() {
  static const std::vector<ImpossibleMix> mixes = {
      {"an empty batch", [](const Mix& m) { return m.batch < 1; },
       [](const Mix& m) { return message("batch: expected an integer of at least 1, got {}", m.batch); }},
      {"a schedule without steps",
       [](const Mix& m) {
         const Schedule& s = m.objective.schedule;
         return s.critic_steps < 1 || s.generator_steps < 1 || s.generator_batch < 1 || s.packing < 1 ||
                s.lazy_interval < 1;
       },
       [](const Mix& m) {
         return message(
             "{}: expected critic steps, generator steps, generator batch, packing and lazy interval of at "
             "least 1",
             m.objective.name);
       }},
      {"a loss without its terms",
       [](const Mix& m) {
         const Loss& l = m.objective.loss;
         return joint_loss(m.objective) ? !(l.d_joint && l.g_joint) : !(l.d_real && l.d_fake && l.g_fake);
       },
       [](const Mix& m) {
         return message(
             "the loss '{}' lacks a term: expected d_real, d_fake and g_fake, or d_joint and g_joint",
             m.objective.loss.name);
       }},
      {"a penalty without its functions",
       [](const Mix& m) { return without_functions(m.objective) != nullptr; },
       [](const Mix& m) {
         const Penalty& p = *without_functions(m.objective);
         return p.shape.apply
                    ? message(
                          "{}: the penalty sampling '{}' has no points: expected a function that gives them",
                          m.objective.name, p.sampling.name)
                    : message(
                          "{}: the penalty shape '{}' has no apply: expected a function from norms [N] to "
                          "penalties [N]",
                          m.objective.name, p.shape.name);
       }},
      {"a term without its value",
       [](const Mix& m) { return first_term(m.objective, has_no_value) != nullptr; },
       [](const Mix& m) {
         return message(
             "{}: the term '{}' has no value: expected a function of the round that gives one number",
             m.objective.name, first_term(m.objective, has_no_value)->name);
       }},
      {"a clip value below zero", [](const Mix& m) { return !(m.objective.constraint.weight_clip >= 0); },
       [](const Mix& m) {
         return message("{}: weight_clip: expected a number above 0, or 0 for no clipping, got {}",
                        m.objective.name, m.objective.constraint.weight_clip);
       }},
      {"a term that is never due",
       [](const Mix& m) { return first_term(m.objective, is_never_due) != nullptr; },
       [](const Mix& m) {
         const Term& term = *first_term(m.objective, is_never_due);
         return message("{}: the term '{}' is asked in every {}-th step: expected every of at least 1",
                        m.objective.name, term.name, term.every);
       }},
      {"a per-sample penalty, D mixing samples",
       [](const Mix& m) { return !m.objective.penalties.empty() && m.critic.mixes_samples(); },
       [](const Mix& m) {
         return message(
             "{} takes the gradient norm of each sample, but in this critic a sample's output depends on the "
             "whole batch, "
             "through batch norm or minibatch standard deviation: use layer, instance or no normalisation in "
             "D",
             m.objective.name);
       }},
      {"a per-sample penalty, packing",
       [](const Mix& m) { return !m.objective.penalties.empty() && m.objective.schedule.packing > 1; },
       [](const Mix& m) {
         return message(
             "{} takes the gradient norm of each sample, but with packing {} D's output belongs to {} "
             "samples at once: "
             "use one or the other",
             m.objective.name, m.objective.schedule.packing, m.objective.schedule.packing);
       }},
      {"heads, a critic without them",
       [](const Mix& m) {
         return m.objective.critic != CriticKind::plain &&
                (!dynamic_cast<const Critic*>(&m.critic) || dynamic_cast<const SequentialCritic*>(&m.critic));
       },
       [](const Mix& m) {
         return message(
             "{} reads more of D than a logit: expected a Critic with its heads (make_networks makes one for "
             "the objective), got {}",
             m.objective.name, m.critic.describe());
       }},
      {"heads, packing",
       [](const Mix& m) {
         return m.objective.critic != CriticKind::plain && m.objective.schedule.packing > 1;
       },
       [](const Mix& m) {
         return message(
             "{} has no packing: its D says something about each image, and cannot judge {} as one; "
             "use packing 1",
             m.objective.name, m.objective.schedule.packing);
       }},
      {"codes to find, none given",
       [](const Mix& m) {
         return m.objective.critic == CriticKind::code_head && m.objective.codes.count() == 0;
       },
       [](const Mix& m) {
         return message("{} has no codes to find: expected code-classes or code-values above 0",
                        m.objective.name);
       }},
      {"an equilibrium, relativism",
       [](const Mix& m) { return m.objective.equilibrium && m.objective.relativism != Relativism::none; },
       [](const Mix& m) {
         return message(
             "{} weighs the energies of real and fake samples apart: they cannot be relativistic: "
             "use Relativism::none",
             m.objective.name);
       }},
      {"an equilibrium, a joint loss",
       [](const Mix& m) { return m.objective.equilibrium && joint_loss(m.objective); },
       [](const Mix& m) {
         return message(
             "{} weighs D's loss on real and on fake samples apart, but the loss '{}' is joint: "
             "expected one of d_real, d_fake and g_fake",
             m.objective.name, m.objective.loss.name);
       }},
      {"an equilibrium, unrolling",
       [](const Mix& m) { return m.objective.equilibrium && m.objective.schedule.unroll > 0; },
       [](const Mix& m) {
         return message(
             "{} moves the balance of D's loss after every step of D, which steps ahead of D would leave "
             "where it is: use unroll 0",
             m.objective.name);
       }},
      {"a multiplier, a look ahead of D",
       [](const Mix& m) {
         const Schedule& s = m.objective.schedule;
         const auto& terms = m.objective.d_terms;
         return (s.unroll > 0 || s.update == Update::extragradient) &&
                std::any_of(terms.begin(), terms.end(), has_multiplier);
       },
       [](const Mix& m) {
         return message(
             "{} moves the multiplier of its constraint with every step of D, and looking ahead takes D's loss more "
             "than once for a step: use unroll 0, and another update than extragradient",
             m.objective.name);
       }},
      {"packing, a batch that it does not divide",
       [](const Mix& m) { return m.batch % m.objective.schedule.packing != 0; },
       [](const Mix& m) {
         return message("packing {} does not divide the batch of {}: D judges {} samples together",
                        m.objective.schedule.packing, m.batch, m.objective.schedule.packing);
       }},
      {"batch norm of vectors, a single sample", [](const Mix& m) { return alone_in_d(m) || alone_in_g(m); },
       [](const Mix& m) {
         const int64_t seen = alone_in_d(m) ? m.batch / m.objective.schedule.packing : m.batch;
         return message(
             "{} has batch norm on flat features, which needs at least 2 samples per batch, got {}: "
             "use a larger batch, or another normalisation ({} layer or none)",
             alone_in_d(m) ? "D" : "G", seen, alone_in_d(m) ? "norm-d" : "norm-g");
       }},
      {"a term that compares samples, too few of them",
       [](const Mix& m) { return short_of_samples(m) != nullptr; },
       [](const Mix& m) {
         const Term& term = *short_of_samples(m);
         return message(
             "{}: the term '{}' compares the samples of a batch, at least {} of them, "
             "but D judges {} at a time: use a larger batch",
             m.objective.name, term.name, term.least_samples, std::min(judged_by_d(m), judged_for_g(m)));
       }},
      {"a loss that compares samples, too few of them",
       [](const Mix& m) {
         return m.objective.loss.least_samples > std::min(judged_by_d(m), judged_for_g(m));
       },
       [](const Mix& m) {
         return message(
             "{}: the loss '{}' compares the samples of a batch, at least {} of them, but D judges {} at a time: use "
             "a larger batch",
             m.objective.name, m.objective.loss.name, m.objective.loss.least_samples,
             std::min(judged_by_d(m), judged_for_g(m)));
       }},
      {"a loss of features, a critic without them",
       [](const Mix& m) {
         return m.objective.loss.reads_features && !dynamic_cast<const Critic*>(&m.critic);
       },
       [](const Mix& m) {
         return message(
             "the loss '{}' reads D's features, and {} gives a logit alone: expected a Critic (make_networks makes one; "
             "SequentialCritic makes one of layers in a row)",
             m.objective.loss.name, m.critic.describe());
       }},
      {"an embedding, a loss of logits",
       [](const Mix& m) {
         return m.objective.critic == CriticKind::embedding && !m.objective.loss.reads_features;
       },
       [](const Mix& m) {
         return message(
             "{}'s D gives an embedding, several numbers per sample, but the loss '{}' reads one logit: expected a loss "
             "of embeddings (mmd_loss, repulsive_loss, cramer_loss), or another critic",
             m.objective.name, m.objective.loss.name);
       }},
      {"relativism, a joint loss",
       [](const Mix& m) { return m.objective.relativism != Relativism::none && joint_loss(m.objective); },
       [](const Mix& m) {
         return message(
             "the loss '{}' compares real and fake by itself: relativism, which puts differences in the "
             "place of logits, "
             "does not apply to it",
             m.objective.loss.name);
       }},
      {"relativism, a loss without a term for real samples in G",
       [](const Mix& m) {
         return m.objective.relativism != Relativism::none && !joint_loss(m.objective) &&
                !m.objective.loss.g_real;
       },
       [](const Mix& m) {
         return message(
             "the loss '{}' has no relativistic form: G's loss has no term for real samples (g_real)",
             m.objective.loss.name);
       }},
      {"a D that judges pixels, a loss of both sides",
       [](const Mix& m) {
         const auto* critic = dynamic_cast<const Critic*>(&m.critic);
         return critic && critic->judges_pixels() &&
                (m.objective.relativism != Relativism::none || joint_loss(m.objective));
       },
       [](const Mix& m) {
         return message(
             "{} compares real samples with generated ones, and D judges pixels (arch unet), of which one here has no partner "
             "there: take an objective whose losses read one side each, or another network",
             m.objective.name);
       }},
      {"cutmix, a D that judges no pixels",
       [](const Mix& m) {
         const auto* critic = dynamic_cast<const Critic*>(&m.critic);
         return mixes_images(m.objective) && !(critic && critic->judges_pixels());
       },
       [](const Mix& m) {
         return message(
             "{}: cutmix is of D's logits of pixels, and this D gives none: take arch unet, or leave cutmix out",
             m.objective.name);
       }},
      {"cutmix, labels that differ between the sides",
       [](const Mix& m) {
         return mixes_images(m.objective) &&
                (is_conditional(m.objective.critic) || m.objective.schedule.label_flip > 0);
       },
       [](const Mix& m) {
         return message(
             "{}: cutmix mixes a real image with a generated one, which here have {}: leave cutmix out, or take "
             "an objective without classes and label-flip 0",
             m.objective.name,
             is_conditional(m.objective.critic) ? "classes of their own" : "labels that may be exchanged");
       }},
      {"top-k, a loss of both sides",
       [](const Mix& m) {
         return m.objective.schedule.top_k < 1 &&
                generator_needs_real(m.objective.loss, m.objective.relativism);
       },
       [](const Mix& m) {
         return message(
             "{}'s G compares its samples with real ones, and top-k would leave out some of one side alone: leave "
             "top-k out, or take an objective whose G reads D of its own samples",
             m.objective.name);
       }},
      {"an adapting probability, a loss that asks D for no answer",
       [](const Mix& m) {
         const Objective& o = m.objective;
         return o.adaptation.on() && (!o.loss.undecided || o.relativism != Relativism::none);
       },
       [](const Mix& m) {
         return message(
             "ada and apa follow on which side of its undecided logit D's answers for real images lie, and {} asks D "
             "for no such answer (a critic's offset is arbitrary, a relativistic D knows differences): leave them "
             "out, or take a loss like non_saturating, least_squares or hinge",
             m.objective.name);
       }},
      {"adapting augmentation, no augmentation",
       [](const Mix& m) { return m.objective.adaptation.augmentation && !m.objective.augmentation; },
       [](const Mix& m) {
         return message(
             "{} adapts the probability of an augmentation, and has none: set Objective::augmentation",
             m.objective.name);
       }},
      {"spectral regularisation, spectral norm",
       [](const Mix& m) {
         const auto& terms = m.objective.d_terms;
         return (m.objective.constraint.spectral_norm || has_spectral_norm(m.critic)) &&
                std::any_of(terms.begin(), terms.end(), regularises_spectrum);
       },
       [](const Mix& m) {
         return message(
             "{}: spectral norm divides each weight of D by its largest singular value, so that penalising "
             "that value changes nothing that D does: leave spectral-regularisation or spectral-norm out",
             m.objective.name);
       }},
      {"a latent step, consensus",
       [](const Mix& m) {
         return m.objective.latent_step.on() && m.objective.schedule.update == Update::consensus;
       },
       [](const Mix& m) {
         return message(
             "{} squares gradients of losses that already hold the gradient of a latent step, which asks each layer "
             "for a third derivative: use another update, or leave latent-step out",
             m.objective.name);
       }},
      {"packing, a term that judges samples itself",
       [](const Mix& m) {
         const auto& terms = m.objective.d_terms;
         return m.objective.schedule.packing > 1 && std::any_of(terms.begin(), terms.end(), judges_samples);
       },
       [](const Mix& m) {
         return message(
             "D judges {} samples as one, but consistency terms judge each by itself: use packing 1, or leave "
             "cr, bcr, zcr-d and cutmix out",
             m.objective.schedule.packing);
       }},
      {"relativism, unequal batches",
       [](const Mix& m) {
         return m.objective.relativism != Relativism::none && m.objective.schedule.generator_batch != 1;
       },
       [](const Mix& m) {
         return message(
             "a relativistic loss compares as many real as fake samples, but G's batch is {} times D's: "
             "use generator-batch 1, or an objective that is not relativistic",
             m.objective.schedule.generator_batch);
       }},
      {"a loss that pairs samples, unequal batches",
       [](const Mix& m) {
         return m.objective.loss.pairs_samples && m.objective.schedule.generator_batch != 1;
       },
       [](const Mix& m) {
         return message(
             "the loss '{}' matches as many fake as real samples, but G's batch is {} times D's: use generator-batch 1",
             m.objective.loss.name, m.objective.schedule.generator_batch);
       }},
      {"weight clipping, a penalty around a norm",
       [](const Mix& m) { return m.objective.constraint.weight_clip > 0 && aiming(m.objective) != nullptr; },
       [](const Mix& m) {
         return message(
             "{} both clips D's weights and penalises its gradient around a norm of {}, "
             "which the clip puts out of reach: use one or the other, or a penalty that aims at no norm but "
             "0 (zero_centered, power)",
             m.objective.name, aiming(m.objective)->shape.k);
       }},
      {"weight clipping, spectral norm",
       [](const Mix& m) {
         return m.objective.constraint.weight_clip > 0 &&
                (m.objective.constraint.spectral_norm || has_spectral_norm(m.critic));
       },
       [](const Mix& m) {
         return message(
             "{} clips weights that spectral norm divides by their size anyway: the clip would only starve "
             "the power "
             "iteration; use one or the other",
             m.objective.name);
       }},
      {"spectral norm, an autoencoder without it",
       [](const Mix& m) {
         return m.objective.constraint.spectral_norm && dynamic_cast<const AutoencoderCritic*>(&m.critic) &&
                unnormalised(m.critic) != nullptr;
       },
       [](const Mix& m) {
         return message(
             "{} has an autoencoder for D, and an autoencoder is not built with spectral norm, "
             "which would bound how well it can reconstruct: leave spectral-norm out, "
             "or take an objective whose D gives a logit",
             m.objective.name);
       }},
      {"spectral norm, a critic without it",
       [](const Mix& m) { return m.objective.constraint.spectral_norm && unnormalised(m.critic) != nullptr; },
       [](const Mix& m) {
         return message(
             "{} constrains D by spectral norm, but this critic's layer {} has none: make the networks with "
             "NetworkOptions::spectral_norm, or wrap its layers in nn::SpectralNorm",
             m.objective.name, unnormalised(m.critic)->describe());
       }},
      {"spectral norm, batch norm in D",
       [](const Mix& m) { return m.objective.constraint.spectral_norm && has_batch_norm(m.critic); },
       [](const Mix& m) {
         return message(
             "{} bounds the slope of D by the spectral norm of its layers, "
             "but batch norm divides by the batch's deviation and multiplies by a gain of its own, "
             "which undoes the bound: use no normalisation in D (norm-d none)",
             m.objective.name);
       }},
      {"unrolling, a gradient penalty",
       [](const Mix& m) { return m.objective.schedule.unroll > 0 && !m.objective.penalties.empty(); },
       [](const Mix& m) {
         return message(
             "{} unrolls D's steps on its losses without their gradient penalty, "
             "but D's real steps follow the penalty too: G would play against a D that never comes; "
             "use one or the other",
             m.objective.name);
       }},
      {"unrolling, flipped labels, unequal batches",
       [](const Mix& m) {
         const Schedule& s = m.objective.schedule;
         return s.unroll > 0 && s.label_flip > 0 && s.generator_batch > 1;
       },
       [](const Mix& m) {
         return message(
             "{} flips labels in D's steps ahead by exchanging real and fake logits of equal index, "
             "but there G's batch is {} times D's: use generator batch 1, or no label flips",
             m.objective.name, m.objective.schedule.generator_batch);
       }},
      {"unrolling, running statistics in D",
       [](const Mix& m) {
         return m.objective.schedule.unroll > 0 && running_statistics(m.critic) != nullptr;
       },
       [](const Mix& m) {
         return message(
             "{} looks ahead of D without changing it, but the running statistics of {} would move with "
             "every step ahead: use layer, instance or no normalisation in D",
             m.objective.name, running_statistics(m.critic)->describe());
       }},
      {"unrolling, spectral norm",
       [](const Mix& m) { return m.objective.schedule.unroll > 0 && has_spectral_norm(m.critic); },
       [](const Mix& m) {
         return message(
             "{} looks ahead of D without changing it, but spectral norm's power iteration would move with "
             "every step ahead: leave spectral norm out (sagan and biggan always have it), or use unroll 0",
             m.objective.name);
       }},
      {"unrolling, both players at once",
       [](const Mix& m) { return m.objective.schedule.unroll > 0 && joint_update(m.objective); },
       [](const Mix& m) {
         return message(
             "{} unrolls D before G's step, but with this update order both move at once: unroll with "
             "alternating updates",
             m.objective.name);
       }},
      {"consensus, lazy penalties",
       [](const Mix& m) {
         return m.objective.schedule.update == Update::consensus && m.objective.schedule.lazy_interval > 1;
       },
       [](const Mix& m) {
         return message(
             "{} squares the gradients of both losses, so a penalty that comes every {} steps with {} times "
             "its weight would "
             "count {} times as much, not once: use lazy interval 1 with consensus",
             m.objective.name, m.objective.schedule.lazy_interval, m.objective.schedule.lazy_interval,
             m.objective.schedule.lazy_interval);
       }},
      {"consensus, lazy terms",
       [](const Mix& m) {
         return m.objective.schedule.update == Update::consensus &&
                first_term(m.objective, is_lazy) != nullptr;
       },
       [](const Mix& m) {
         const Term& term = *first_term(m.objective, is_lazy);
         return message(
             "{} squares the gradients of both losses, so the term '{}' that comes every {} steps with {} times its "
             "weight would count {} times as much, not once: ask it in every step with consensus",
             m.objective.name, term.name, term.every, term.every, term.every);
       }},
      {"unrolling, a lazy term of D",
       [](const Mix& m) {
         const auto& terms = m.objective.d_terms;
         return m.objective.schedule.unroll > 0 && std::any_of(terms.begin(), terms.end(), is_lazy);
       },
       [](const Mix& m) {
         return message(
             "{} unrolls steps of D, which have no number that would say whether a term of D is due: ask D's terms "
             "in every step, or leave unrolling out",
             m.objective.name);
       }},
      {"both players at once, several steps of G",
       [](const Mix& m) {
         const Schedule& s = m.objective.schedule;
         return joint_update(m.objective) && (s.generator_steps > 1 || s.generator_batch > 1);
       },
       [](const Mix& m) {
         return message(
             "{} moves both players at once, from one batch each: generator steps and generator batch must "
             "be 1 then",
             m.objective.name);
       }},
      {"a rate that is not positive",
       [](const Mix& m) { return !(m.objective.schedule.d.lr > 0) || !(m.objective.schedule.g.lr > 0); },
       [](const Mix& m) {
         return message("{}: expected positive learning rates, got {} for D and {} for G", m.objective.name,
                        m.objective.schedule.d.lr, m.objective.schedule.g.lr);
       }},
  };
  return mixes;
}

bool allows_batch_norm_in_d(const Objective& objective) {
  static const nn::BatchNorm2d batch_norm(1);
  static const nn::Sequential nothing;
  const int64_t batch = std::max<int64_t>(objective.schedule.packing, 1) * 2;
  return objective.batch_norm_in_d &&
         std::none_of(impossible_mixes().begin(), impossible_mixes().end(), [&](const ImpossibleMix& row) {
           return row.present({objective, batch_norm, batch}) && !row.present({objective, nothing, batch});
         });
}

void check_compatible(const Objective& objective, const nn::Module& critic, int64_t batch,
                      const nn::Module* generator) {
  const Mix mix{objective, critic, batch, generator};
  for (const ImpossibleMix& row : impossible_mixes()) {
    if (row.present(mix)) fail("objective", "{}", row.why(mix));
  }
}

}  // namespace duel::gan
