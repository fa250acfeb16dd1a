// Power iterations of one weight: on the device by one block, on the host by rows of vectors.
#include "duel/kernels/reduce/spectral.h"

#include <cmath>

#include "duel/kernels/base/divisor.h"
#include "duel/kernels/base/lanes.cuh"

namespace duel::kernels {
namespace {

/// What of a sum of squares the direction is divided by; nothing where it is too short to have one. NaN has none.
template <class T>
DUEL_HD bool has_direction(T squares, T eps) {
  return std::sqrt(squares) >= eps;
}

template <class T>
struct Spectral {
  T sigma, slope;
};

template <class T>
DUEL_HD Spectral<T> spectral(T value, T eps) {
  const T size = value < T(0) ? -value : value;
  if (size < eps) return {eps, T(0)};
  return {size, value < T(0) ? T(-1) : value > T(0) ? T(1) : value};  // 0 and NaN as they are
}

#if DUEL_DEVICE_CODE
constexpr int kSpectralBlock = 512;

template <class T>
struct DeviceMatrix {
  const T* w;
  int64_t rows;
  Divisor inner, columns;
  __device__ T operator()(int64_t r, int64_t c) const {
    return w[(c / inner * rows + r) * inner.value() + c % inner];
  }
};

/// to[c] = sum over r of W[r, c] u[r]; returns the sum of their squares. Where there are fewer columns than threads, several
/// threads share one.
template <class T>
__device__ T times_rows(const DeviceMatrix<T>& m, const T* u, T* to) {
  __shared__ T partial[kSpectralBlock];
  const int64_t columns = m.columns.value(), thread = threadIdx.x;
  const auto sum_of = [&](int64_t c, int64_t first, int64_t step) {
    T sum = 0;
    for (int64_t r = first; r < m.rows; r += step) sum += m(r, c) * u[r];
    return sum;
  };
  T squares = 0;
  if (columns >= kSpectralBlock) {
    for (int64_t c = thread; c < columns; c += kSpectralBlock) {
      const T sum = sum_of(c, 0, 1);
      to[c] = sum;
      squares += sum * sum;
    }
  } else {
    const int64_t parts = int64_t{kSpectralBlock} / m.columns;
    __syncthreads();  // the last call's sums have been read
    if (thread < parts * columns) partial[thread] = sum_of(thread % m.columns, thread / m.columns, parts);
    __syncthreads();
    if (thread < columns) {
      T sum = 0;
      for (int64_t part = 0; part < parts; ++part) sum += partial[part * columns + thread];
      to[thread] = sum;
      squares = sum * sum;
    }
  }
  return block_sum<1, T, kSpectralBlock>({{squares}}).v[0];
}

/// to[r] = sum over c of W[r, c] v[c], a warp a row; returns the sum of their squares.
template <class T>
__device__ T times_columns(const DeviceMatrix<T>& m, const T* v, T* to) {
  const int64_t lane = threadIdx.x % 32, columns = m.columns.value();
  T squares = 0;
  for (int64_t r = threadIdx.x / 32; r < m.rows; r += kSpectralBlock / 32) {
    T sum = 0;
    for (int64_t c = lane; c < columns; c += 32) sum += m(r, c) * v[c];
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
    if (lane == 0) {
      to[r] = sum;
      squares += sum * sum;
    }
  }
  return block_sum<1, T, kSpectralBlock>({{squares}}).v[0];
}

/// x = raw / |raw| where that has a direction.
template <class T>
__device__ void take_direction(int64_t n, const T* raw, T squares, T eps, T* x) {
  if (!has_direction(squares, eps)) return;
  const T inverse = T(1) / std::sqrt(squares);
  for (int64_t i = threadIdx.x; i < n; i += kSpectralBlock) x[i] = raw[i] * inverse;
}

template <class T>
__global__ void power_iteration_kernel(DeviceMatrix<T> m, int64_t iterations, T eps, T* u, T* v,
                                       SpectralResults<T> results) {
  begin_kernel();
  const int64_t columns = m.columns.value();
  T squares = 0;
  for (int64_t i = 0; i < iterations; ++i) {
    take_direction(columns, results.v, times_rows(m, u, results.v), eps, v);
    __syncthreads();
    squares = times_columns(m, v, results.u);
    if (i + 1 == iterations) break;
    take_direction(m.rows, results.u, squares, eps, u);
    __syncthreads();
  }
  if (iterations == 0) squares = times_columns(m, v, results.u);
  // results.u is W v: sigma of it and of u, which the last iteration has yet to move.
  const bool moves = iterations > 0 && has_direction(squares, eps);
  const T inverse = moves ? T(1) / std::sqrt(squares) : T(1);
  T value = 0;
  for (int64_t r = threadIdx.x; r < m.rows; r += kSpectralBlock) {
    const T product = results.u[r], direction = moves ? product * inverse : u[r];
    value += direction * product;
    if (moves) u[r] = direction;
    results.u[r] = direction;
  }
  for (int64_t c = threadIdx.x; c < columns; c += kSpectralBlock) results.v[c] = v[c];
  value = block_sum<1, T, kSpectralBlock>({{value}}).v[0];
  if (threadIdx.x != 0) return;
  const Spectral<T> s = spectral(value, eps);
  *results.sigma = s.sigma;
  *results.slope = s.slope;
}
#endif

/// The host's times_rows(): whole rows are added, so that vectors run along the columns.
template <class T>
void add_rows(const WeightMatrix& m, const T* w, const T* u, T* to) {
  for (int64_t a = 0; a < m.outer; ++a) {
    T* sums = to + a * m.inner;
    for (int64_t i = 0; i < m.inner; ++i) sums[i] = 0;
    for (int64_t r = 0; r < m.rows; ++r) {
      const T factor = u[r];
      const T* row = w + (a * m.rows + r) * m.inner;
      DUEL_SIMD
      for (int64_t i = 0; i < m.inner; ++i) sums[i] += factor * row[i];
    }
  }
}

template <class T>
T dot(int64_t n, const T* a, const T* b) {
  LaneSums<1, T> sums;
  sums.add(n, [=](int64_t i) { return Terms<1, T>{{a[i] * b[i]}}; });
  return sums.fold().v[0];
}

template <class T>
void dot_rows(const WeightMatrix& m, const T* w, const T* v, T* to) {
  for (int64_t r = 0; r < m.rows; ++r) {
    to[r] = 0;
    for (int64_t a = 0; a < m.outer; ++a)
      to[r] += dot(m.inner, w + (a * m.rows + r) * m.inner, v + a * m.inner);
  }
}

template <class T>
void host_direction(int64_t n, const T* raw, T eps, T* x) {
  const T squares = dot(n, raw, raw);
  if (!has_direction(squares, eps)) return;
  const T inverse = T(1) / std::sqrt(squares);
  for (int64_t i = 0; i < n; ++i) x[i] = raw[i] * inverse;
}

}  // namespace

template <class T>
void power_iteration(Stream stream, const WeightMatrix& m, const T* w, int64_t iterations,
                     std::type_identity_t<T> eps, T* u, T* v, const SpectralResults<T>& results) {
  DUEL_CHECK(m.outer >= 1 && m.rows >= 1 && m.inner >= 1, "power_iteration",
             "expected a matrix with sides of at least 1, got {} x {}", m.rows, m.outer * m.inner);
  DUEL_CHECK(iterations >= 0, "power_iteration", "expected at least 0 iterations, got {}", iterations);
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    const DeviceMatrix<T> matrix{w, m.rows, Divisor(m.inner), Divisor(m.columns())};
    launch(power_iteration_kernel<T>, dim3(1), dim3(kSpectralBlock), 0, stream, matrix, iterations, T(eps), u,
           v, results);
    return;
  }
#endif
  (void)stream;
  for (int64_t i = 0; i < iterations; ++i) {
    add_rows(m, w, u, results.v);
    host_direction(m.columns(), results.v, eps, v);
    dot_rows(m, w, v, results.u);
    if (i + 1 < iterations) host_direction(m.rows, results.u, eps, u);
  }
  if (iterations == 0) dot_rows(m, w, v, results.u);
  if (iterations > 0) host_direction(m.rows, results.u, eps, u);
  const Spectral<T> s = spectral(dot(m.rows, u, results.u), T(eps));
  *results.sigma = s.sigma;
  *results.slope = s.slope;
  for (int64_t r = 0; r < m.rows; ++r) results.u[r] = u[r];
  for (int64_t c = 0; c < m.columns(); ++c) results.v[c] = v[c];
}

template <class T>
void spectral_value(Stream stream, const WeightMatrix& m, const T* w, std::type_identity_t<T> eps, const T* u,
                    const T* v, const SpectralResults<T>& results) {
  // Without an iteration neither is written.
  power_iteration<T>(stream, m, w, 0, eps, const_cast<T*>(u), const_cast<T*>(v), results);
}

#define DUEL_DEFINE_SPECTRAL(T)                                                              \
  template void spectral_value(Stream, const WeightMatrix&, const T*, T, const T*, const T*, \
                               const SpectralResults<T>&);                                   \
  template void power_iteration(Stream, const WeightMatrix&, const T*, int64_t, T, T*, T*,   \
                                const SpectralResults<T>&);
DUEL_DEFINE_SPECTRAL(float)
DUEL_DEFINE_SPECTRAL(double)
#undef DUEL_DEFINE_SPECTRAL

}  // namespace duel::kernels
