// The table of tile kernels.
#include "duel/kernels/tile.h"

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
