// A ring of rows in device memory: what each iteration of a captured graph leaves behind, read back now and
// then.
//
// Example:
//   ring_push(stream, 1024, RingRow<float>{{loss_d, loss_g}}, count, ring);   // ring [1024, kRingColumns]
//
// The last launch of an iteration: what its random numbers have moved is written in it, too.
#pragma once

#include <cstdint>

#include "duel/kernels/map/random.h"

namespace duel::kernels {

inline constexpr int kRingColumns = 4;

/// Where the values of a row lie; null: 0.
template <class T>
struct RingRow {
  const T* value[kRingColumns] = {};
};

/// ring[*pushed % rows, k] = *row.value[k]; then *pushed += 1, and what philox_advance does of `drawn`. All lie where the
/// stream works; ring [rows, kRingColumns].
template <class T>
void ring_push(Stream stream, int64_t rows, const RingRow<T>& row, int64_t* pushed, T* ring,
               const PhiloxAdvances& drawn = {});

}  // namespace duel::kernels
