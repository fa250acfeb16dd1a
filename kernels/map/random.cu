// Random numbers: each thread of work makes whole Philox blocks; see Note [Random numbers] in random.h.
#include "duel/kernels/map/random.h"

#include <algorithm>

#include "duel/kernels/base/map.cuh"
#include "duel/kernels/base/math.h"

namespace duel::kernels {
namespace {

/// Philox blocks that a host loop makes side by side.
constexpr int kSideBySide = 64;
/// Philox blocks of one host range.
constexpr int64_t kGrain = 2048;

/// In (0, 1]: for the logarithm.
DUEL_HD float open_unit(uint32_t word, float) {
  return math::fma(static_cast<float>(word), 0x1p-32f, 0x1p-33f);
}
DUEL_HD double open_unit(uint32_t word, double) {
  return math::fma(static_cast<double>(word), 0x1p-32, 0x1p-33);
}

/// What the two words 2 h and 2 h + 1 of a block become; h is 0 or 1.
template <class T>
struct Pair {
  T first, second;
};

template <class T>
struct Uniform {
  T low, width, high;
  DUEL_HD T one(uint32_t word) const {
    const T value = math::fma(unit_interval(word, T()), width, low);
    return value < high ? value : low;  // rounding can reach high
  }
  DUEL_HD Pair<T> operator()(uint32_t a, uint32_t b) const { return {one(a), one(b)}; }
};

template <class T>
struct Normal {
  T mean, deviation;
  DUEL_HD Pair<T> operator()(uint32_t a, uint32_t b) const {
    const T radius = math::sqrt(T(-2) * math::log(open_unit(a, T())));
    const math::SinCos<T> turn = math::sincos_turns(unit_interval(b, T()));
    return {math::fma(radius * turn.cos, deviation, mean), math::fma(radius * turn.sin, deviation, mean)};
  }
};

struct Integer {
  uint64_t bound;
  DUEL_HD int64_t one(uint32_t word) const { return static_cast<int64_t>((word * bound) >> 32); }
  DUEL_HD Pair<int64_t> operator()(uint32_t a, uint32_t b) const { return {one(a), one(b)}; }
};

#if DUEL_DEVICE_CODE
template <class F, class T>
__global__ void draw_kernel(PhiloxState state, int64_t n, F f, T* out) {
  begin_kernel();
  const uint64_t offset = (state.offset ? *state.offset : 0) + state.addend;
  const int64_t blocks = (n + 3) / 4, stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < blocks; i += stride) {
    const PhiloxBlock block = philox_at(state.seed, state.stream, offset + static_cast<uint64_t>(i));
    const Pair<T> front = f(block.word[0], block.word[1]), back = f(block.word[2], block.word[3]);
    const T value[4] = {front.first, front.second, back.first, back.second};
    for (int k = 0; k < 4 && 4 * i + k < n; ++k) out[4 * i + k] = value[k];
  }
}

__global__ void advance_kernel(PhiloxAdvances all) {
  begin_kernel();
  advance(all);
}
#endif

template <class F, class T>
void draw(const char* op, Stream stream, const PhiloxState& state, int64_t n, F f, T* out) {
  DUEL_CHECK(n >= 0, op, "expected a size of at least 0, got {}", n);
  if (n == 0) return;
  DUEL_CHECK(out, op, "expected an array, got a null pointer");
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(draw_kernel<F, T>, dim3(map_blocks((n + 3) / 4)), dim3(kMapBlock), 0, stream, state, n, f, out);
    return;
  }
#endif
  (void)stream;
  const uint64_t offset = (state.offset ? *state.offset : 0) + state.addend;
  parallel_for((n + 3) / 4, kGrain, [&](int64_t begin, int64_t end) {
    // Word by word, not block by block: that is what vectorises.
    uint32_t word[4][kSideBySide];
    T value[4][kSideBySide];
    for (int64_t first = begin; first < end; first += kSideBySide) {
      const uint64_t index = offset + static_cast<uint64_t>(first);
      DUEL_SIMD
      for (int j = 0; j < kSideBySide; ++j) {
        const PhiloxBlock block = philox_at(state.seed, state.stream, index + static_cast<uint64_t>(j));
        word[0][j] = block.word[0];
        word[1][j] = block.word[1];
        word[2][j] = block.word[2];
        word[3][j] = block.word[3];
      }
      for (int h = 0; h < 4; h += 2) {
        DUEL_SIMD
        for (int j = 0; j < kSideBySide; ++j) {
          const Pair<T> pair = f(word[h][j], word[h + 1][j]);
          value[h][j] = pair.first;
          value[h + 1][j] = pair.second;
        }
      }
      T* to = out + 4 * first;
      const int64_t left = n - 4 * first;
      if (left >= 4 * kSideBySide) {
        for (int j = 0; j < kSideBySide; ++j) {
          for (int k = 0; k < 4; ++k) to[4 * j + k] = value[k][j];
        }
      } else {
        for (int64_t j = 0; j < left; ++j) to[j] = value[j % 4][j / 4];
      }
    }
  });
}

#if DUEL_DEVICE_CODE
__global__ void permutation_kernel(Permutation order, int64_t begin, int64_t count, int64_t* out) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    out[i] = static_cast<int64_t>(order(static_cast<uint64_t>(begin + i)));
  }
}

__global__ void shuffled_items_kernel(PhiloxState state, int64_t n, uint64_t count, int64_t* out) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride)
    out[i] = shuffled_item(state, i, count);
}
#endif

}  // namespace

template <class T>
void uniform(Stream stream, const PhiloxState& state, int64_t n, double low, double high, T* out) {
  DUEL_CHECK(low <= high, "uniform", "expected low <= high, got [{}, {})", low, high);
  const T l = static_cast<T>(low), h = static_cast<T>(high);
  DUEL_CHECK(std::isfinite(h - l), "uniform", "expected a range whose width is finite in {}, got [{}, {})",
             sizeof(T) == 4 ? "f32" : "f64", low, high);
  draw("uniform", stream, state, n, Uniform<T>{l, h - l, h}, out);
}

template <class T>
void normal(Stream stream, const PhiloxState& state, int64_t n, double mean, double deviation, T* out) {
  DUEL_CHECK(deviation >= 0, "normal", "expected a deviation of at least 0, got {}", deviation);
  DUEL_CHECK(std::isfinite(static_cast<T>(mean)) && std::isfinite(static_cast<T>(deviation)), "normal",
             "expected mean and deviation that are finite in {}, got {} and {}",
             sizeof(T) == 4 ? "f32" : "f64", mean, deviation);
  draw("normal", stream, state, n, Normal<T>{static_cast<T>(mean), static_cast<T>(deviation)}, out);
}

void random_integers(Stream stream, const PhiloxState& state, int64_t n, int64_t bound, int64_t* out) {
  DUEL_CHECK(bound >= 1 && bound <= (int64_t{1} << 32), "random_integers",
             "expected a bound of 1 to 2^32, got {}", bound);
  draw("random_integers", stream, state, n, Integer{static_cast<uint64_t>(bound)}, out);
}

void check(const char* op, const PhiloxAdvances& advances) {
  DUEL_CHECK(advances.count >= 0 && advances.count <= PhiloxAdvances::kMost, op,
             "expected 0 to {} offsets, got {}", PhiloxAdvances::kMost, advances.count);
  for (int k = 0; k < advances.count; ++k)
    DUEL_CHECK(advances.offset[k], op, "expected an offset, got a null pointer");
}

void philox_advance(Stream stream, const PhiloxAdvances& advances) {
  check("philox_advance", advances);
  if (advances.count == 0) return;
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(advance_kernel, dim3(1), dim3(1), 0, stream, advances);
    return;
  }
#endif
  (void)stream;
  advance(advances);
}

void permutation(Stream stream, uint64_t seed, uint64_t sequence, uint64_t epoch, int64_t n, int64_t begin,
                 int64_t end, int64_t* out) {
  DUEL_CHECK(n >= 0 && n <= (int64_t{1} << 62), "permutation", "expected a size of 0 to 2^62, got {}", n);
  DUEL_CHECK(begin >= 0 && begin <= end && end <= n, "permutation",
             "expected positions inside [0, {}], got [{}, {})", n, begin, end);
  if (begin == end) return;
  DUEL_CHECK(out, "permutation", "expected an array, got a null pointer");
  const Permutation order(seed, sequence, epoch, static_cast<uint64_t>(n));
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(permutation_kernel, dim3(map_blocks(end - begin)), dim3(kMapBlock), 0, stream, order, begin,
           end - begin, out);
    return;
  }
#endif
  (void)stream;
  parallel_for(end - begin, kGrain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i)
      out[i] = static_cast<int64_t>(order(static_cast<uint64_t>(begin + i)));
  });
}

void shuffled_items(Stream stream, const PhiloxState& state, int64_t n, int64_t count, int64_t* out) {
  DUEL_CHECK(n >= 0 && count >= 1 && count <= (int64_t{1} << 62), "shuffled_items",
             "expected a size of 1 to 2^62 and a number of items, got {} and {}", count, n);
  if (n == 0) return;
  DUEL_CHECK(out, "shuffled_items", "expected an array, got a null pointer");
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(shuffled_items_kernel, dim3(map_blocks(n)), dim3(kMapBlock), 0, stream, state, n,
           static_cast<uint64_t>(count), out);
    return;
  }
#endif
  const uint64_t first = (state.offset ? *state.offset : 0) + state.addend,
                 size = static_cast<uint64_t>(count);
  for (int64_t done = 0; done < n;) {
    const uint64_t position = first + static_cast<uint64_t>(done);
    const auto begin = static_cast<int64_t>(position % size);
    const int64_t end = begin + std::min(count - begin, n - done);
    permutation(stream, state.seed, state.stream, position / size, count, begin, end, out + done);
    done += end - begin;
  }
}

#define DUEL_RANDOM(T)                                                               \
  template void uniform<T>(Stream, const PhiloxState&, int64_t, double, double, T*); \
  template void normal<T>(Stream, const PhiloxState&, int64_t, double, double, T*);
DUEL_RANDOM(float)
DUEL_RANDOM(double)

}  // namespace duel::kernels
