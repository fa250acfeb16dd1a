// Streams of a run's seed, one for each use of random numbers, so that no use disturbs another.
#pragma once

#include <cstdint>

#include "duel/core/tensor/random.h"

namespace duel::gan {

/// layers_d, layers_g: what the networks' layers draw; average: what the average's statistics are gathered
/// on; quiet: looks that change nothing; evaluation: samples that a judge sees; pseudo_*: latents of what stands in real
/// images' places (adaptation.h).
enum class RandomStream : uint64_t {
  weights_g = 1,
  weights_d,
  latent,
  penalty,
  instance_noise,
  layers_d,
  data_order,
  samples,
  labels,
  codes,
  label_flips,
  layers_g,
  average,
  quiet,
  augmentation,
  evaluation,
  pseudo_noise,
  pseudo_labels,
  pseudo_codes
};

inline Generator stream(uint64_t seed, RandomStream which) {
  return Generator(seed, static_cast<uint64_t>(which));
}

}  // namespace duel::gan
