// Products by tensor cores and without, for the tests of matrix products and convolutions.
#pragma once

#include <bit>
#include <vector>

#include "duel/kernels/linear/device_library.h"
#include "tests/simt/tensor_core.h"

namespace duel::simt {

/// While it lives, floats are multiplied by tensor cores.
struct Tensor {
  explicit Tensor(bool on) { kernels::set_tf32(on); }
  ~Tensor() { kernels::set_tf32(false); }
};
/// By tensor cores too, where T has them.
template <class T>
std::vector<bool> ways() {
  if (sizeof(T) == 8) return {false};
  return {false, true};
}
/// A factor as it is multiplied.
template <class T>
double factor(T x, bool tensor) {
  return tensor ? std::bit_cast<float>(round_to_tf32(static_cast<float>(x))) : static_cast<double>(x);
}

}  // namespace duel::simt
