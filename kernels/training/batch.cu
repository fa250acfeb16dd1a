// Batch gather with normalisation, and the points of gradient penalties.
#include "duel/kernels/training/batch.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "duel/kernels/base/divisor.h"
#include "duel/kernels/base/lanes.cuh"
#include "duel/kernels/base/map.cuh"

namespace duel::kernels {
namespace {

int64_t row_grain(int64_t m) { return m >= 16384 ? 1 : 16384 / (m < 1 ? 1 : m); }

constexpr int64_t kMomentGrain = 16384;  // host: one partial sum per so many elements
constexpr int64_t kMomentBlocks = 256;   // device: partial sums

template <class T>
struct ScaleShift {
  T scale, shift;
  DUEL_HD T operator()(uint8_t pixel) const { return scale * static_cast<T>(pixel) + shift; }
};

template <class T>
struct Line {
  T eps;
  DUEL_HD T operator()(T real, T fake) const { return eps * real + (T(1) - eps) * fake; }
};

template <class T>
struct DraganNoise {
  T size;  // alpha * 0.5 * std
  DUEL_HD T operator()(T x, T u) const { return x + size * u; }
};

void check(const char* op, int64_t batch, int64_t m) {
  DUEL_CHECK(batch >= 0 && m >= 0, op, "expected sizes of at least 0, got batch {} and row length {}", batch,
             m);
}

#if DUEL_DEVICE_CODE
template <class T>
__global__ void gather_normalize_kernel(int64_t n, Divisor m, int64_t source_rows, const uint8_t* source,
                                        const int64_t* index, ScaleShift<T> formula, T* out) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    const int64_t row = index[i / m];
    out[i] = row >= 0 && row < source_rows ? formula(source[row * m.value() + i % m]) : static_cast<T>(NAN);
  }
}

/// A block for each row; those behind them copy.
template <class T>
__global__ void draw_rows_kernel(PhiloxState order, int64_t batch, int64_t m, uint64_t source_rows,
                                 const uint8_t* source, ScaleShift<T> formula, const T* behind,
                                 int64_t behind_size, int64_t* index, T* out) {
  begin_kernel();
  if (blockIdx.x < batch) {
    const int64_t row = shuffled_item(order, static_cast<int64_t>(blockIdx.x), source_rows);
    if (threadIdx.x == 0) index[blockIdx.x] = row;
    for (int64_t j = threadIdx.x; j < m; j += blockDim.x)
      out[blockIdx.x * m + j] = formula(source[row * m + j]);
    return;
  }
  const int64_t stride = static_cast<int64_t>(gridDim.x - batch) * blockDim.x;
  for (int64_t i = (static_cast<int64_t>(blockIdx.x) - batch) * blockDim.x + threadIdx.x; i < behind_size;
       i += stride)
    out[batch * m + i] = behind[i];
}

template <class L>
__global__ void gather_labels_kernel(int64_t batch, int64_t source_rows, const L* labels,
                                     const int64_t* index, int64_t* out) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < batch; i += stride) {
    const int64_t row = index[i];
    out[i] = row >= 0 && row < source_rows ? static_cast<int64_t>(labels[row]) : -1;
  }
}

template <class T, class Eps>
__global__ void line_kernel(int64_t n, Divisor m, const T* real, const T* fake, Eps eps, T* out) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    out[i] = Line<T>{eps(i / m)}(real[i], fake[i]);
  }
}

/// real[i], fake[i] and the point between them.
template <class T>
__global__ void join_with_line_kernel(int64_t n, Divisor m, const T* real, const T* fake, PhiloxState state,
                                      T* out) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    const T r = real[i], f = fake[i];
    out[i] = r;
    out[n + i] = f;
    out[2 * n + i] = Line<T>{uniform_at<T>(state, i / m)}(r, f);
  }
}

/// Partial sums of x (centre null) or of (x - *centre)^2.
template <class T>
__global__ void moment_kernel(int64_t n, const T* x, const T* centre, T* partial) {
  begin_kernel();
  const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const T mean = centre != nullptr ? *centre : T(0);
  const auto total = block_sum(strided_terms<1, T>(first, n, stride, [&](int64_t i) {
    const T d = x[i] - mean;
    return Terms<1, T>{{centre != nullptr ? d * d : d}};
  }));
  if (threadIdx.x == 0) partial[blockIdx.x] = total.v[0];
}

/// out = total / n, or its root.
template <class T>
__global__ void moment_combine_kernel(int64_t partials, const T* partial, T n, bool root, T* out) {
  begin_kernel();
  const auto total = block_sum(strided_terms<1, T>(threadIdx.x, partials, blockDim.x,
                                                   [&](int64_t i) { return Terms<1, T>{{partial[i]}}; }));
  if (threadIdx.x == 0) *out = root ? std::sqrt(total.v[0] / n) : total.v[0] / n;
}

template <class T>
__global__ void dragan_kernel(int64_t n, Divisor m, const T* x, const T* alpha, const T* u, const T* std,
                              T* out) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    out[i] = DraganNoise<T>{alpha[i / m] * T(0.5) * *std}(x[i], u[i]);
  }
}
#endif

template <class T, class F>
T ordered_sum(int64_t n, T* partial, F term) {
  parallel_for(n, kMomentGrain, [&](int64_t begin, int64_t end) {
    LaneSums<1, T> sums;
    sums.add(end - begin, [=](int64_t i) { return Terms<1, T>{{term(begin + i)}}; });
    partial[begin / kMomentGrain] = sums.fold().v[0];
  });
  double total = 0;
  for (int64_t r = 0; r < (n + kMomentGrain - 1) / kMomentGrain; ++r)
    total += static_cast<double>(partial[r]);
  return static_cast<T>(total);
}

}  // namespace

template <class T>
void gather_normalize(Stream stream, int64_t batch, int64_t m, int64_t source_rows, const uint8_t* source,
                      const int64_t* index, std::type_identity_t<T> scale, std::type_identity_t<T> shift,
                      T* out) {
  check("gather_normalize", batch, m);
  if (batch == 0 || m == 0) return;
  const ScaleShift<T> formula{scale, shift};
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(gather_normalize_kernel<T>, dim3(map_blocks(batch * m)), dim3(kMapBlock), 0, stream, batch * m,
           Divisor(m), source_rows, source, index, formula, out);
    return;
  }
#endif
  (void)stream;
  parallel_for(batch, row_grain(m), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      DUEL_CHECK(index[b] >= 0 && index[b] < source_rows, "gather_normalize",
                 "expected a row in [0, {}), got index[{}] = {}", source_rows, b, index[b]);
      const uint8_t* row = source + index[b] * m;
      T* to = out + b * m;
      DUEL_SIMD
      for (int64_t i = 0; i < m; ++i) to[i] = formula(row[i]);
    }
  });
}

template <class T>
void draw_rows(Stream stream, const PhiloxState& order, int64_t batch, int64_t m, int64_t source_rows,
               const uint8_t* source, std::type_identity_t<T> scale, std::type_identity_t<T> shift,
               const T* behind, int64_t behind_size, int64_t* index, T* out) {
  check("draw_rows", batch, m);
  DUEL_CHECK(
      source_rows >= 1 && batch < (int64_t{1} << 30) && behind_size >= 0, "draw_rows",
      "expected a source of at least 1 row, fewer than 2^30 rows and at least 0 elements behind, got {}, "
      "{} and {}",
      source_rows, batch, behind_size);
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    const int64_t blocks = batch + (behind_size > 0 ? map_blocks(behind_size) : 0);
    if (blocks == 0) return;
    launch(draw_rows_kernel<T>, dim3(static_cast<unsigned>(blocks)), dim3(kMapBlock), 0, stream, order, batch,
           m, static_cast<uint64_t>(source_rows), source, ScaleShift<T>{scale, shift}, behind, behind_size,
           index, out);
    return;
  }
#endif
  if (batch > 0) shuffled_items(stream, order, batch, source_rows, index);
  gather_normalize<T>(stream, batch, m, source_rows, source, index, scale, shift, out);
  std::copy_n(behind, behind_size, out + batch * m);
}

template <class L>
void gather_labels(Stream stream, int64_t batch, int64_t source_rows, const L* labels, const int64_t* index,
                   int64_t* out) {
  check("gather_labels", batch, 1);
  if (batch == 0) return;
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(gather_labels_kernel<L>, dim3(map_blocks(batch)), dim3(kMapBlock), 0, stream, batch, source_rows,
           labels, index, out);
    return;
  }
#endif
  (void)stream;
  for (int64_t b = 0; b < batch; ++b) {
    DUEL_CHECK(index[b] >= 0 && index[b] < source_rows, "gather_labels",
               "expected a row in [0, {}), got index[{}] = {}", source_rows, b, index[b]);
    out[b] = static_cast<int64_t>(labels[index[b]]);
  }
}

namespace {
template <class T, class Eps>
void line(Stream stream, int64_t batch, int64_t m, const T* real, const T* fake, Eps eps, T* out) {
  check("interpolate_line", batch, m);
  if (batch == 0 || m == 0) return;
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(line_kernel<T, Eps>, dim3(map_blocks(batch * m)), dim3(kMapBlock), 0, stream, batch * m,
           Divisor(m), real, fake, eps, out);
    return;
  }
#endif
  (void)stream;
  parallel_for(batch, row_grain(m), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const Line<T> formula{eps(b)};
      const T *r = real + b * m, *f = fake + b * m;
      T* to = out + b * m;
      DUEL_SIMD
      for (int64_t i = 0; i < m; ++i) to[i] = formula(r[i], f[i]);
    }
  });
}

/// eps as they were drawn, or drawn where they are asked for.
template <class T>
struct Drawn {
  const T* eps;
  DUEL_HD T operator()(int64_t b) const { return eps[b]; }
};
template <class T>
struct Drawing {
  PhiloxState state;
  DUEL_HD T operator()(int64_t b) const { return uniform_at<T>(state, b); }
};
}  // namespace

template <class T>
void interpolate_line(Stream stream, int64_t batch, int64_t m, const T* real, const T* fake, const T* eps,
                      T* out) {
  line(stream, batch, m, real, fake, Drawn<T>{eps}, out);
}

template <class T>
void interpolate_line(Stream stream, int64_t batch, int64_t m, const T* real, const T* fake,
                      const PhiloxState& state, T* out) {
  line(stream, batch, m, real, fake, Drawing<T>{state}, out);
}

template <class T>
void join_with_line(Stream stream, int64_t batch, int64_t m, const T* real, const T* fake,
                    const PhiloxState& state, T* out) {
  check("join_with_line", batch, m);
  const int64_t n = batch * m;
  if (n == 0) return;
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(join_with_line_kernel<T>, dim3(map_blocks(n)), dim3(kMapBlock), 0, stream, n, Divisor(m), real,
           fake, state, out);
    return;
  }
#endif
  std::copy(real, real + n, out);
  std::copy(fake, fake + n, out + n);
  interpolate_line(stream, batch, m, real, fake, state, out + 2 * n);
}

// [0]: std, [1]: mean, then the partial sums.
int64_t dragan_workspace(int64_t batch, int64_t m) {
  const int64_t host = (batch * m + kMomentGrain - 1) / kMomentGrain;
  return 2 + (host < kMomentBlocks ? kMomentBlocks : host);
}

template <class T>
void dragan_perturb(Stream stream, int64_t batch, int64_t m, const T* x, const T* alpha, const T* u, T* out,
                    T* workspace) {
  check("dragan_perturb", batch, m);
  const int64_t n = batch * m;
  if (n == 0) return;
  T *std = workspace, *mean = workspace + 1, *partial = workspace + 2;
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    const int64_t wanted = (n + kSumBlock - 1) / kSumBlock;
    const int64_t blocks = wanted < kMomentBlocks ? wanted : kMomentBlocks;
    const dim3 grid(static_cast<unsigned>(blocks)), block(kSumBlock);
    launch(moment_kernel<T>, grid, block, 0, stream, n, x, nullptr, partial);
    launch(moment_combine_kernel<T>, dim3(1), block, 0, stream, blocks, partial, static_cast<T>(n), false,
           mean);
    launch(moment_kernel<T>, grid, block, 0, stream, n, x, mean, partial);
    launch(moment_combine_kernel<T>, dim3(1), block, 0, stream, blocks, partial, static_cast<T>(n), true,
           std);
    launch(dragan_kernel<T>, dim3(map_blocks(n)), dim3(kMapBlock), 0, stream, n, Divisor(m), x, alpha, u, std,
           out);
    return;
  }
#endif
  (void)stream;
  *mean = ordered_sum(n, partial, [=](int64_t i) { return x[i]; }) / static_cast<T>(n);
  const T centre = *mean;
  *std = std::sqrt(ordered_sum(n, partial, [=](int64_t i) { return (x[i] - centre) * (x[i] - centre); }) /
                   static_cast<T>(n));
  const T deviation = *std;
  parallel_for(batch, row_grain(m), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const DraganNoise<T> formula{alpha[b] * T(0.5) * deviation};
      const T *from = x + b * m, *noise = u + b * m;
      T* to = out + b * m;
      DUEL_SIMD
      for (int64_t i = 0; i < m; ++i) to[i] = formula(from[i], noise[i]);
    }
  });
}

#define DUEL_DEFINE_BATCH(T)                                                                              \
  template void gather_normalize(Stream, int64_t, int64_t, int64_t, const uint8_t*, const int64_t*, T, T, \
                                 T*);                                                                     \
  template void draw_rows(Stream, const PhiloxState&, int64_t, int64_t, int64_t, const uint8_t*, T, T,    \
                          const T*, int64_t, int64_t*, T*);                                               \
  template void interpolate_line(Stream, int64_t, int64_t, const T*, const T*, const T*, T*);             \
  template void join_with_line(Stream, int64_t, int64_t, const T*, const T*, const PhiloxState&, T*);     \
  template void interpolate_line(Stream, int64_t, int64_t, const T*, const T*, const PhiloxState&, T*);   \
  template void dragan_perturb(Stream, int64_t, int64_t, const T*, const T*, const T*, T*, T*);
DUEL_DEFINE_BATCH(float)
DUEL_DEFINE_BATCH(double)
template void gather_labels(Stream, int64_t, int64_t, const uint8_t*, const int64_t*, int64_t*);
template void gather_labels(Stream, int64_t, int64_t, const int64_t*, const int64_t*, int64_t*);

}  // namespace duel::kernels
