// What the measures of two sets of samples share: features as f64 rows, and all inner products between the rows
// of two matrices without ever holding them at once.
//
// Note [Tiles of pairs]
// N x M inner products of 10,000 samples each would take 800 MB. over_rows() gives each range of kRows rows to
// one thread, which sees their products with kColumns rows of the other matrix at a time: 256 KiB. The cut
// depends on the sizes alone, so whatever a body writes for its own rows, or into the slot of its range, has
// the same bits on any number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <new>
#include <string_view>
#include <vector>

#include "duel/core/tensor/tensor.h"
#include "duel/kernels/base/parallel.h"
#include "duel/kernels/linear/gemm.h"

namespace duel::gan::detail {

/// Row-major.
template <class T>
struct Rows {
  int64_t count = 0, width = 0;
  std::vector<T> values = {};

  Rows() = default;
  Rows(int64_t n, int64_t d) : count(n), width(d), values(static_cast<size_t>(n * d)) {}
  T* operator[](int64_t i) { return values.data() + i * width; }
  const T* operator[](int64_t i) const { return values.data() + i * width; }
};
using Matrix = Rows<double>;

/// x [N, D] in f32 or f64 as f64. Error, in the name of `op`, for another rank or type, fewer than `least` rows
/// and values that are not finite; `what` names x.
Matrix matrix_of(const Tensor& x, std::string_view op, std::string_view what, int64_t least = 2);
/// matrix_of of both; Error where their widths differ.
std::pair<Matrix, Matrix> matrices_of(const Tensor& a, const Tensor& b, std::string_view op,
                                      int64_t least = 2);
/// The sum of squares of each row.
template <class T>
std::vector<T> squared_norms(const Rows<T>& x);
/// Those rows of x, in that order.
Matrix rows_at(const Matrix& x, const std::vector<int64_t>& index);
/// op(a) op(b).
Matrix product(bool transpose_a, bool transpose_b, const Matrix& a, const Matrix& b);

/// Memory of a matrix product: aligned as kernels::gemm wants it.
class GemmSpace {
 public:
  explicit GemmSpace(size_t bytes) : data_(bytes ? ::operator new (bytes, std::align_val_t{64}) : nullptr) {}
  ~GemmSpace() { ::operator delete (data_, std::align_val_t{64}); }
  GemmSpace(const GemmSpace&) = delete;
  GemmSpace& operator=(const GemmSpace&) = delete;
  void* get() const { return data_; }

 private:
  void* data_;
};

inline constexpr int64_t kRows = 64, kColumns = 512;
/// How many ranges over_rows() cuts so many rows into.
constexpr int64_t row_ranges(int64_t rows) { return (rows + kRows - 1) / kRows; }

/// Rows begin to end - 1 of a, and their products with all of b.
template <class T>
class RowRange {
 public:
  RowRange(const Rows<T>& a, const Rows<T>& b, int64_t first, int64_t last)
      : begin(first), end(last), a_(a), b_(b) {}
  const int64_t begin, end;

  /// visit(i, j, products, n) for each row i and every stretch of columns j to j + n - 1, rising; products[t]
  /// is a[i] . b[j + t].
  template <class Visit>
  void each(const Visit& visit) const {
    const int64_t height = end - begin, wide = std::min(kColumns, b_.count);
    std::vector<T> tile(static_cast<size_t>(height * wide));
    const GemmSpace space(kernels::gemm_workspace<T>(false, true, height, wide, a_.width));
    for (int64_t j = 0; j < b_.count; j += kColumns) {
      const int64_t n = std::min(kColumns, b_.count - j);
      const GemmSpace last(n < wide ? kernels::gemm_workspace<T>(false, true, height, n, a_.width) : 0);
      kernels::gemm<T>({}, false, true, height, n, a_.width, T{1}, a_[begin], b_[j], T{0}, tile.data(),
                       n < wide ? last.get() : space.get());
      for (int64_t i = begin; i < end; ++i) visit(i, j, tile.data() + (i - begin) * n, n);
    }
  }

 private:
  const Rows<T>&a_, &b_;
};

/// body(RowRange) for all ranges of a's rows, side by side.
template <class T, class Body>
void over_rows(const Rows<T>& a, const Rows<T>& b, const Body& body) {
  kernels::parallel_for(a.count, kRows,
                        [&](int64_t begin, int64_t end) { body(RowRange<T>(a, b, begin, end)); });
}

}  // namespace duel::gan::detail
