// What tests that train share: images without a download, a loop.
#pragma once

#include <cstdint>

#include "duel/gan/data/image_set.h"
#include "duel/gan/train/trainer.h"

namespace duel::testing {

/// Pixels from a fixed congruential sequence; labels 0 to classes - 1 in turns.
inline gan::ImageSet noise_images(int64_t count, int64_t side, int64_t classes) {
  gan::ImageSet set;
  set.count = count;
  set.height = set.width = side;
  uint32_t state = 1;
  for (int64_t i = 0; i < count * side * side; ++i) {
    state = state * 1664525u + 1013904223u;
    set.images.push_back(static_cast<uint8_t>(state >> 24));
  }
  for (int64_t i = 0; i < count; ++i) set.labels.push_back(static_cast<uint8_t>(i % classes));
  return set;
}

inline void run_steps(gan::Trainer& trainer, int steps, bool diagnostics = false) {
  for (int i = 0; i < steps; ++i) trainer.step(diagnostics);
}

}  // namespace duel::testing
