// The table of tile kernels.
#include "duel/kernels/linear/host/tile.h"

#include <algorithm>

namespace duel::kernels {

template <class T>
TileFn<T> tile_kernel(int64_t rows, int64_t vectors, bool transposed) {
  constexpr auto heights = std::make_integer_sequence<int, kTileRows>{};
  static constexpr std::array<TileFn<T>, kTileRows> table[2][kTileVectors] = {
      {detail::tile_table<T, 1, false>(heights), detail::tile_table<T, 2, false>(heights)},
      {detail::tile_table<T, 1, true>(heights), detail::tile_table<T, 2, true>(heights)}};
  return table[transposed ? 1 : 0][vectors - 1][static_cast<size_t>(rows - 1)];
}
template TileFn<float> tile_kernel<float>(int64_t, int64_t, bool);
template TileFn<double> tile_kernel<double>(int64_t, int64_t, bool);

template <class T>
void pack_left(const T* a, int64_t a_ld, bool transposed, int64_t rows, int64_t steps, T* to) {
  constexpr int kLanes = simd::kLanes<T>;
  static_assert(kTileRows <= 2 * kLanes);
  const auto lanes = [](int64_t count) {
    return simd::lanes_between(0, std::clamp<int64_t>(count, 0, kLanes));
  };
  for (int64_t half = 0; half < rows; half += kLanes) {
    const simd::Mask mask = lanes(rows - half);
    if (transposed) {
      for (int64_t s = 0; s < steps; ++s) {
        simd::store_masked(to + s * rows + half, simd::load_masked(a + s * a_ld + half, mask), mask);
      }
      continue;
    }
    for (int64_t s = 0; s < steps; s += kLanes) {
      const simd::Mask inside = lanes(steps - s);
      simd::Vec<T> square[kLanes];
      for (int r = 0; r < kLanes; ++r) {
        square[r] = half + r < rows ? simd::load_masked(a + (half + r) * a_ld + s, inside) : simd::Vec<T>{};
      }
      simd::transpose<T>(square);
      for (int64_t i = 0; i < std::min<int64_t>(kLanes, steps - s); ++i) {
        simd::store_masked(to + (s + i) * rows + half, square[i], mask);
      }
    }
  }
}
template void pack_left<float>(const float*, int64_t, bool, int64_t, int64_t, float*);
template void pack_left<double>(const double*, int64_t, bool, int64_t, int64_t, double*);

void* thread_scratch() {
  alignas(64) static thread_local unsigned char scratch[kScratchBytes + 64];
  return scratch;
}

template <class T>
const T* zeros() {
  alignas(64) static constexpr T row[kPanel<T>] = {};
  return row;
}
template const float* zeros<float>();
template const double* zeros<double>();

}  // namespace duel::kernels
