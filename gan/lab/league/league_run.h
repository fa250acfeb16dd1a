// One run on digits that a judge has looked at: what the league and a sweep keep of each of theirs.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "duel/core/tensor/tensor.h"
#include "duel/gan/judge/comparison.h"

namespace duel::gan::lab {

struct LeagueRun {
  std::string objective;
  uint64_t seed = 0;
  std::string failure = "";  // why it ended early; empty
  double seconds = 0;        // of training and judging, beside whatever else the machine did
  int64_t steps = 0;         // done
  int64_t images_d = 0;      // real images that D was shown
  std::string judge = "";
  std::vector<std::pair<std::string, Value>> measures = {};  // at the end, by keys of quality_measures()
  // at the end, of gan/train/diagnostics.h: how much higher D puts images that it was trained on than held-out ones; NaN
  // where D has no such reading, and in older records
  double held_out_gap = std::numeric_limits<double>::quiet_NaN();
  std::vector<std::pair<int64_t, double>> curve = {};  // FD after an eighth, a quarter, half and all
  // u8 [looks, H, W]: pictures of the same latents' samples at every look of the curve, and where a run failed; older
  // records hold the last one alone
  Tensor samples = {};

  const Value* find(const std::string& key) const;
  Tensor last_samples() const;  // [1, H, W]
};

}  // namespace duel::gan::lab
