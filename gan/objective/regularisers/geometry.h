// Images mirrored, turned and mapped affinely, each by draws of its own: the geometric part of ADA's augmentations (Karras et al.
// 2020, arXiv:2006.06676, appendix B) as policies of augmentation.h. Differentiable in the images [N, C, H, W].
//
//   flip     left and right exchanged with probability 1/2
//   turn     by 0, 90, 180 or 270 degrees; images that are not square by 0 or 180
//   affine   scaled by 2^N(0, 0.2^2), turned by U[-180, 180) degrees, stretched by 2^N(0, 0.2^2) on one axis and by its
//            reciprocal on the other, moved by N(0, 0.125^2) of the sides; bilinear between pixels, zeros beyond the border
#pragma once

#include "duel/core/tensor/random.h"
#include "duel/core/tensor/tensor.h"

namespace duel::gan {

Tensor flipped(const Tensor& images, Generator& random);
Tensor turned(const Tensor& images, Generator& random);
Tensor mapped_affinely(const Tensor& images, Generator& random);

/// The image whose pixel at (x, y) is the given one's at (a x + b y + c, d x + e y + f), in pixels from the middle, x to the
/// right, y downwards; bilinear, zeros beyond the border. maps: a, b, c, d, e, f, each [N].
Tensor warped(const Tensor& images, const Tensor (&maps)[6]);

}  // namespace duel::gan
