// Power iteration towards a weight's largest singular value: what spectral norm moves at every forward pass, in one launch
// (Miyato et al. 2018, arXiv:1802.05957, algorithm 1).
//
// The weight is a matrix W of `rows` x `outer * inner` whose element (r, (a, i)) lies at (a * rows + r) * inner + i: the
// weights of a convolution and of a linear layer with outer 1, of a transposed convolution [in, out, kh, kw] with outer `in`.
//
// Note [Spectral sums]
// One block does all of it, so that nothing has to be handed from launch to launch; it is meant for weights of up to some
// 100,000 elements (kFusedSpectral), which one multiprocessor reads in microseconds. Host and device each have sums of one
// fixed order.
//
// Example:
//   power_iteration<float>(Stream(), {1, 64, 256}, w, 1, 1e-12f, u, v, {u_then, v_then, sigma, slope});
#pragma once

#include <cstdint>
#include <type_traits>

#include "duel/kernels/base/platform.h"

namespace duel::kernels {

/// Elements up to which one launch is the faster way.
inline constexpr int64_t kFusedSpectral = 1 << 17;

struct WeightMatrix {
  int64_t outer, rows, inner;
  int64_t columns() const { return outer * inner; }
};

/// Copies of u and v as they are after the launch, sigma = max(|u' W v|, eps), and the derivative of sigma by u' W v.
template <class T>
struct SpectralResults {
  T *u, *v, *sigma, *slope;
};

/// `iterations` times v = W' u / |W' u| and then u = W v / |W v|; one that is shorter than eps keeps its old direction.
/// w as above, u [rows] and v [outer * inner] in place. Error where a side of the matrix is 0.
template <class T>
void power_iteration(Stream stream, const WeightMatrix& matrix, const T* w, int64_t iterations,
                     std::type_identity_t<T> eps, T* u, T* v, const SpectralResults<T>& results);

/// The same without an iteration: u and v stay.
template <class T>
void spectral_value(Stream stream, const WeightMatrix& matrix, const T* w, std::type_identity_t<T> eps,
                    const T* u, const T* v, const SpectralResults<T>& results);

}  // namespace duel::kernels
