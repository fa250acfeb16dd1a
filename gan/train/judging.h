// What D is shown and what it is asked: samples go through the augmentation, get instance noise and are packed;
// answers may come back with exchanged labels; penalties ask for gradients at points between. Every random
// number comes from generators of its own, whose state is part of checkpoints.
//
// Example:
//   Judging judging(networks.discriminator, objective, /*seed=*/1, {});
//   Round round{.real = {judging.shown(images)}, .fake = {judging.shown(fakes)}};
//   judging.judge_both(round);                           // round.real.judgement.logits, …
#pragma once

#include <memory>
#include <vector>

#include "duel/core/device/side_streams.h"
#include "duel/core/tensor/random.h"
#include "duel/gan/objective/objective.h"
#include "duel/gan/train/state.h"

namespace duel::gan {

class Judging {
 public:
  Judging(std::shared_ptr<nn::Module> discriminator, const Objective& objective, uint64_t seed,
          TensorOptions options);

  /// Sets the deviation of noise that fades, in device memory.
  void begin_iteration(int64_t number);

  /// Samples [N, ...] as D is to see them but for packing: augmented, then with instance noise. Each call
  /// draws. Differentiable.
  Tensor shown(const Tensor& samples);
  /// Real samples, each with the probability that adapts (adaptation.h) the one of `fakes` in its place: APA. Draws.
  Tensor partly_generated(const Tensor& real, const Tensor& fakes);
  /// Moves that probability after an update of D, by the raw logits of what it was shown as real.
  void adapt(const Tensor& real_logits);
  /// It, of shape [1] in device memory; undefined where nothing adapts.
  Tensor probability() const {
    return adaptation_state_.defined() ? probability_of(adaptation_state_) : Tensor();
  }
  /// `packing` samples side by side as channels (Lin et al. 2018).
  Tensor packed(const Tensor& samples) const;
  /// What D says of samples that are shown, packed here; labels undefined without classes.
  Judgement judge(const Tensor& samples, const Tensor& labels);
  /// Both sides of a round: in one pass where no layer of D mixes samples of both (a batch norm keeps them
  /// apart). Then it returns the logits of both, the real samples' first, where nothing moves labels
  /// afterwards; else an undefined tensor.
  Tensor judge_both(Round& round, const Tensor& joined = {});
  /// Whether judge_both() shows D the samples as they are, one side behind the other, and nothing else is shown: then it is
  /// well if they lie so.
  bool shows_sides_together() const;
  /// Whether D's loss is of parts that Duel knows, D's layers apart: no function of the user's.
  bool runs_own_code_alone() const { return own_code_; }
  /// Both sides' samples and the points of the one penalty behind them, [2 B + N, …], without gradients; undefined where D
  /// mixes samples, there are more penalties or the samples have gradients. `any`: by concatenation where no launch of the
  /// sampling makes all of it. For judge_both(), penalties() and analytic.h.
  Tensor joined_with_points(const Round& round, bool any = false);
  /// Both sides' samples, the real ones first, without gradients: a copy, but where they lie so already. Undefined where D mixes
  /// samples or the samples have gradients. For analytic.h.
  Tensor joined_sides(const Round& round) const;
  /// With the schedule's probability a judged sample changes sides: what D says of it stands with the other
  /// label.
  void flip_labels(Round& round);
  /// One result for each penalty of the objective at points of the round's samples, weights times the lazy
  /// interval.
  std::vector<PenaltyResult> penalties(const Round& round, const Tensor& joined = {});

  /// While it lives D's layers, and terms, draw from D's generator of layers.
  LendDefaultGenerator lend() { return LendDefaultGenerator(layers_); }
  Generator& layers() { return layers_; }

  /// While it lives passes of D may run on side streams, but for a D that changes in a pass (running
  /// statistics, power iterations): its passes come one after the other.
  class SideBySide {
   public:
    explicit SideBySide(Judging& judging);
    ~SideBySide() { judging_.beside_ = {}; }
    SideBySide(const SideBySide&) = delete;

   private:
    Judging& judging_;
  };
  /// The device for SideStreams of such passes; the CPU, on which they do nothing, without a SideBySide.
  Device beside() const { return beside_; }

  nn::Module& discriminator() { return *discriminator_; }
  double label_flip() const { return schedule_.label_flip; }
  /// A penalty's weight, times the lazy interval.
  double weight_of(const Penalty& penalty) const {
    return penalty.weight * static_cast<double>(schedule_.lazy_interval);
  }

  std::vector<StatePart> state();

 private:
  std::shared_ptr<nn::Module> discriminator_;
  Schedule schedule_;
  std::vector<Penalty> penalties_;
  Loss loss_;
  Augmentation augmentation_;
  Adaptation adaptation_;
  bool own_code_;
  Device device_, beside_ = {};
  Generator penalty_noise_, instance_noise_, label_flips_, layers_, augmentation_random_;
  Tensor adaptation_state_;  // undefined where nothing adapts
  Tensor noise_deviation_;   // of the instance noise now, shape []; undefined without it
};

/// What is left of a linear fall to zero over `steps` iterations; 0 steps: it never falls.
double share_left(int64_t iteration, int64_t steps);

}  // namespace duel::gan
