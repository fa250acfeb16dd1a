// FlopCount: floating-point operations of matrix products and convolutions, 2 for each multiplication with its addition,
// whatever algorithm a kernel takes (Winograd counts as the sums it stands for). Element-wise work is not counted: it is
// small beside them.
//
// Example:
//   FlopCount count;
//   (*networks.generator)(z);
//   const double per_sample = count.flops() / z.dim(0);
#pragma once

namespace duel {

/// Counts what this thread's ops do while it lives; of several the innermost, whose sum the one around it gets too.
class FlopCount {
 public:
  FlopCount();
  ~FlopCount();
  FlopCount(const FlopCount&) = delete;
  double flops() const { return flops_; }

  /// Called by the ops.
  static void add(double flops);

 private:
  double flops_ = 0;
  FlopCount* around_;
};

}  // namespace duel
