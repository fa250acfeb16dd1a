// Digits drawn by a simulated pen, in MNIST's form: for machines without the data set.
//
// 28x28 pixels, 0 background to 255 ink; each digit is scaled until its longer side is 20 pixels and then
// shifted by whole pixels until its centre of mass is the centre pixel (14, 14), as MNIST's were; mean,
// spread and share of inked pixels are MNIST's too. Nothing is taken from MNIST's images: skeletons written
// by hand (digit_shapes.cpp) are mixed, bent, slanted and traced with a pen of varying width.
//
// Image i depends on (seed, i) alone: a longer set begins with a shorter one, and neither threads nor
// machines change a bit (the arithmetic is +, -, *, / and sqrt, without contraction). Images 10k to 10k + 9
// hold every digit once, in random order.
//
// How real: the classifier of classifier.h, trained on 60,000 drawn digits only, reads 97.5 % of MNIST's test
// set (trained on MNIST: 99.1 %; see gan/README.md). Drawing takes about 12 us a digit on one core.
//
// Example:
//   ImageSet train = draw_digits(60000, 1), test = draw_digits(10000, 2);
#pragma once

#include <cstdint>

#include "duel/gan/data/image_set.h"

namespace duel::gan {

/// Draws `count` >= 1 digits with their labels, on all threads of parallel_for.
ImageSet draw_digits(int64_t count, uint64_t seed);

}  // namespace duel::gan
