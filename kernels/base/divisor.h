// Division of positions by a number that many elements are divided by, as the extent of an axis: a multiplication and a shift,
// set up on the host. A GPU has no instruction that divides integers, and calls a subroutine where they have 64 bits.
//
// Example:
//   const Divisor row_length(784);           // on the host; kernels take it as an argument
//   const int64_t row = i / row_length, column = i % row_length;
#pragma once

#include <cstdint>

#include "duel/kernels/base/error.h"
#include "duel/kernels/base/platform.h"

namespace duel::kernels {

/// Exact for every position of at least 0: Granlund and Montgomery, Division by Invariant Integers using Multiplication (1994),
/// theorem 4.2 with numbers of 63 bits.
class Divisor {
 public:
  Divisor() = default;  ///< by 1
  /// Error if `by` is below 1.
  explicit Divisor(int64_t by) : by_(by) {
    DUEL_CHECK(by >= 1, "Divisor", "expected at least 1, got {}", by);
    while (shift_ < 63 && (int64_t{1} << shift_) < by) ++shift_;
    const auto power = static_cast<Wide>(1) << (63 + shift_);
    factor_ = static_cast<uint64_t>((power + static_cast<Wide>(by) - 1) / static_cast<Wide>(by));
  }

  DUEL_HD int64_t value() const { return by_; }
  /// Both for i >= 0.
  friend DUEL_HD int64_t operator/(int64_t i, const Divisor& by) {
    return static_cast<int64_t>(
        static_cast<uint64_t>(static_cast<Wide>(static_cast<uint64_t>(i) << 1) * by.factor_ >> 64) >>
        by.shift_);
  }
  friend DUEL_HD int64_t operator%(int64_t i, const Divisor& by) { return i - i / by * by.by_; }

 private:
  __extension__ typedef unsigned __int128 Wide;

  int64_t by_ = 1;
  uint64_t factor_ = uint64_t{1} << 63;  // 2^(63 + shift) / by, rounded up
  int shift_ = 0;                        // the least with by <= 2^shift
};

}  // namespace duel::kernels
