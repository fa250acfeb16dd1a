// New tensors: sequences, identities, random numbers, and tensors like another. (zeros, ones, full and from are static
// members of Tensor.)
//
// Example:  Tensor t = arange(0, 6).reshape({2, 3});   Tensor z = randn({64, 100});
#pragma once

#include <concepts>

#include "duel/core/tensor/tensor.h"

namespace duel {

namespace detail {
Tensor arange(double begin, double end, double step, TensorOptions options);
}

/// begin, begin + step, … without end: i64 of integers, f32 of floating arguments, or what the options say.
template <std::integral T>
Tensor arange(T begin, std::type_identity_t<T> end, std::type_identity_t<T> step = 1,
              TensorOptions options = {.dtype = DType::i64}) {
  return detail::arange(static_cast<double>(begin), static_cast<double>(end), static_cast<double>(step),
                        options);
}
template <std::floating_point T>
Tensor arange(T begin, std::type_identity_t<T> end, std::type_identity_t<T> step = 1,
              TensorOptions options = {}) {
  return detail::arange(static_cast<double>(begin), static_cast<double>(end), static_cast<double>(step),
                        options);
}
/// From 0 on.
template <class T>
requires std::integral<T> || std::floating_point<T> Tensor arange(T end) { return arange(T{0}, end); }
/// `count` numbers from begin to end, both of them among these.
Tensor linspace(double begin, double end, int64_t count, TensorOptions options = {});
/// 1 on the diagonal, else 0: [n, n], or [n, m].
Tensor eye(int64_t n, TensorOptions options = {});
Tensor eye(int64_t n, int64_t m, TensorOptions options = {});
/// The part of the last two axes on and below (above) a diagonal, 0 elsewhere; diagonal 1 lies above the main one.
Tensor tril(const Tensor& x, int64_t diagonal = 0);
Tensor triu(const Tensor& x, int64_t diagonal = 0);

/// Uniform in [0, 1), and normal, from default_generator() (random.h).
Tensor rand(const Shape& shape, TensorOptions options = {});
Tensor randn(const Shape& shape, TensorOptions options = {});
Tensor rand_like(const Tensor& x);
Tensor randn_like(const Tensor& x);

/// Of x's shape, dtype and device, without a graph.
Tensor empty_like(const Tensor& x);
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);
Tensor full_like(const Tensor& x, double value);

/// Labels (i64) to rows with a single one: shape [..., classes]. A label outside [0, classes) is an Error on the
/// CPU and a row of zeros on a GPU.
Tensor one_hot(const Tensor& labels, int64_t classes, DType dtype = DType::f32);

}  // namespace duel
