// Batch, layer and instance normalisation: one family of moments, normalisation, backward and double
// backward over "rows", a row being whatever shares a mean and a variance:
//
//   batch_norm_shape(n, c, s)     x [n, c, s]   a row is a channel over samples and pixels, gamma [c]
//   batch_norm_shape(n, c, s, p)  the same of p batches, one behind the other: a row is a channel of one of them
//   instance_norm_shape(n, c, s)  x [n, c, s]   a row is one channel of one sample,         gamma [c]
//   layer_norm_shape(b, m)        x [b, m]      a row is a sample,                          gamma [m]
//
// gamma and beta may be null everywhere (1 and 0). Variances are biased and computed in two passes (mean
// first), as PyTorch does. mean and rstd = 1 / sqrt(var + eps) have one element per row: shape.rows.
// Deterministic: every row is summed in an order that depends on the shape alone.
//
// Example (BatchNorm2d in training):
//   const NormShape shape = batch_norm_shape(64, 256, 49);
//   norm_forward(Stream(), shape, x, gamma, beta, 1e-5f, y, mean, rstd, {running_mean, running_var, 0.1f});
//   norm_backward(Stream(), shape, dy, x, mean, rstd, gamma, dx, dgamma, dbeta, workspace);
#pragma once

#include <cstdint>
#include <type_traits>

#include "duel/kernels/map/finish.h"

namespace duel::kernels {

/// x is [parts, outer, rows / parts, inner] contiguous; statistics run over outer and inner. gamma has `affine`
/// elements: one per row modulo affine, or one per inner position.
struct NormShape {
  int64_t outer = 1, rows = 0, inner = 0;
  int64_t affine = 0;
  bool affine_inner = false;
  int64_t parts = 1;

  DUEL_HD int64_t part_rows() const { return rows / parts; }
  int64_t count() const { return outer * inner; }  ///< elements per row
  int64_t size() const { return outer * rows * inner; }
};
NormShape batch_norm_shape(int64_t n, int64_t c, int64_t s, int64_t parts = 1);
NormShape instance_norm_shape(int64_t n, int64_t c, int64_t s);
NormShape layer_norm_shape(int64_t b, int64_t m);

/// Running statistics of batch norm (null: none), updated with PyTorch's momentum:
///   running = (1 - momentum) running + momentum batch, the variance unbiased (count / (count - 1)),
/// once for each part, in their order.
template <class T>
struct RunningStats {
  T* mean = nullptr;
  T* var = nullptr;
  T momentum = T(0.1);
  int64_t* batches = nullptr;  ///< counts the parts seen; may be null beside mean and var
};

/// Training: y = gamma (x - mean) rstd + beta with the batch's own statistics, which are saved in mean and
/// rstd [rows]. y may be x. `finish`: kernels/map/finish.h, with values of an activation only.
template <class T>
void norm_forward(Stream stream, const NormShape& shape, const T* x, const std::type_identity_t<T>* gamma,
                  const std::type_identity_t<T>* beta, std::type_identity_t<T> eps, T* y, T* mean, T* rstd,
                  const RunningStats<std::type_identity_t<T>>& running = {}, const Finish<T>& finish = {});

/// Inference: y = gamma (x - mean) / sqrt(var + eps) + beta with given mean and var [rows], parts 1. y may be x.
template <class T>
void norm_inference(Stream stream, const NormShape& shape, const T* x, const T* mean, const T* var,
                    const std::type_identity_t<T>* gamma, const std::type_identity_t<T>* beta,
                    std::type_identity_t<T> eps, T* y, const Finish<T>& finish = {});

/// Scratch elements (of T) for norm_backward and norm_double_backward.
int64_t norm_workspace(const NormShape& shape);

/// Backward of norm_forward. With xhat = (x - mean) rstd, q = gamma dy, P(q) = q - mean(q) - xhat mean(q
/// xhat):
///   dx = rstd P(q),  dgamma = sum dy xhat,  dbeta = sum dy
/// Any output may be null; dx may be dy.
template <class T>
void norm_backward(Stream stream, const NormShape& shape, const T* dy, const T* x, const T* mean,
                   const T* rstd, const std::type_identity_t<T>* gamma, std::type_identity_t<T>* dx,
                   std::type_identity_t<T>* dgamma, std::type_identity_t<T>* dbeta, T* workspace);

/// Cotangents of norm_backward's outputs; null means zero.
template <class T>
struct NormCotangents {
  const T* dx = nullptr;      ///< [size], "ggI"
  const T* dgamma = nullptr;  ///< [affine]
  const T* dbeta = nullptr;   ///< [affine]
};

/// Backward of norm_backward (mean and rstd are functions of x): for v = cotangents.dx, h =
/// cotangents.dgamma, k = cotangents.dbeta
///   d_dy    = gamma rstd P(v) + h xhat + k
///   d_gamma = sum dy rstd P(v)
///   d_x     = rstd P(h dy) + rstd^2 [ xhat (Sv Sq / M - Sqv + 3 Sqx Svx / M) / M
///                                     + Svx / M (Sq / M - q) + Sqx / M (Sv / M - v) ]
/// with the row sums Sv = sum v, Sq = sum q, Sqv = sum q v, Svx = sum v xhat, Sqx = sum q xhat and M = count.
/// Any output may be null; outputs may not overlap inputs.
template <class T>
void norm_double_backward(Stream stream, const NormShape& shape, const T* dy, const T* x, const T* mean,
                          const T* rstd, const std::type_identity_t<T>* gamma,
                          const NormCotangents<std::type_identity_t<T>>& cotangents,
                          std::type_identity_t<T>* d_dy, std::type_identity_t<T>* d_x,
                          std::type_identity_t<T>* d_gamma, T* workspace);

}  // namespace duel::kernels
