// Two-dimensional convolution and its two adjoints, NCHW, contiguous, float and double.
//
//   pass         out                first   second
//   kForward     y [n, c_out, …]    x       w      y[n, co, p, q] = bias[co] + sum x[n, ci, row, column] w[co, ci, i, j]
//   kInputGrad   dx [n, c_in, …]    dy      w      the adjoint in x; with a bias it is a transposed convolution's forward
//   kWeightGrad  dw                 x       dy     the adjoint in w, summed over the batch
//
// with row = p stride_h - pad_h + i dilation_h, column alike (cross-correlation, as everywhere in deep learning; x outside
// the image counts as 0). Channels fall into groups that do not meet: w is [c_out, c_in / groups, kh, kw], and output channel
// co of group co / (c_out / groups) sees that group's input channels alone. The three are closed: the transposed convolution
// of x'[n, co, ho, wo] with weights [co, ci, kh, kw] is kInputGrad, its input gradient is kForward, its weight gradient
// kWeightGrad of (dy', x'); every second derivative is one of the three again. Batch and channels may be any size, 0 included.
//
// On the host, float layers whose kernel is twice the stride, with 24 channels or more on both sides, take 121 products for
// every 196 of the definition (kernels/linear/host/conv_winograd.h); everything else, and double, is computed as defined.
//
// On the host and on a device; in a build without CUDA a device stream is an Error. On a GPU floats are multiplied as TF32
// unless that is switched off: kernels/linear/device_library.h, which also says which library computes. The bits do not
// depend on the number of threads. The workspace is the caller's: conv2d_workspace() bytes, aligned to 64; may be null where
// that is 0.
//
// Example: a 4x4 stride-2 layer 1x28x28 -> 64x14x14
//   ConvShape s{.n = 64, .c_in = 1, .h_in = 28, .w_in = 28, .c_out = 64, .kh = 4, .kw = 4,
//               .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1};
//   s.h_out = conv_out_size(s.h_in, s.kh, s.stride_h, s.pad_h);  // 14, and w_out alike
//   conv2d<float>(stream, s, ConvPass::kForward, x, w, bias, y, workspace);
#pragma once

#include <type_traits>

#include "duel/kernels/map/finish.h"

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
  int64_t groups = 1;  // divides c_in and c_out
  int64_t dilation_h = 1, dilation_w = 1;

  /// Channels of one group, on either side.
  DUEL_HD int64_t group_in() const { return c_in / groups; }
  DUEL_HD int64_t group_out() const { return c_out / groups; }
  int64_t weights() const { return c_out * group_in() * kh * kw; }
  /// Neither groups nor dilation.
  bool dense() const { return groups == 1 && dilation_h == 1 && dilation_w == 1; }
};

/// (size + 2 pad - reach) / stride + 1 with reach = (kernel - 1) dilation + 1, or 0 where the kernel does not fit.
constexpr int64_t conv_out_size(int64_t size, int64_t kernel, int64_t stride, int64_t pad,
                                int64_t dilation = 1) {
  const int64_t room = size + 2 * pad - (kernel - 1) * dilation - 1;
  return room < 0 ? 0 : room / stride + 1;
}

/// (size - 1) stride - 2 pad + reach + output_padding: the size that a transposed convolution gives.
constexpr int64_t conv_transpose_out_size(int64_t size, int64_t kernel, int64_t stride, int64_t pad,
                                          int64_t output_padding, int64_t dilation = 1) {
  return (size - 1) * stride - 2 * pad + (kernel - 1) * dilation + 1 + output_padding;
}

enum class ConvPass { kForward, kInputGrad, kWeightGrad };

/// Bytes of workspace for one pass on this stream; the same for any number of threads. `dy_sums`: those are wanted too.
template <class T>
size_t conv2d_workspace(const ConvShape& shape, ConvPass pass, Stream stream = {}, bool dy_sums = false);

/// One pass: out from first and second as in the table above. bias, where not null, has the channels of out; a weight
/// gradient has none, and nothing to finish, but may come with dy_sums[c_out], the sums of dy over samples and pixels: the
/// gradient of a forward pass's bias. All of a weight gradient is zero where the batch is empty.
template <class T>
void conv2d(Stream stream, const ConvShape& shape, ConvPass pass, const T* first, const T* second,
            const std::type_identity_t<T>* bias, T* out, void* workspace, const Finish<T>& finish = {},
            std::type_identity_t<T>* dy_sums = nullptr);

}  // namespace duel::kernels
