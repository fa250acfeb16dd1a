// Comparisons and what is decided by them. Results are u8, 1 where true and 0 where false, and constants of the
// graph. Any dtype, the same on both sides; NumPy broadcasting. Not-a-number is unequal to everything, and
// neither less nor greater, as IEEE says.
//
// Example:  Tensor y = where((x > 0.0) && isfinite(x), x, Tensor::zeros({}));   // like torch.where
#pragma once

#include "duel/core/tensor/tensor.h"

namespace duel {

/// u8 of the broadcast shape: 1 where a > b, a >= b, and so on.
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greater_equal(const Tensor& a, const Tensor& b);
Tensor less(const Tensor& a, const Tensor& b);
Tensor less_equal(const Tensor& a, const Tensor& b);
Tensor equal(const Tensor& a, const Tensor& b);
Tensor not_equal(const Tensor& a, const Tensor& b);

/// Of u8, nonzero is true.
Tensor logical_and(const Tensor& a, const Tensor& b);
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_xor(const Tensor& a, const Tensor& b);
Tensor logical_not(const Tensor& a);

/// u8 of x's shape; of integers isnan and isinf are 0 everywhere.
Tensor isnan(const Tensor& x);
Tensor isinf(const Tensor& x);
Tensor isfinite(const Tensor& x);

/// a where condition is nonzero (not-a-number is), else b. The condition is u8, or has the dtype of a and b; it gets
/// no gradient.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
/// x, with `value` where mask (u8, broadcasts to x) is nonzero.
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value);

/// x and the number as a tensor of x's dtype; an integer that is exact in it for u8 and i64.
Tensor scalar_like(const Tensor& x, double value);

#define DUEL_COMPARISON(OPERATOR, FUNCTION)                                                             \
  inline Tensor operator OPERATOR(const Tensor& a, const Tensor& b) { return FUNCTION(a, b); }          \
  inline Tensor operator OPERATOR(const Tensor& a, double b) { return FUNCTION(a, scalar_like(a, b)); } \
  inline Tensor operator OPERATOR(double a, const Tensor& b) { return FUNCTION(scalar_like(b, a), b); }
DUEL_COMPARISON(>, greater)
DUEL_COMPARISON(>=, greater_equal)
DUEL_COMPARISON(<, less)
DUEL_COMPARISON(<=, less_equal)
DUEL_COMPARISON(==, equal)
DUEL_COMPARISON(!=, not_equal)
#undef DUEL_COMPARISON
/// Both sides are computed, whatever the first one says.
inline Tensor operator&&(const Tensor& a, const Tensor& b) { return logical_and(a, b); }
inline Tensor operator||(const Tensor& a, const Tensor& b) { return logical_or(a, b); }
inline Tensor operator!(const Tensor& a) { return logical_not(a); }

}  // namespace duel
