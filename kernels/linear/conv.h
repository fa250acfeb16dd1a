// Two-dimensional convolution and its two adjoints, NCHW, contiguous, float and double.
//
//   conv2d_forward      y[n, co, p, q] = bias[co] + sum x[n, ci, p*sh - ph + i, q*sw - pw + j] w[co, ci, i, j]
//   conv2d_input_grad   the adjoint in x; with a bias it is the forward of a transposed convolution
//   conv2d_weight_grad  the adjoint in w
//
// (cross-correlation, as everywhere in deep learning; x outside the image counts as 0). The three are closed:
// the transposed convolution of x'[n, co, ho, wo] with weights [co, ci, kh, kw] is conv2d_input_grad, its
// input gradient is conv2d_forward, its weight gradient conv2d_weight_grad(dy', x'); every second derivative
// is one of the three again. Batch and channels may be any size, 0 included. No dilation, no groups.
//
// On the host, float layers whose kernel is twice the stride, with 24 channels or more on both sides, take
// 121 products for every 196 of the definition (kernels/linear/host/conv_winograd.h); everything else, and
// double, is computed as defined.
//
// On the host and on a device; in a build without CUDA a device stream is an Error. On a GPU floats are
// multiplied as TF32 unless that is switched off: kernels/linear/device_library.h, which also says which
// library computes. The bits do not depend on the number of threads. The workspace is the caller's:
// conv2d_workspace() bytes, aligned to 64; may be null where that is 0.
//
// Example: a 4x4 stride-2 layer 1x28x28 -> 64x14x14
//   ConvShape s{.n = 64, .c_in = 1, .h_in = 28, .w_in = 28, .c_out = 64, .kh = 4, .kw = 4,
//               .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1};
//   s.h_out = conv_out_size(s.h_in, s.kh, s.stride_h, s.pad_h);  // 14, and w_out alike
//   conv2d_forward<float>(stream, s, x, w, bias, y, workspace);
#pragma once

#include "duel/kernels/base/platform.h"

namespace duel::kernels {

/// Sizes of a convolution, named after its forward direction: "in" is the side of x, "out" that of y.
/// A transposed convolution swaps them: its input is the "out" side; h_in carries its output_padding.
struct ConvShape {
  int64_t n = 0;
  int64_t c_in = 0, h_in = 0, w_in = 0;
  int64_t c_out = 0, h_out = 0, w_out = 0;
  int64_t kh = 1, kw = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t pad_h = 0, pad_w = 0;
};

/// (size + 2 pad - kernel) / stride + 1, or 0 where the kernel does not fit.
constexpr int64_t conv_out_size(int64_t size, int64_t kernel, int64_t stride, int64_t pad) {
  const int64_t room = size + 2 * pad - kernel;
  return room < 0 ? 0 : room / stride + 1;
}

/// (size - 1) stride - 2 pad + kernel + output_padding: the size that a transposed convolution gives.
constexpr int64_t conv_transpose_out_size(int64_t size, int64_t kernel, int64_t stride, int64_t pad,
                                          int64_t output_padding) {
  return (size - 1) * stride - 2 * pad + kernel + output_padding;
}

enum class ConvPass { kForward, kInputGrad, kWeightGrad };

/// Bytes of workspace for one pass on this stream; the same for any number of threads.
template <class T>
size_t conv2d_workspace(const ConvShape& shape, ConvPass pass, Stream stream = {});

/// y[n, c_out, h_out, w_out] from x[n, c_in, h_in, w_in], w[c_out, c_in, kh, kw], bias[c_out] or null.
template <class T>
void conv2d_forward(Stream stream, const ConvShape& shape, const T* x, const T* w, const T* bias, T* y,
                    void* workspace);

/// dx[n, c_in, h_in, w_in] from dy[n, c_out, h_out, w_out] and w; bias[c_in], where not null, is added to dx.
template <class T>
void conv2d_input_grad(Stream stream, const ConvShape& shape, const T* dy, const T* w, const T* bias, T* dx,
                       void* workspace);

/// dw[c_out, c_in, kh, kw], summed over the batch, from x and dy. All zero where the batch is empty.
template <class T>
void conv2d_weight_grad(Stream stream, const ConvShape& shape, const T* x, const T* dy, T* dw,
                        void* workspace);

}  // namespace duel::kernels
