// Convolutions of 3x3 taps one step apart (the layers of residual networks and of StyleGAN2), with 16 products for every 36
// of the definition. Internal; float only.
//
// For three taps g0, g1, g2 and two neighbouring outputs of four inputs, four products do:
//
//   m0 = (d0 - d2) g0     m1 = (d1 + d2) (g0 + g1 + g2) / 2     m2 = (d2 - d1) (g0 - g1 + g2) / 2     m3 = (d3 - d1) g2
//   y0 = m0 + m1 + m2     y1 = m1 - m2 + m3
//
// (Winograd's F(2, 3); Lavin & Gray 2016, arXiv:1509.09308, section 4.1, with the sign of m3 turned, so that nothing is
// negated.) Nested over rows and columns a tile of 2x2 outputs has 16 kinds of product, a matrix product each. The input
// gradient is the same with the taps turned round and the channels exchanged. Read sideways the identity gives the weight
// gradient: with S = (sums of dy) (sums of x) of each kind, summed over tiles and samples, that of g0 is S0 + (S1 + S2) / 2,
// of g1 (S1 - S2) / 2, of g2 (S1 + S2) / 2 + S3.
//
// Rounding: a factor of 1/2 is exact; sums of four inputs and of nine taps lose a little more than the direct sums.
#pragma once

#include "duel/kernels/linear/conv.h"

namespace duel::kernels::host {

/// Is this the faster way for that pass? (3x3, one step, enough channels and samples.)
bool three_suits(const ConvShape& s, ConvPass pass);

/// Elements of workspace.
int64_t three_elements(const ConvShape& s, ConvPass pass);

void three_forward(const ConvShape& s, const float* x, const float* w, const float* bias, float* y,
                   float* workspace);
void three_input_grad(const ConvShape& s, const float* dy, const float* w, const float* bias, float* dx,
                      float* workspace);
void three_weight_grad(const ConvShape& s, const float* x, const float* dy, float* dw, float* workspace);

// Of kernels/linear/host/conv_three_weight.cpp, for the two functions above.
bool three_weight_suits(const ConvShape& s);
int64_t three_weight_elements(const ConvShape& s);

}  // namespace duel::kernels::host
