// Images at other resolutions, made of the pooling family and of moves, and so closed under differentiation.
#pragma once

#include "duel/core/tensor/tensor.h"

namespace duel {

/// [N, C, H, W] to [N, C, kH, kW], linear between the centres of pixels and constant beyond the outermost ones:
/// torch.nn.functional.interpolate(mode="bilinear", align_corners=False) for a whole factor.
Tensor upsample_bilinear2d(const Tensor& x, int64_t k);

/// [1, 2, 1] x [1, 2, 1] / 16 around every pixel, zeros beyond the border; the shape stays. In front of a stride of 2 it is the
/// blur pooling of Zhang 2019 (arXiv:1904.11486) with its smallest useful filter; before a 2x2 mean, or behind nearest
/// up-sampling, it makes the filter [1, 3, 3, 1] of StyleGAN2 (arXiv:1912.04958).
Tensor blur2d(const Tensor& x);

/// Channels to pixels: [N, C r r, H, W] to [N, C, H r, W r] with y[n, c, h r + i, w r + j] = x[n, c r r + i r + j, h, w]
/// (Shi et al. 2016, arXiv:1609.05158), as in PyTorch; and back.
Tensor pixel_shuffle(const Tensor& x, int64_t r);
Tensor pixel_unshuffle(const Tensor& x, int64_t r);

}  // namespace duel
