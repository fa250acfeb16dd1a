// Convolutions whose kernel is twice the stride (4x4 stride 2, the layers of a DCGAN), with 121 products for
// every 196 of the definition. Internal; float only.
//
// Split x by the remainders of row and column modulo the stride: the convolution becomes a sum over those
// phases of convolutions with 2x2 taps and stride 1. For two taps g0, g1 and two neighbouring outputs, three
// products do:
//
//   m0 = (d0 - d1) g0     m1 = d1 (g0 + g1)     m2 = (d2 - d1) g1     y0 = m0 + m1     y1 = m1 + m2
//
// (Winograd's F(2, 2); S. Winograd, Arithmetic Complexity of Computations, 1980. A last single output takes
// its two products as they are.) Nested over rows and columns there are 9 kinds of product, a matrix product
// each. The same identity read backwards gives the input gradient, read sideways the weight gradient. The
// sums and differences act on whole vectors, whose lanes are samples (channels for the weight gradient), so
// they cost some per cent.
//
// Rounding, in units of sqrt(K) 2^-24 sum|a||b| (measured, 128 <-> 256 channels, worst of all entries): below
// 0.4 for normal data, as the direct sums; up to 3 instead of 1 where all data are positive, at the corners
// of dx, whose few products come out as differences of larger ones. There are no coefficients other than 1.
#pragma once

#include "duel/kernels/linear/conv.h"

namespace duel::kernels::host {

/// Is this the faster way for that pass? (Kernel twice the stride, enough channels and samples.)
bool winograd_suits(const ConvShape& s, ConvPass pass);

/// Elements of workspace.
int64_t winograd_elements(const ConvShape& s, ConvPass pass);

void winograd_forward(const ConvShape& s, const float* x, const float* w, const float* bias, float* y,
                      float* workspace);
void winograd_input_grad(const ConvShape& s, const float* dy, const float* w, const float* bias, float* dx,
                         float* workspace);
void winograd_weight_grad(const ConvShape& s, const float* x, const float* dy, float* dw, float* workspace);

// Of kernels/linear/host/conv_winograd_weight.cpp, for the two functions above.
bool winograd_weight_suits(const ConvShape& s);
int64_t winograd_weight_elements(const ConvShape& s);

namespace winograd {

/// One of the products along one axis, for P outputs: kind 0, 1, 2 as m0, m1, m2 above.
struct Point {
  int64_t plus, minus;  // of the inputs d; minus is -1 where nothing is subtracted
  int64_t out0, out1;   // outputs that it adds to; out1 is -1 where there is one
};

constexpr int64_t points(int64_t outputs, int kind) { return kind == 1 ? outputs / 2 : (outputs + 1) / 2; }

constexpr Point point(int64_t outputs, int kind, int64_t t) {
  if (kind == 1) return {2 * t + 1, -1, 2 * t, 2 * t + 1};
  const int64_t last = outputs - 1;
  if (2 * t == last) return {kind == 0 ? last : last + 1, -1, last, -1};  // the single last output
  return kind == 0 ? Point{2 * t, 2 * t + 1, 2 * t, -1} : Point{2 * t + 2, 2 * t + 1, 2 * t + 1, -1};
}

/// One phase along one axis: where its inputs d[0..outputs] lie in the image, and its outputs.
struct Axis {
  int64_t outputs;
  int64_t begin, step, size;    // d[j] is element begin + j * step, 0 outside of [0, size)
  int64_t out_begin, out_step;  // output p is element out_begin + p * out_step

  /// Element of d[j], or -1.
  int64_t at(int64_t j) const {
    const int64_t element = begin + j * step;
    return j >= 0 && element >= 0 && element < size ? element : -1;
  }
};

constexpr Axis forward_axis(int64_t size_in, int64_t size_out, int64_t stride, int64_t pad, int64_t phase) {
  return {size_out, phase - pad, stride, size_in, 0, 1};
}

/// dx[stride * m + phase - pad] = dy[m] w[phase] + dy[m - 1] w[stride + phase].
constexpr Axis backward_axis(int64_t size_in, int64_t size_out, int64_t stride, int64_t pad, int64_t phase) {
  const int64_t first = pad > phase ? (pad - phase + stride - 1) / stride : 0;  // smallest m inside of dx
  const int64_t out_begin = stride * first + phase - pad;
  const int64_t outputs = out_begin < size_in ? (size_in - 1 - out_begin) / stride + 1 : 0;
  return {outputs, first - 1, 1, size_out, out_begin, stride};
}

/// All products of two axes, ordered by kind: kind 3 * ki + kj starts at offset(…).
struct Grid {
  Axis rows, columns;
  int64_t count(int kind) const { return points(rows.outputs, kind / 3) * points(columns.outputs, kind % 3); }
  int64_t offset(int kind) const {
    int64_t sum = 0;
    for (int k = 0; k < kind; ++k) sum += count(k);
    return sum;
  }
  int64_t total() const { return offset(9); }
};

}  // namespace winograd
}  // namespace duel::kernels::host
