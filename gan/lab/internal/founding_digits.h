// Digits for the founding claims: real ones where they are found, and players of one small architecture.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "duel/gan/data/resident_data.h"
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

/// A fresh trainer of a named objective on them, with its own defaults.
std::unique_ptr<Trainer> founding_trainer(const FoundingDigits& digits, const std::string& objective,
                                          uint64_t seed);

}  // namespace duel::gan::lab
