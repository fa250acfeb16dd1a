// The device side of kernels/linear/conv.h in own kernels; internal. Shapes arrive checked and without empty
// arrays; first and second are the operands of a pass in the order of conv.h. A pass says whether dy_sums, if they are
// wanted, were made: not where a second launch had to add parts.
#pragma once

#include "duel/kernels/linear/conv.h"

namespace duel::kernels::device {

/// One input or one output channel, or groups of few, and at most 64 weights per pair of channels: kernels of their own
/// (conv_thin.cu), bounded by memory, where the tiles of a matrix product would be empty for the most part.
bool thin_suits(const ConvShape& shape);
template <class T>
size_t thin_workspace(const ConvShape& shape, ConvPass pass, bool dy_sums = false);
template <class T>
[[nodiscard]] bool thin_conv(Stream stream, const ConvShape& shape, ConvPass pass, const T* first,
                             const T* second, const T* bias, T* out, void* workspace, const Finish<T>& finish,
                             T* dy_sums = nullptr);

/// Any shape, as a matrix product whose operands are gathered on the way (conv_device.cu).
template <class T>
size_t general_workspace(const ConvShape& shape, ConvPass pass, bool dy_sums = false);
template <class T>
[[nodiscard]] bool general_conv(Stream stream, const ConvShape& shape, ConvPass pass, const T* first,
                                const T* second, const T* bias, T* out, void* workspace,
                                const Finish<T>& finish, T* dy_sums = nullptr);

/// The bias of every channel, or 0: what is left of a convolution without products.
template <class T>
void fill_planes(Stream stream, int64_t n, int64_t channels, int64_t plane, const T* bias, T* out);

/// out += the bias of its channel.
template <class T>
void add_bias(Stream stream, int64_t n, int64_t channels, int64_t plane, const T* bias, T* out);

}  // namespace duel::kernels::device
