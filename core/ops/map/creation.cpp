#include "duel/core/ops/map/creation.h"

#include <cmath>

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/comparison.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/op_trace.h"
#include "duel/core/tensor/random.h"
#include "duel/kernels/map/axis.h"
#include "duel/kernels/map/movement.h"

namespace duel {
namespace {

Tensor sequence(const char* op, int64_t count, double first, double step, double last,
                TensorOptions options) {
  Tensor y = Tensor::empty({count}, options);
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    kernels::sequence<T>(stream_of(y.device()), count, first, step, last, y.mutable_data<T>());
  };
  if (options.dtype == DType::i64) {
    run(int64_t{});
  } else {
    DUEL_DISPATCH(options.dtype, op, run(T{}));
  }
  return y;
}

/// Column minus row of the last two axes of x, i64 [rows, columns]: the number of its diagonal.
Tensor diagonals(const char* op, const Tensor& x) {
  DUEL_CHECK(x.rank() >= 2, op, "expected at least two axes, got {}", to_text(x));
  const TensorOptions options{DType::i64, x.device()};
  const Tensor row = arange(int64_t{0}, x.dim(-2), 1, options),
               column = arange(int64_t{0}, x.dim(-1), 1, options);
  return column - row.reshape({x.dim(-2), 1});
}

}  // namespace

Tensor detail::arange(double begin, double end, double step, TensorOptions options) {
  DUEL_CHECK(step != 0 && std::isfinite(begin) && std::isfinite(end) && std::isfinite(step), "arange",
             "expected finite numbers and a step other than 0, got {}, {}, {}", begin, end, step);
  const double count = std::ceil((end - begin) / step);
  const int64_t n = count > 0 ? static_cast<int64_t>(count) : 0;
  return sequence("arange", n, begin, step, begin + static_cast<double>(n - 1) * step, options);
}

Tensor linspace(double begin, double end, int64_t count, TensorOptions options) {
  DUEL_CHECK(count >= 0, "linspace", "expected a count of at least 0, got {}", count);
  const double step = count > 1 ? (end - begin) / static_cast<double>(count - 1) : 0;
  return sequence("linspace", count, begin, step, count > 1 ? end : begin, options);
}

Tensor eye(int64_t n, TensorOptions options) { return eye(n, n, options); }
Tensor eye(int64_t n, int64_t m, TensorOptions options) {
  const TensorOptions index{DType::i64, options.device};
  return (arange(int64_t{0}, n, 1, index).reshape({n, 1}) == arange(int64_t{0}, m, 1, index))
      .to(options.dtype);
}

Tensor tril(const Tensor& x, int64_t diagonal) {
  return where(diagonals("tril", x) <= static_cast<double>(diagonal), x, Tensor::zeros({}, x.options()));
}
Tensor triu(const Tensor& x, int64_t diagonal) {
  return where(diagonals("triu", x) >= static_cast<double>(diagonal), x, Tensor::zeros({}, x.options()));
}

Tensor rand(const Shape& shape, TensorOptions options) {
  return default_generator().uniform(shape, 0.0, 1.0, options);
}
Tensor randn(const Shape& shape, TensorOptions options) {
  return default_generator().normal(shape, 0.0, 1.0, options);
}
Tensor rand_like(const Tensor& x) { return rand(x.shape(), x.options()); }
Tensor randn_like(const Tensor& x) { return randn(x.shape(), x.options()); }

Tensor empty_like(const Tensor& x) { return Tensor::empty(x.shape(), x.options()); }
Tensor zeros_like(const Tensor& x) { return Tensor::zeros(x.shape(), x.options()); }
Tensor ones_like(const Tensor& x) { return Tensor::ones(x.shape(), x.options()); }
Tensor full_like(const Tensor& x, double value) { return Tensor::full(x.shape(), value, x.options()); }

Tensor one_hot(const Tensor& labels, int64_t classes, DType dtype) {
  DUEL_CHECK(labels.dtype() == DType::i64, "one_hot", "expected i64 labels, got {}", to_text(labels));
  if (!labels.device().is_cuda()) {
    for (const int64_t label : std::span(labels.data<int64_t>(), static_cast<size_t>(labels.numel()))) {
      DUEL_CHECK(label >= 0 && label < classes, "one_hot", "expected labels in [0, {}), got {}", classes,
                 label);
    }
  }
  Tensor rows = Tensor::empty(labels.shape().inserted(labels.rank(), classes), {dtype, labels.device()});
  DUEL_DISPATCH(dtype, "one_hot",
                kernels::one_hot<T>(stream_of(labels.device()), labels.numel(), classes,
                                    labels.data<int64_t>(), rows.mutable_data<T>()));
  DUEL_OP_SAYS({"num_classes", classes});
  return record("one_hot", rows, {labels}, {}, {});
}

}  // namespace duel
