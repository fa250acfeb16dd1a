// Convolutions of 1x1 taps one step apart: a matrix product for each sample, whose right operand lies in the image as it is.
// Internal; float only.
//
//   y[n] [out, places] = w [out, in] x[n] [in, places]     dx[n] = w' dy[n]     dw = sum over n of dy[n] x[n]'
//
// A last vector of places that does not fill its lanes is one with the places before it, which are computed twice.
#pragma once

#include "duel/kernels/linear/conv.h"

namespace duel::kernels::host {

/// Is this such a convolution, with places enough for a vector?
bool point_suits(const ConvShape& s);

/// Elements of workspace.
int64_t point_elements(const ConvShape& s, ConvPass pass);

void point_forward(const ConvShape& s, const float* x, const float* w, const float* bias, float* y,
                   float* workspace);
void point_input_grad(const ConvShape& s, const float* dy, const float* w, const float* bias, float* dx,
                      float* workspace);
void point_weight_grad(const ConvShape& s, const float* x, const float* dy, float* dw, float* workspace);

}  // namespace duel::kernels::host
