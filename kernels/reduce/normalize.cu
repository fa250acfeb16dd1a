// Normalisation forward: moments and normalisation in one visit of each tile (host) or row (device).
#include "duel/kernels/reduce/normalize.h"

#include "duel/kernels/reduce/normalize.cuh"

namespace duel::kernels {
namespace {

#if DUEL_DEVICE_CODE
template <int kBlock, class T>
__device__ __forceinline__ void normalize_row(const NormShape& s, int64_t row, const T* x, T centre, T scale,
                                              const T* gamma, const T* beta, T* y, const Finish<T>& finish) {
  norm::row_map<kBlock, T>(
      s, row,
      [&](int64_t i, int64_t inner) {
        const int64_t a = norm::affine_index(s, row, inner);
        return norm::normalized(x[i], centre, scale) * norm::at_or(gamma, a, T(1)) +
               norm::at_or(beta, a, T(0));
      },
      // Beside the loops a smooth function in f64 costs registers that there are not.
      [&](int64_t i, T value) { store_one<sizeof(T) == 4>(y, finish, i, value); });
}

/// A block takes a channel's parts in turn, so that its running statistics move as by calls one after the other.
template <class T, int kBlock>
__global__ void __launch_bounds__(kBlock, 1)
    norm_forward_kernel(NormShape s, const T* x, const T* gamma, const T* beta, T eps, T* y, T* mean, T* rstd,
                        RunningStats<T> running, Finish<T> finish) {
  begin_kernel();
  const T count = norm::divisor<T>(s.outer * s.inner);
  for (int64_t row = blockIdx.x; row < s.rows; row += gridDim.x) {
    const auto sum =
        norm::row_sums<kBlock, 1, T>(s, row, [&](int64_t i, int64_t) { return Terms<1, T>{{x[i]}}; });
    const T centre = sum.v[0] / count;
    const auto square = norm::row_sums<kBlock, 1, T>(s, row, [&](int64_t i, int64_t) {
      const T d = x[i] - centre;
      return Terms<1, T>{{d * d}};
    });
    const T var = square.v[0] / count;
    const T scale = norm::rstd_of(var, eps);
    if (threadIdx.x == 0) {
      mean[row] = centre;
      rstd[row] = scale;
      if (running.mean != nullptr)
        norm::update_running(running, int64_t{blockIdx.x}, s.outer * s.inner, centre, var);
    }
    normalize_row<kBlock>(s, row, x, centre, scale, gamma, beta, y, finish);
  }
}

template <class T, int kBlock>
__global__ void __launch_bounds__(kBlock, 1)
    norm_inference_kernel(NormShape s, const T* x, const T* mean, const T* var, const T* gamma, const T* beta,
                          T eps, T* y, Finish<T> finish) {
  begin_kernel();
  const int64_t row = blockIdx.x;
  const T centre = mean[row], scale = norm::rstd_of(var[row], eps);
  normalize_row<kBlock>(s, row, x, centre, scale, gamma, beta, y, finish);
}
#endif

/// y = gamma xhat + beta over one tile; mean and rstd as functions of the column.
template <class T, class AnyTile, class Column>
void apply(const NormShape& s, const AnyTile& tile, const T* x, Column mean, Column rstd, const T* gamma,
           const T* beta, T* y) {
  const norm::AffineColumns<T> gammas(s, tile, gamma, T(1)), betas(s, tile, beta, T(0));
  tile.map(y, [&](int64_t base, int64_t at) {
    return [=, from = x + base, g = gammas.at(at), b = betas.at(at)](int64_t j) {
      return norm::normalized(from[j], mean[j], rstd[j]) * g[j] + b[j];
    };
  });
}

}  // namespace

NormShape batch_norm_shape(int64_t n, int64_t c, int64_t s, int64_t parts) {
  DUEL_CHECK(parts >= 1 && n % parts == 0, "batch_norm_shape",
             "expected samples in parts of equal size, got {} in {} parts", n, parts);
  return {n / parts, parts * c, s, c, false, parts};
}
NormShape instance_norm_shape(int64_t n, int64_t c, int64_t s) { return {1, n * c, s, c, false}; }
NormShape layer_norm_shape(int64_t b, int64_t m) { return {1, b, m, m, true}; }

template <class T>
void norm_forward(Stream stream, const NormShape& shape, const T* x, const std::type_identity_t<T>* gamma,
                  const std::type_identity_t<T>* beta, std::type_identity_t<T> eps, T* y, T* mean, T* rstd,
                  const RunningStats<std::type_identity_t<T>>& running, const Finish<T>& finish) {
  norm::check("norm_forward", shape);
  if (shape.size() > 0) check_finish("norm_forward", y, finish);
  DUEL_CHECK((running.mean == nullptr) == (running.var == nullptr), "norm_forward",
             "expected both running statistics or none, got one");
  DUEL_CHECK(running.mean == nullptr || (!shape.affine_inner && shape.affine == shape.part_rows()),
             "norm_forward", "expected running statistics for batch norm only, got {} rows for {} channels",
             shape.part_rows(), shape.affine);
  if (shape.rows == 0) return;
  RunningStats<T> kept = running;
  if (shape.count() == 0) kept = {};  // nothing was seen
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    norm::with_block<T>(shape.count(), [&](auto block) {
      launch(norm_forward_kernel<T, block()>, dim3(static_cast<unsigned>(shape.part_rows())), dim3(block()),
             0, stream, shape, x, gamma, beta, eps, y, mean, rstd, kept, finish);
    });
    return;
  }
#endif
  (void)stream;
  const T count = norm::divisor<T>(shape.count());
  norm::for_tiles<T>(shape, [&](const auto& tile) {
    alignas(64) T centres[norm::kColumns], scales[norm::kColumns];
    tile.template sums<1>(
        [&](int64_t base, int64_t) {
          return [from = x + base](int64_t j) { return Terms<1, T>{{from[j]}}; };
        },
        [&](int64_t row, const Terms<1, T>& sum) { mean[row] = sum.v[0] / count; });
    const auto centre = tile.per_row([&](int64_t row) { return mean[row]; }, centres);
    tile.template sums<1>(
        [&](int64_t base, int64_t) {
          return [from = x + base, centre](int64_t j) {
            const T d = from[j] - centre[j];
            return Terms<1, T>{{d * d}};
          };
        },
        [&](int64_t row, const Terms<1, T>& square) {
          const T var = square.v[0] / count;
          rstd[row] = norm::rstd_of(var, T(eps));
          if (kept.mean != nullptr)
            norm::update_running(kept, row % shape.part_rows(), shape.count(), mean[row], var);
        });
    apply(shape, tile, x, centre, tile.per_row([&](int64_t row) { return rstd[row]; }, scales), gamma, beta,
          y ? y : finish.value);
  });
  finish_results(stream, shape.size(), y, finish);
}

template <class T>
void norm_inference(Stream stream, const NormShape& shape, const T* x, const T* mean, const T* var,
                    const std::type_identity_t<T>* gamma, const std::type_identity_t<T>* beta,
                    std::type_identity_t<T> eps, T* y, const Finish<T>& finish) {
  norm::check("norm_inference", shape);
  DUEL_CHECK(shape.parts == 1, "norm_inference", "expected one part, got {}", shape.parts);
  if (shape.size() == 0) return;
  check_finish("norm_inference", y, finish);
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    norm::with_block<T>(shape.count(), [&](auto block) {
      launch(norm_inference_kernel<T, block()>, dim3(static_cast<unsigned>(shape.rows)), dim3(block()), 0,
             stream, shape, x, mean, var, gamma, beta, eps, y, finish);
    });
    return;
  }
#endif
  (void)stream;
  norm::for_tiles<T>(shape, [&](const auto& tile) {
    alignas(64) T centres[norm::kColumns], scales[norm::kColumns];
    const auto centre = tile.per_row([&](int64_t row) { return mean[row]; }, centres);
    const auto scale = tile.per_row([&](int64_t row) { return norm::rstd_of(var[row], T(eps)); }, scales);
    apply(shape, tile, x, centre, scale, gamma, beta, y ? y : finish.value);
  });
  finish_results(stream, shape.size(), y, finish);
}

#define DUEL_DEFINE_NORM(T)                                                                                \
  template void norm_forward(Stream, const NormShape&, const T*, const T*, const T*, T, T*, T*, T*,        \
                             const RunningStats<T>&, const Finish<T>&);                                    \
  template void norm_inference(Stream, const NormShape&, const T*, const T*, const T*, const T*, const T*, \
                               T, T*, const Finish<T>&);
DUEL_DEFINE_NORM(float)
DUEL_DEFINE_NORM(double)

}  // namespace duel::kernels
