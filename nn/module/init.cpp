#include "duel/nn/module/init.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "duel/core/tensor/autograd.h"

namespace duel::nn::init {
namespace {

void overwrite(const Tensor& tensor, const Tensor& values) {
  NoGrad no_grad;
  tensor.copy_(values);
}

double kaiming_deviation(const Shape& shape, double a, Fan fan) {
  const int64_t count = fan == Fan::in ? fan_in(shape) : fan_out(shape);
  return std::sqrt(2.0 / (1.0 + a * a) / static_cast<double>(count));
}

double xavier_deviation(const Shape& shape, double gain) {
  return gain * std::sqrt(2.0 / static_cast<double>(fan_in(shape) + fan_out(shape)));
}

/// The inverse of erf in (-1, 1): rational approximations for the centre and the tails, then two steps of Newton
/// (as PyTorch's calc_erfinv).
double inverse_erf(double y) {
  y = std::clamp(y, std::nextafter(-1.0, 0.0), std::nextafter(1.0, 0.0));
  double x = 0;
  if (std::abs(y) <= 0.7) {
    const double z = y * y;
    x = y * (((-0.140543331 * z + 0.914624893) * z - 1.645349621) * z + 0.886226899) /
        ((((0.012229801 * z - 0.329097515) * z + 1.442710462) * z - 2.118377725) * z + 1.0);
  } else {
    const double z = std::sqrt(-std::log((1.0 - std::abs(y)) / 2.0));
    x = std::copysign((((1.641345311 * z + 3.429567803) * z - 1.624906493) * z - 1.970840454) /
                          ((1.637067800 * z + 3.543889200) * z + 1.0),
                      y);
  }
  for (int step = 0; step < 2; ++step)
    x -= (std::erf(x) - y) / (2.0 / std::sqrt(std::numbers::pi) * std::exp(-x * x));
  return x;
}

double dot(const double* a, const double* b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

/// Gram-Schmidt on `count` rows of `length` >= count; twice, because once loses orthogonality to rounding.
void orthonormalize(std::vector<double>& rows, size_t count, size_t length) {
  for (size_t i = 0; i < count; ++i) {
    double* row = rows.data() + i * length;
    for (int pass = 0; pass < 2; ++pass) {
      for (size_t j = 0; j < i; ++j) {
        const double* done = rows.data() + j * length;
        const double along = dot(row, done, length);
        for (size_t k = 0; k < length; ++k) row[k] -= along * done[k];
      }
    }
    const double norm = std::sqrt(dot(row, row, length));
    for (size_t k = 0; k < length; ++k) row[k] /= norm;
  }
}

}  // namespace

int64_t fan_in(const Shape& weight) {
  DUEL_CHECK(weight.rank() >= 2, "init", "expected a weight of at least 2 axes, got {}", weight);
  return weight.numel_from(1);
}

int64_t fan_out(const Shape& weight) {
  DUEL_CHECK(weight.rank() >= 2, "init", "expected a weight of at least 2 axes, got {}", weight);
  return weight[0] * weight.numel_from(2);
}

double calculate_gain(std::string_view nonlinearity, double param) {
  if (nonlinearity == "linear" || nonlinearity == "conv2d" || nonlinearity == "conv_transpose2d" ||
      nonlinearity == "sigmoid") {
    return 1.0;
  }
  if (nonlinearity == "tanh") return 5.0 / 3.0;
  if (nonlinearity == "relu") return std::numbers::sqrt2;
  if (nonlinearity == "leaky_relu") return std::sqrt(2.0 / (1.0 + param * param));
  if (nonlinearity == "selu") return 0.75;
  fail("calculate_gain",
       "expected linear, conv2d, conv_transpose2d, sigmoid, tanh, relu, leaky_relu or selu, got \"{}\"",
       nonlinearity);
}

void zeros_(const Tensor& tensor) { constant_(tensor, 0.0); }
void ones_(const Tensor& tensor) { constant_(tensor, 1.0); }

void constant_(const Tensor& tensor, double value) {
  NoGrad no_grad;
  tensor.fill_(value);
}

void uniform_(const Tensor& tensor, double low, double high, Generator& generator) {
  overwrite(tensor, generator.uniform(tensor.shape(), low, high, tensor.options()));
}

void normal_(const Tensor& tensor, double mean, double deviation, Generator& generator) {
  overwrite(tensor, generator.normal(tensor.shape(), mean, deviation, tensor.options()));
}

void trunc_normal_(const Tensor& tensor, double mean, double deviation, double low, double high,
                   Generator& generator) {
  DUEL_CHECK(deviation > 0 && low < high, "trunc_normal_",
             "expected a deviation above 0 and low < high, got {}, {} and {}", deviation, low, high);
  // erf rather than the distribution itself: it is exact on both sides of the mean.
  const double scale = std::numbers::sqrt2 * deviation;
  const double from = std::erf((low - mean) / scale), to = std::erf((high - mean) / scale);
  DUEL_CHECK(from < to, "trunc_normal_",
             "expected a range within about 5 deviations of the mean {}, got {} to {}", mean, low, high);
  std::vector<double> values =
      generator.uniform(Shape{tensor.numel()}, from, to, {DType::f64, {}}).to_vector<double>();
  for (double& value : values) value = std::clamp(mean + scale * inverse_erf(value), low, high);
  overwrite(tensor, Tensor::from(values, tensor.shape()));
}

void kaiming_uniform_(const Tensor& tensor, double a, Fan fan, Generator& generator) {
  const double bound = std::sqrt(3.0) * kaiming_deviation(tensor.shape(), a, fan);
  uniform_(tensor, -bound, bound, generator);
}

void kaiming_normal_(const Tensor& tensor, double a, Fan fan, Generator& generator) {
  normal_(tensor, 0.0, kaiming_deviation(tensor.shape(), a, fan), generator);
}

void xavier_uniform_(const Tensor& tensor, double gain, Generator& generator) {
  const double bound =
      gain * std::sqrt(6.0 / static_cast<double>(fan_in(tensor.shape()) + fan_out(tensor.shape())));
  uniform_(tensor, -bound, bound, generator);
}

void xavier_normal_(const Tensor& tensor, double gain, Generator& generator) {
  normal_(tensor, 0.0, xavier_deviation(tensor.shape(), gain), generator);
}

void orthogonal_(const Tensor& tensor, double gain, Generator& generator) {
  const Shape& shape = tensor.shape();
  DUEL_CHECK(shape.rank() >= 2, "init", "expected a weight of at least 2 axes, got {}", shape);
  const auto rows = static_cast<size_t>(shape[0]), columns = static_cast<size_t>(shape.numel_from(1));
  if (rows * columns == 0) return;
  const bool wide = rows <= columns;
  std::vector<double> q =
      generator.normal(Shape{tensor.numel()}, 0.0, 1.0, {DType::f64, {}}).to_vector<double>();
  orthonormalize(q, wide ? rows : columns, wide ? columns : rows);
  std::vector<double> values(q.size());
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < columns; ++c)
      values[r * columns + c] = gain * (wide ? q[r * columns + c] : q[c * rows + r]);
  }
  overwrite(tensor, Tensor::from(values, shape));
}

}  // namespace duel::nn::init
