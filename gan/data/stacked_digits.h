// Stacked digits, the set on which mode collapse is counted: each image is three random digits, one in each colour, so that
// there are 1,000 kinds of images (Metz et al. 2017, arXiv:1611.02163, section 3.3.1; Srivastava et al. 2017, VEEGAN;
// Lin et al. 2018, PacGAN).
//
// Image i depends on the digits and on (seed, i) alone: a longer set begins with a shorter one. Its digits are drawn with
// replacement, so the kinds are as frequent as the digits of the set make them: of MNIST's not quite evenly.
//
// Example:
//   const StackedDigits stacked = stack_digits(load_mnist(dir, Split::train), 128000, 1);   // 301 MB of pixels
#pragma once

#include <cstdint>
#include <vector>

#include "duel/gan/data/image_set.h"

namespace duel::gan {

inline constexpr int64_t kStackedKinds = 1000;

struct StackedDigits {
  /// Of 3 channels, without labels: what is one is a byte there.
  ImageSet images;
  /// 100 a + 10 b + c of digits a, b, c in red, green and blue; empty where the digits have no labels.
  std::vector<int64_t> labels;
};

/// `count` >= 1 images of gray digits. Error for digits of several channels, and for labels above 9.
StackedDigits stack_digits(const ImageSet& digits, int64_t count, uint64_t seed);

}  // namespace duel::gan
