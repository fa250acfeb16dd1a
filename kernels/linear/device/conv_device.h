// The device side of kernels/linear/conv.h in own kernels; internal. Shapes arrive checked and without empty
// arrays; first and second are the operands of a pass in the order of conv.h.
#pragma once

#include "duel/kernels/linear/conv.h"

namespace duel::kernels::device {

/// One input or one output channel, or groups of few, and at most 64 weights per pair of channels: kernels of their own
/// (conv_thin.cu), bounded by memory, where the tiles of a matrix product would be empty for the most part.
bool thin_suits(const ConvShape& shape);
template <class T>
size_t thin_workspace(const ConvShape& shape, ConvPass pass);
template <class T>
void thin_conv(Stream stream, const ConvShape& shape, ConvPass pass, const T* first, const T* second,
               const T* bias, T* out, void* workspace);

/// Any shape, as a matrix product whose operands are gathered on the way (conv_device.cu).
template <class T>
size_t general_workspace(const ConvShape& shape, ConvPass pass);
template <class T>
void general_conv(Stream stream, const ConvShape& shape, ConvPass pass, const T* first, const T* second,
                  const T* bias, T* out, void* workspace);

/// The bias of every channel, or 0: what is left of a convolution without products.
template <class T>
void fill_planes(Stream stream, int64_t n, int64_t channels, int64_t plane, const T* bias, T* out);

/// out += the bias of its channel.
template <class T>
void add_bias(Stream stream, int64_t n, int64_t channels, int64_t plane, const T* bias, T* out);

}  // namespace duel::kernels::device
