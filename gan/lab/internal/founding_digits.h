// Digits for the founding claims: real ones where they are found, players of one small architecture, and looks of a judge
// at their samples.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "duel/gan/data/resident_data.h"
#include "duel/gan/judge/frechet.h"
#include "duel/gan/judge/judge.h"
#include "duel/gan/lab/observer.h"
#include "duel/gan/picture/png.h"
#include "duel/gan/run/internal/run_setup.h"
#include "duel/gan/train/trainer.h"

namespace duel::gan::lab {

struct FoundingDigits {
  detail::RunSetup setup;  // config: data, batch and networks; its objective and seed are the caller's to say
  std::shared_ptr<const ResidentData> training, held_out;  // D never learns from the second
  const std::string& source() const { return setup.images.source; }
};

/// `data` as RunConfig's; `drawn` digits where there are no others. `arch` as --arch, so many channels wide. Error
/// where the folder has no test images, or fewer images than a batch.
FoundingDigits founding_digits(const std::string& data, int64_t drawn, const std::string& arch,
                               int64_t channels, int64_t batch);

/// What of a trainer is not its objective's default.
struct FoundingPlayers {
  ObjectiveOverrides settings = {};
  Norm norm = Norm::automatic;  // in G and in D
};

/// A fresh trainer of a named objective on them.
std::unique_ptr<Trainer> founding_trainer(const FoundingDigits& digits, const std::string& objective,
                                          uint64_t seed, const FoundingPlayers& players = {});

/// Duel's judge of such digits, and what it read in real ones.
struct FoundingJudge {
  Judge judge;
  Moments real;       // features of test images
  int64_t count = 0;  // samples of a look
  double floor = 0;   // Frechet distance of so many training images: what samples can hardly pass below
};
/// `count` samples will be looked at, against at most `real` test images. Error unless they are 28x28.
FoundingJudge founding_judge(const FoundingDigits& digits, int64_t count, int64_t real = 10000);

/// What D says and how good the samples are, after so many iterations.
struct FoundingLook {
  int64_t iteration = 0;
  // D's value: -(L_D without its penalties), the mean of the last fifth of the iterations since the look before
  double value = 0;
  double distance = 0;  // Frechet distance of the judge's features of samples and test images
};
/// `count` looks, `every` iterations apart, the first of them after `before + every`.
struct FoundingLooks {
  int64_t before = 0, every = 100, count = 10;
  int64_t iterations() const { return before + every * count; }
  /// Iterations of every look, as the columns of a table.
  std::vector<std::string> names() const {
    std::vector<std::string> texts;
    for (int64_t look = 1; look <= count; ++look) texts.push_back(std::to_string(before + look * every));
    return texts;
  }
};
struct FoundingRun {
  std::vector<FoundingLook> looks;
  std::string failure = "";  // why it ended early; empty
};

/// Trains it, looking at samples of the same latents. Tells the observer of every iteration, also of those that a run
/// which leaves the finite numbers does not get to, and comes back early where it says stop.
FoundingRun founding_run(Trainer& trainer, const FoundingJudge& judge, const FoundingLooks& plan,
                         uint64_t seed, LabObserver& observer);

/// One of the looks' numbers, in their order.
template <class T>
std::vector<double> column_of(const std::vector<FoundingLook>& looks, T FoundingLook::*number) {
  std::vector<double> column;
  for (const FoundingLook& look : looks) column.push_back(static_cast<double>(look.*number));
  return column;
}

/// A sheet of samples of the same latents, 8 beside each other.
Picture founding_samples(Trainer& trainer, int64_t count, uint64_t seed);

}  // namespace duel::gan::lab
