#include "duel/kernels/linear/host/turn.h"

#include <algorithm>

#include "duel/kernels/base/ceil_div.h"

namespace duel::kernels::host {
namespace {

constexpr int kLanes = simd::kLanes<float>;
using Vec = simd::Vec<float>;

}  // namespace

void turn_samples(const float* from, int64_t lanes, int64_t sample, int64_t channels, int64_t plane,
                  int64_t first, int64_t last, float* to) {
  for (int64_t channel = first; channel < last; ++channel) {
    for (int64_t at = 0; at < plane; at += kLanes) {
      const int64_t count = std::min<int64_t>(plane - at, kLanes);
      const simd::Mask mask = simd::lanes_between(0, count);
      Vec square[kLanes];
      for (int i = 0; i < kLanes; ++i)
        square[i] = i < lanes ? simd::load_masked(from + i * sample + channel * plane + at, mask) : Vec{};
      simd::transpose<float>(square);
      for (int64_t i = 0; i < count; ++i)
        simd::store(to + ((at + i) * channels + channel) * kLanes, square[i]);
    }
    simd::store(to + (plane * channels + channel) * kLanes, Vec{});
  }
}

bool fills_lanes(int64_t samples) { return 5 * ceil_div(samples, kLanes) * kLanes <= 6 * samples; }

void turn_taps(const float* w, int64_t rows, int64_t step, int64_t count, Vec* taps) {
  for (int64_t at = 0; at < count; at += kLanes) {
    const simd::Mask some = simd::lanes_between(0, std::min<int64_t>(count - at, kLanes));
    for (int64_t r = 0; r < kLanes; ++r)
      taps[at + r] = r < rows ? simd::load_masked(w + r * step + at, some) : Vec{};
    simd::transpose<float>(taps + at);
  }
}

void turn_samples_back(const float* from, int64_t lanes, int64_t plane, int64_t sample, float* to) {
  for (int64_t at = 0; at < plane; at += kLanes) {
    const int64_t count = std::min<int64_t>(plane - at, kLanes);
    Vec square[kLanes];
    for (int i = 0; i < kLanes; ++i) square[i] = i < count ? simd::load(from + (at + i) * kLanes) : Vec{};
    simd::transpose<float>(square);
    for (int64_t i = 0; i < lanes; ++i)
      simd::store_masked(to + i * sample + at, square[i], simd::lanes_between(0, count));
  }
}

void turn_positions(const float* from, int64_t channels, int64_t plane, int64_t rounded, float* to) {
  for (int64_t channel = 0; channel < channels; channel += kLanes) {
    for (int64_t at = 0; at < plane; at += kLanes) {
      const int64_t count = std::min<int64_t>(plane - at, kLanes);
      const simd::Mask mask = simd::lanes_between(0, count);
      Vec square[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        square[i] =
            channel + i < channels ? simd::load_masked(from + (channel + i) * plane + at, mask) : Vec{};
      }
      simd::transpose<float>(square);
      for (int64_t i = 0; i < count; ++i) simd::store(to + (at + i) * rounded + channel, square[i]);
    }
  }
}

}  // namespace duel::kernels::host
