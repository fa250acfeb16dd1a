#include "duel/gan/judge/internal/matrix.h"

#include <cmath>
#include <string>

#include "duel/kernels/base/error.h"

namespace duel::gan::detail {

Matrix matrix_of(const Tensor& x, std::string_view op, std::string_view what, int64_t least) {
  DUEL_CHECK(
      x.defined() && x.rank() == 2 && x.dim(1) >= 1 && (x.dtype() == DType::f32 || x.dtype() == DType::f64),
      op, "{}: expected f32 or f64 [N, D], got {}", what, x.defined() ? to_text(x) : std::string("nothing"));
  DUEL_CHECK(x.dim(0) >= least, op, "{}: expected at least {} samples, got {}", what, least, x.dim(0));
  Matrix rows;
  rows.count = x.dim(0), rows.width = x.dim(1), rows.values = x.to_vector<double>();
  for (size_t i = 0; i < rows.values.size(); ++i)
    DUEL_CHECK(std::isfinite(rows.values[i]), op, "{}: sample {} holds {}: expected finite numbers", what,
               static_cast<int64_t>(i) / rows.width, rows.values[i]);
  return rows;
}

std::pair<Matrix, Matrix> matrices_of(const Tensor& a, const Tensor& b, std::string_view op, int64_t least) {
  std::pair<Matrix, Matrix> both{matrix_of(a, op, "the first set", least),
                                 matrix_of(b, op, "the second set", least)};
  DUEL_CHECK(a.dim(1) == b.dim(1), op, "expected sets of the same width, got {} and {}", a.shape(),
             b.shape());
  return both;
}

template <class T>
std::vector<T> squared_norms(const Rows<T>& x) {
  std::vector<T> norms(static_cast<size_t>(x.count));
  for (int64_t i = 0; i < x.count; ++i) {
    T sum = 0;
    for (int64_t k = 0; k < x.width; ++k) sum += x[i][k] * x[i][k];
    norms[static_cast<size_t>(i)] = sum;
  }
  return norms;
}
template std::vector<float> squared_norms(const Rows<float>&);
template std::vector<double> squared_norms(const Rows<double>&);

Matrix rows_at(const Matrix& x, const std::vector<int64_t>& index) {
  Matrix out(static_cast<int64_t>(index.size()), x.width);
  for (int64_t i = 0; i < out.count; ++i) std::copy_n(x[index[static_cast<size_t>(i)]], x.width, out[i]);
  return out;
}

Matrix product(bool transpose_a, bool transpose_b, const Matrix& a, const Matrix& b) {
  const int64_t m = transpose_a ? a.width : a.count, k = transpose_a ? a.count : a.width,
                n = transpose_b ? b.count : b.width;
  DUEL_ASSERT(k == (transpose_b ? b.width : b.count));
  Matrix c(m, n);
  const GemmSpace space(kernels::gemm_workspace<double>(transpose_a, transpose_b, m, n, k));
  kernels::gemm<double>({}, transpose_a, transpose_b, m, n, k, 1.0, a.values.data(), b.values.data(), 0.0,
                        c.values.data(), space.get());
  return c;
}

}  // namespace duel::gan::detail
