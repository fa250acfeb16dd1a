// The host side of kernels/linear/conv.h, one file per pass; internal. Shapes arrive checked and not empty.
#pragma once

#include "duel/kernels/base/ceil_div.h"
#include "duel/kernels/linear/conv.h"

namespace duel::kernels::host {

template <class T>
size_t conv_forward_workspace(const ConvShape& s);
template <class T>
void conv_forward(const ConvShape& s, const T* x, const T* w, const T* bias, T* y, T* workspace);

template <class T>
size_t conv_input_grad_workspace(const ConvShape& s);
template <class T>
void conv_input_grad(const ConvShape& s, const T* dy, const T* w, const T* bias, T* dx, T* workspace);

template <class T>
size_t conv_weight_grad_workspace(const ConvShape& s);
template <class T>
void conv_weight_grad(const ConvShape& s, const T* x, const T* dy, T* dw, T* workspace);

/// Any shape, groups and dilation too: kernels/linear/host/conv_general.cpp. The three above are for dense() ones.
template <class T>
size_t conv_general_workspace(const ConvShape& s, ConvPass pass);
template <class T>
void conv_general(const ConvShape& s, ConvPass pass, const T* first, const T* second, const T* bias, T* out,
                  T* workspace);

}  // namespace duel::kernels::host
