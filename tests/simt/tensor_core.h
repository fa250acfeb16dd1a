// A product of tensor cores as the harness and the interpreter of PTX compute it, for all lanes of a warp.
//
// The products of a row and a column are exact in f64; they are added there in ascending k to the sum, which is rounded to f32
// once. A GPU aligns and cuts the terms in ways of its own: compare with one by tolerance, never by bits.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace duel::simt {

/// What the unit sees of a factor: 10 bits of mantissa, the others are not looked at.
inline double tf32_factor(uint32_t bits) { return std::bit_cast<float>(bits & 0xFFFFE000u); }

/// cvt.rna.tf32.f32: to nearest, ties away from 0; NaN stays one.
inline uint32_t round_to_tf32(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7F800000u) == 0x7F800000u) return (bits & 0x007FFFFFu) != 0 ? 0x7FFFFFFFu : bits;
  return (bits + 0x1000u) & 0xFFFFE000u;
}

/// mma.m16n8k8: a(lane, 0 … 3), b(lane, 0 … 1), c(lane, 0 … 3); give(lane, k, sum). Note [Tensor cores] in platform.h.
template <class A, class B, class C, class Give>
void multiply_warp_tf32(A a, B b, C c, Give give) {
  double left[16][8], right[8][8];
  for (size_t lane = 0; lane < 32; ++lane) {
    const size_t g = lane / 4, t = lane % 4;
    for (size_t k = 0; k < 4; ++k) left[g + k % 2 * 8][t + k / 2 * 4] = tf32_factor(a(lane, k));
    for (size_t k = 0; k < 2; ++k) right[t + k * 4][g] = tf32_factor(b(lane, k));
  }
  for (size_t lane = 0; lane < 32; ++lane) {
    const size_t g = lane / 4, t = lane % 4;
    for (size_t k = 0; k < 4; ++k) {
      double sum = c(lane, k);
      for (size_t d = 0; d < 8; ++d) sum += left[g + k / 2 * 8][d] * right[d][2 * t + k % 2];
      give(lane, k, static_cast<float>(sum));
    }
  }
}

}  // namespace duel::simt
