#include "duel/gan/train/judging.h"

#include <algorithm>

#include "duel/core/ops.h"
#include "duel/core/ops/reduce/normalization.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/tensor_impl.h"
#include "duel/gan/objective/regularisers/augmentation.h"
#include "duel/gan/train/random_streams.h"

namespace duel::gan {
namespace {

bool is_own(const Objective& objective) {
  const auto known = [](const Penalty& penalty) {
    const auto& points = penalty.sampling.points;
    return reads_norms_alone(penalty.shape) &&
           (points.target<LinePoints>() != nullptr || points.target<SamplePoints>() != nullptr);
  };
  return objective.d_terms.empty() && !objective.augmentation && !objective.adaptation.on() &&
         !objective.latent_step.on() && !objective.equilibrium &&
         joined_in_one_launch(objective.loss, objective.relativism) &&
         std::all_of(objective.penalties.begin(), objective.penalties.end(), known);
}

Tensor joined(const Tensor& a, const Tensor& b) {
  return a.defined() && b.defined() ? concat({a, b}) : Tensor();
}

/// real and then fake: a copy, but where they lie so already.
Tensor both_sides(const Tensor& real, const Tensor& fake) {
  const Tensor both = tracked(real) || tracked(fake) ? Tensor() : detail::joined_in_place(real, fake);
  return both.defined() ? both : concat({real, fake});
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

}  // namespace

double share_left(int64_t iteration, int64_t steps) {
  return steps > 0 ? std::max(0.0, 1.0 - static_cast<double>(iteration) / static_cast<double>(steps)) : 1.0;
}

Judging::Judging(std::shared_ptr<nn::Module> discriminator, const Objective& objective, uint64_t seed,
                 TensorOptions options)
    : discriminator_(std::move(discriminator)),
      schedule_(objective.schedule),
      penalties_(objective.penalties),
      loss_(objective.loss),
      augmentation_(objective.augmentation),
      adaptation_(objective.adaptation),
      own_code_(is_own(objective)),
      device_(options.device),
      penalty_noise_(stream(seed, RandomStream::penalty)),
      instance_noise_(stream(seed, RandomStream::instance_noise)),
      label_flips_(stream(seed, RandomStream::label_flips)),
      layers_(stream(seed, RandomStream::layers_d)),
      augmentation_random_(stream(seed, RandomStream::augmentation)) {
  if (schedule_.instance_noise > 0) noise_deviation_ = Tensor::full({}, schedule_.instance_noise, options);
  if (adaptation_.on()) adaptation_state_ = first_adaptation(options);
}

void Judging::begin_iteration(int64_t number) {
  if (noise_deviation_.defined() && schedule_.instance_noise_steps > 0)
    noise_deviation_.fill_(schedule_.instance_noise * share_left(number, schedule_.instance_noise_steps));
}

// The deviation lies in device memory: a replayed graph sees it fade.
Tensor Judging::shown(const Tensor& samples) {
  Tensor seen = samples;
  if (augmentation_) {
    seen = augmented(augmentation_, samples, augmentation_random_,
                     adaptation_.augmentation ? probability() : Tensor());
  }
  if (!noise_deviation_.defined()) return seen;
  return add(seen, mul(instance_noise_.normal(seen.shape(), 0.0, 1.0, seen.options()), noise_deviation_));
}

Tensor Judging::partly_generated(const Tensor& real, const Tensor& fakes) {
  const Tensor drawn = augmentation_random_.uniform({real.dim(0)}, 0.0, 1.0, real.options());
  return where(per_row(drawn < probability(), real), fakes, real);
}

void Judging::adapt(const Tensor& real_logits) {
  if (!adaptation_.on()) return;
  gan::adapt(adaptation_, loss_, real_logits, real_logits.dim(0) * schedule_.packing, adaptation_state_);
}

Tensor Judging::packed(const Tensor& samples) const {
  const int64_t m = schedule_.packing;
  return m == 1 ? samples
                : samples.reshape(samples.shape().with(0, samples.dim(0) / m).with(1, m * samples.dim(1)));
}

Tensor Judging::joined_sides(const Round& round) const {
  const Tensor &real = round.real.samples, &fake = round.fake.samples;
  if (discriminator_->mixes_samples() || tracked(real) || tracked(fake)) return {};
  return both_sides(real, fake);
}

Judgement Judging::judge(const Tensor& samples, const Tensor& labels) {
  const LendDefaultGenerator lent = lend();
  return gan::judge(*discriminator_, packed(samples), labels);
}

bool Judging::shows_sides_together() const {
  const BatchParts sides(2);
  return penalties_.empty() && !augmentation_ && !noise_deviation_.defined() &&
         !discriminator_->mixes_samples();
}

// Where no layer of D mixes samples of both sides, one pass over both batches gives the same logits with half the launches.
Tensor Judging::joined_with_points(const Round& round, bool any) {
  const Tensor &real = round.real.samples, &fake = round.fake.samples;
  if (penalties_.size() != 1 || discriminator_->mixes_samples() || tracked(real) || tracked(fake)) return {};
  const Penalty& penalty = penalties_.front();
  if (penalty.sampling.points.target<LinePoints>() != nullptr && real.shape() == fake.shape())
    return joined_with_line(real, fake, penalty_noise_);
  if (!any) return {};
  const LendDefaultGenerator lent = lend();
  const Tensor points = penalty.sampling.points(real.detach(), fake.detach(), penalty_noise_);
  NoGrad no_grad;
  return concat({real, fake, checked_points(penalty, points, real, false)});
}

Tensor Judging::judge_both(Round& round, const Tensor& joined_samples) {
  Side& real = round.real;
  Side& fake = round.fake;
  // A batch norm normalises each side by its own statistics.
  const BatchParts sides(real.samples.dim(0) == fake.samples.dim(0) ? 2 : 1);
  if (discriminator_->mixes_samples()) {
    const BatchParts one(1);
    SideStreams streams(beside_);
    streams.run([&] { real.judgement = judge(real.samples, real.labels); });
    fake.judgement = judge(fake.samples, fake.labels);
    streams.join();
    return {};
  }
  const Tensor samples = joined_samples.defined() ? rows(joined_samples, 0, 2 * real.samples.dim(0))
                                                  : both_sides(real.samples, fake.samples);
  const Judgement all = judge(samples, joined(real.labels, fake.labels));
  const int64_t split = real.samples.dim(0) / schedule_.packing;
  real.judgement = rows(all, 0, split);
  fake.judgement = rows(all, split, all.logits.dim(0));
  return schedule_.label_flip > 0 || all.pixels.defined() ? Tensor() : all.logits;
}

// Logits of equal index change sides, which is the same in any loss that is a sum over each side. (Exchanging
// images instead would mix the two batches' statistics in a batch norm.) A joint loss may read features: they
// go with the logits.
void Judging::flip_labels(Round& round) {
  const double p = schedule_.label_flip;
  if (p <= 0) return;
  Judgement &real = round.real.judgement, &fake = round.fake.judgement;
  const Tensor drawn = label_flips_.uniform(real.logits.shape(), 0.0, 1.0, real.logits.options());
  const Tensor flip = greater(Tensor::full(drawn.shape(), p, drawn.options()), drawn);
  const auto exchange = [](const Tensor& where_one, Tensor& a, Tensor& b) {
    const Tensor kept = a;
    a = where(where_one, b, kept);
    b = where(where_one, kept, b);
  };
  exchange(flip, real.logits, fake.logits);
  if (real.pixels.defined()) exchange(per_row(flip, real.pixels), real.pixels, fake.pixels);
  if (!loss_.d_joint || !real.features.defined()) return;
  exchange(per_row(flip, real.features), real.features, fake.features);
}

std::vector<PenaltyResult> Judging::penalties(const Round& round, const Tensor& joined_samples) {
  const LendDefaultGenerator lent = lend();
  std::vector<PenaltyResult> results;
  const PenalisedValue value = witness_beside(loss_, round.real.judgement, round.fake.judgement);
  for (const Penalty& penalty : penalties_) {
    const Tensor& labels = penalty.sampling.labels == LabelsOf::fake ? round.fake.labels : round.real.labels;
    const Tensor points = joined_samples.defined()
                              ? rows(joined_samples, 2 * round.real.samples.dim(0), joined_samples.dim(0))
                              : penalty.sampling.points(round.real.samples.detach(),
                                                        round.fake.samples.detach(), penalty_noise_);
    results.push_back(gradient_penalty(
        *discriminator_, packed(checked_points(penalty, points, round.real.samples, labels.defined())),
        penalty.shape, weight_of(penalty), labels, value));
  }
  return results;
}

Judging::SideBySide::SideBySide(Judging& judging) : judging_(judging) {
  if (judging.discriminator_->named_buffers().empty()) judging.beside_ = judging.device_;
}

std::vector<StatePart> Judging::state() {
  std::vector<StatePart> parts = {
      state_of("random.penalty", penalty_noise_), state_of("random.instance_noise", instance_noise_),
      state_of("random.label_flips", label_flips_), state_of("random.layers_d", layers_)};
  if (augmentation_ || adaptation_.on())
    parts.push_back(state_of("random.augmentation", augmentation_random_));
  if (adaptation_.on()) parts.push_back(state_of("adaptation", adaptation_state_));
  return parts;
}

}  // namespace duel::gan
