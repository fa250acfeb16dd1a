#include "duel/gan/train/losses.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/train/internal/analytic.h"
#include "duel/nn/module/scoped_parameters.h"

namespace duel::gan {
namespace {

/// In G's step the judgement of real samples may be missing: the engine's error would name neither the term
/// nor the way out.
Tensor value_of(const Term& term, Round& round) {
  round.memory = term.memory;
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

/// loss + the weighted terms that are due, whose values are added to `values`.
Tensor with_terms(Tensor loss, const std::vector<Term>& terms, Round& round, NamedTensors& values) {
  for (const Term& term : terms) {
    if (!term.due(round.step)) continue;
    const Tensor value = value_of(term, round);
    values.emplace_back(term.name, value.detach());
    loss = add(loss, mul_scalar(value, term.weight * static_cast<double>(term.every)));
  }
  return loss;
}

/// The share of samples with the largest logits, at least one, the best first; of these and their pixels' alone.
Judgement best_of(const Judgement& fake, double share) {
  if (share >= 1) return fake;
  const int64_t n = fake.logits.dim(0),
                k = std::max<int64_t>(std::llround(share * static_cast<double>(n)), 1);
  const Tensor best = topk(fake.logits.detach().reshape({n}), k).indices;
  return {.logits = gather(fake.logits, best),
          .pixels = fake.pixels.defined() ? gather(fake.pixels, best) : Tensor()};
}

Judgement without_graph(const Judgement& j) {
  return each_of(j, [](const Tensor& t) { return t.detach(); });
}

/// L_D of a round that D has judged, without penalties; `both`: what judge_both returned.
Tensor judged_loss_of_d(const Objective& objective, Judging& judging, Round& round, const Tensor& both,
                        const Tensor& balance, NamedTensors& terms) {
  judging.flip_labels(round);
  Tensor loss;
  if (both.defined() && !objective.equilibrium)
    loss = joined_discriminator_loss(objective.loss, objective.relativism, both,
                                     round.real.judgement.logits.dim(0));
  if (!loss.defined()) loss = adversarial_loss_of_d(objective, round, balance);
  const LendDefaultGenerator lent = judging.lend();
  return with_terms(loss, objective.d_terms, round, terms);
}

}  // namespace

Tensor adversarial_loss_of_d(const Objective& objective, const Round& round, const Tensor& balance) {
  const Judgement &real = round.real.judgement, &fake = round.fake.judgement;
  if (!objective.equilibrium) return discriminator_loss(objective.loss, objective.relativism, real, fake);
  // A copy of k: the loss's graph must not see it move.
  return balanced_discriminator_loss(objective.loss, real.logits, fake.logits, balance.clone());
}

LossOfD loss_of_d(const Objective& objective, Judging& judging, Round round, const Tensor& balance,
                  bool penalized, bool twice_differentiable) {
  const Tensor &real = round.real.samples, &fake = round.fake.samples;
  DUEL_CHECK(real.rank() >= 1 && fake.rank() == real.rank() &&
                 fake.shape().with(0, real.dim(0)) == real.shape() && fake.dtype() == real.dtype(),
             "trainer", "G's samples are {}, expected samples like the real ones, {}", to_text(fake),
             to_text(real));
  round.real.samples = judging.shown(real);
  round.fake.samples = judging.shown(fake);
  penalized = penalized && !objective.penalties.empty();
  if (penalized && !twice_differentiable) {
    if (std::optional<LossOfD> whole = analytic_loss_of_d(objective, judging, round))
      return std::move(*whole);
  }
  const Tensor joined = penalized ? judging.joined_with_points(round) : Tensor();
  // A witness's penalty reads what D said of both sides, and waits for it.
  SideStreams beside(penalized && !objective.loss.witness ? judging.beside() : Device::cpu());
  const Tensor both = judging.judge_both(round, joined);
  LossOfD result;
  result.real_logits = round.real.judgement.logits.detach();
  result.fake_logits = round.fake.judgement.logits.detach();
  if (objective.loss.witness) {
    result.real = without_graph(round.real.judgement);
    result.fake = without_graph(round.fake.judgement);
  }
  result.value = judged_loss_of_d(objective, judging, round, both, balance, result.terms);
  if (!penalized) return result;
  std::vector<PenaltyResult> penalties;
  beside.run([&] { penalties = judging.penalties(round, joined); });
  beside.join();
  for (const PenaltyResult& penalty : penalties) {
    result.value = add(result.value, penalty.value);
    const Tensor value = penalty.value.detach();
    result.penalty = result.penalty.defined() ? add(result.penalty, value) : value;
  }
  result.input_gradient_norm = mean_norm(penalties);
  return result;
}

LossOfG loss_of_g(const Objective& objective, Judging& judging, Round round, const Tensor& balance,
                  Weights weights_of_d, const Player& d) {
  const auto reads_real = [&](const Term& term) { return term.reads_real && term.due(round.step); };
  const bool needs_real = generator_needs_real(objective.loss, objective.relativism) ||
                          std::any_of(objective.g_terms.begin(), objective.g_terms.end(), reads_real);
  const int64_t ahead = objective.schedule.unroll;
  round.fake.samples = judging.shown(round.fake.samples);
  if (needs_real || ahead > 0) round.real.samples = judging.shown(round.real.samples);
  std::optional<nn::ScopedParameters> moved;
  if (ahead > 0) {
    moved.emplace(d.parameters, unrolled_parameters(d, ahead, [&] {
                    Round inner = round;
                    const Tensor both = judging.judge_both(inner);
                    NamedTensors unused;
                    return judged_loss_of_d(objective, judging, inner, both, balance, unused);
                  }));
  }
  const auto judge_real = [&] {
    std::optional<NoGrad> constant;
    if (weights_of_d == Weights::constant && ahead == 0) constant.emplace();
    round.real.judgement = judging.judge(round.real.samples, round.real.labels);
  };
  const auto judge_fake = [&] {
    // Where D's weights are constants of G's loss, nothing is recorded for them.
    std::optional<NoParamGrad> frozen;
    if (weights_of_d == Weights::constant) frozen.emplace();
    round.fake.judgement = judging.judge(round.fake.samples, round.fake.labels);
  };
  SideStreams beside(needs_real ? judging.beside() : Device::cpu());
  if (needs_real) beside.run(judge_real);
  judge_fake();
  beside.join();
  LossOfG result;
  result.value = with_terms(generator_loss(objective.loss, objective.relativism, round.real.judgement,
                                           best_of(round.fake.judgement, objective.schedule.top_k)),
                            objective.g_terms, round, result.terms);
  return result;
}

}  // namespace duel::gan
