// Host vectors for kernels/*.cpp: as wide as the compiler's target, on top of the vector types of g++ and
// clang.
//
// Internal. Only what the tile kernels need: unaligned access, partial access, fused multiply-add,
// transposition. Everything is templated on T = float or double; kLanes<T> is the width (16 floats with
// AVX-512, 8 with AVX2, 4 elsewhere), so results may differ in the last bits between instruction sets, never
// between thread counts.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace duel::kernels::simd {

#if defined(__AVX512F__)
inline constexpr int kBytes = 64;
#elif defined(__AVX__)
inline constexpr int kBytes = 32;
#else
inline constexpr int kBytes = 16;
#endif

template <class T>
inline constexpr int kLanes = kBytes / int(sizeof(T));

template <class T>
struct Types;
template <>
struct Types<float> {
  typedef float Vec __attribute__((vector_size(kBytes)));
  typedef float Loose __attribute__((vector_size(kBytes), aligned(4), may_alias));
  typedef int32_t Index __attribute__((vector_size(kBytes)));
};
template <>
struct Types<double> {
  typedef double Vec __attribute__((vector_size(kBytes)));
  typedef double Loose __attribute__((vector_size(kBytes), aligned(8), may_alias));
  typedef int64_t Index __attribute__((vector_size(kBytes)));
};

template <class T>
using Vec = typename Types<T>::Vec;

#define DUEL_INLINE inline __attribute__((always_inline))

template <class T>
DUEL_INLINE Vec<T> load(const T* from) {
  return *reinterpret_cast<const typename Types<T>::Loose*>(from);
}

template <class T>
DUEL_INLINE void store(T* to, Vec<T> value) {
  *reinterpret_cast<typename Types<T>::Loose*>(to) = value;
}

/// The lower half of the lanes.
template <class T>
DUEL_INLINE void store_half(T* to, Vec<T> value) {
  std::memcpy(to, &value, kBytes / 2);
}

namespace detail {
template <class T, int... kLane>
DUEL_INLINE Vec<T> repeated(T value, std::integer_sequence<int, kLane...>) {
  return Vec<T>{((void)kLane, value)...};
}
}  // namespace detail

/// The value in every lane. (Vec{} + value would be an addition: 0 + -0 is not -0.)
template <class T>
DUEL_INLINE Vec<T> broadcast(T value) {
  return detail::repeated(value, std::make_integer_sequence<int, kLanes<T>>{});
}

/// Asks for the next `count` elements (1024 at most), which will be read soon but not in an order that
/// hardware guesses. Any address will do.
template <class T>
DUEL_INLINE void prefetch(const T* from, int64_t count) {
  constexpr int64_t kLine = 64 / int64_t(sizeof(T));
  for (int64_t i = 0; i < count && i < 1024; i += kLine) __builtin_prefetch(from + i);
}

/// One bit per lane, lane 0 lowest.
using Mask = uint32_t;

/// Lanes begin <= lane < end.
DUEL_INLINE constexpr Mask lanes_between(int64_t begin, int64_t end) {
  return begin >= end ? 0u : Mask(((uint64_t{1} << end) - 1) & ~((uint64_t{1} << begin) - 1));
}

#if defined(__AVX2__) && !defined(__AVX512F__)
namespace detail {
/// All bits of a lane where the mask has its bit.
template <class T>
DUEL_INLINE __m256i wide_mask(Mask mask) {
  if constexpr (sizeof(T) == 4) {
    const __m256i bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int>(mask)), bits), bits);
  } else {
    const __m256i bits = _mm256_setr_epi64x(1, 2, 4, 8);
    return _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(static_cast<int64_t>(mask)), bits), bits);
  }
}
}  // namespace detail
#endif

/// Lanes outside of the mask are 0, and their memory is not touched.
template <class T>
DUEL_INLINE Vec<T> load_masked(const T* from, Mask mask) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    return (Vec<T>)_mm512_maskz_loadu_ps(__mmask16(mask), from);
  } else {
    return (Vec<T>)_mm512_maskz_loadu_pd(__mmask8(mask), from);
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    return (Vec<T>)_mm256_maskload_ps(from, detail::wide_mask<T>(mask));
  } else {
    return (Vec<T>)_mm256_maskload_pd(from, detail::wide_mask<T>(mask));
  }
#else
  Vec<T> value{};
  for (int lane = 0; lane < kLanes<T>; ++lane) {
    if (mask >> lane & 1) value[lane] = from[lane];
  }
  return value;
#endif
}

/// Writes the lanes of the mask, and touches no other memory.
template <class T>
DUEL_INLINE void store_masked(T* to, Vec<T> value, Mask mask) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_ps(to, __mmask16(mask), (__m512)value);
  } else {
    _mm512_mask_storeu_pd(to, __mmask8(mask), (__m512d)value);
  }
#elif defined(__AVX2__)
  if (mask == lanes_between(0, kLanes<T>)) return store(to, value);
  if constexpr (sizeof(T) == 4) {
    _mm256_maskstore_ps(to, detail::wide_mask<T>(mask), (__m256)value);
  } else {
    _mm256_maskstore_pd(to, detail::wide_mask<T>(mask), (__m256d)value);
  }
#else
  for (int lane = 0; lane < kLanes<T>; ++lane) {
    if (mask >> lane & 1) to[lane] = value[lane];
  }
#endif
}

/// a * b + c, rounded once where the target can (-ffp-contract=off would not fuse it by itself).
DUEL_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
#if defined(__AVX512F__)
  return (Vec<float>)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
  return (Vec<float>)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}
DUEL_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
#if defined(__AVX512F__)
  return (Vec<double>)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__FMA__)
  return (Vec<double>)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#else
  return a * b + c;
#endif
}

/// Sum of all lanes, pairwise.
template <class T>
DUEL_INLINE T sum(Vec<T> value) {
  T lanes[kLanes<T>];
  std::memcpy(lanes, &value, sizeof(value));
  for (int half = kLanes<T> / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

namespace detail {
// Lane of [a, b] that goes to `lane` when the halves that differ in bit `step` are exchanged.
constexpr int exchanged(int lane, int step, bool high, int lanes) {
  const bool odd = (lane & step) != 0;
  return high ? (odd ? lanes + lane : lane + step) : (odd ? lanes + lane - step : lane);
}

template <class T, int kStep, bool kHigh, int... kLane>
DUEL_INLINE Vec<T> exchange(Vec<T> a, Vec<T> b, std::integer_sequence<int, kLane...>) {
  return __builtin_shufflevector(a, b, exchanged(kLane, kStep, kHigh, kLanes<T>)...);
}

template <class T, int kStep>
DUEL_INLINE void transpose_step(Vec<T>* rows) {
  if constexpr (kStep > 0) {
    constexpr auto lanes = std::make_integer_sequence<int, kLanes<T>>{};
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) {
      if (i & kStep) continue;
      const Vec<T> a = rows[i], b = rows[i + kStep];
      rows[i] = exchange<T, kStep, false>(a, b, lanes);
      rows[i + kStep] = exchange<T, kStep, true>(a, b, lanes);
    }
    transpose_step<T, kStep / 2>(rows);
  }
}
}  // namespace detail

/// Transposes a square of kLanes x kLanes in registers.
template <class T>
DUEL_INLINE void transpose(Vec<T>* rows) {
  detail::transpose_step<T, kLanes<T> / 2>(rows);
}

namespace detail {
template <class T, int kPart, int... kLane>
DUEL_INLINE Vec<T> interleaved(Vec<T> a, Vec<T> b, std::integer_sequence<int, kLane...>) {
  return __builtin_shufflevector(a, b, ((kPart * kLanes<T> + kLane) / 2 + (kLane % 2) * kLanes<T>)...);
}
template <class T, int... kLane>
DUEL_INLINE Vec<T> evens(Vec<T> value, std::integer_sequence<int, kLane...>) {
  return __builtin_shufflevector(value, value, (2 * kLane % kLanes<T>)...);
}
}  // namespace detail

/// a0 b0 a1 b1 …: its first (part 0) or second (part 1) vector.
template <class T, int kPart>
DUEL_INLINE Vec<T> interleave(Vec<T> a, Vec<T> b) {
  return detail::interleaved<T, kPart>(a, b, std::make_integer_sequence<int, kLanes<T>>{});
}

/// Lanes 0, 2, 4, … in the lower half; the upper half repeats them.
template <class T>
DUEL_INLINE Vec<T> even_lanes(Vec<T> value) {
  return detail::evens<T>(value, std::make_integer_sequence<int, kLanes<T>>{});
}

}  // namespace duel::kernels::simd
