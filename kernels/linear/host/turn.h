// Images turned for vectors whose lanes are samples or channels; internal, float.
#pragma once

#include <cstdint>

#include "duel/kernels/base/simd.h"

namespace duel::kernels::host {

/// to[position][channel][lane] of `lanes` samples, `sample` elements apart, of [channels, plane] each: channels [first, last),
/// lanes without a sample zero. A last position, `plane`, is all zeros.
void turn_samples(const float* from, int64_t lanes, int64_t sample, int64_t channels, int64_t plane,
                  int64_t first, int64_t last, float* to);

/// Whether lanes without a sample, which cost as much as the others, are few enough.
bool fills_lanes(int64_t samples);

/// taps[t] of `rows` kernels of `count` taps each, `step` elements apart: a vector of rows for each tap, lanes without a row
/// zero. Room for whole vectors' numbers of taps.
void turn_taps(const float* w, int64_t rows, int64_t step, int64_t count, simd::Vec<float>* taps);

/// One channel back: from[position][lane] to sample i's plane at to + i * sample.
void turn_samples_back(const float* from, int64_t lanes, int64_t plane, int64_t sample, float* to);

/// to[position][rounded] of one sample [channels, plane]; channels up to a whole vector are zero.
void turn_positions(const float* from, int64_t channels, int64_t plane, int64_t rounded, float* to);

}  // namespace duel::kernels::host
