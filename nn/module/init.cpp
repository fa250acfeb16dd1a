#include "duel/nn/module/init.h"

#include <cmath>

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
