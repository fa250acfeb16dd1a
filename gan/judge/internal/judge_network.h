// The network of version 1, once: how it is trained (judge_training.cpp) and how it reads (judge.cpp).
//
// Four convolutions with ReLU, the last three of stride 2, the mean over what is left of the plane (3x3), and
// ten classes: 144,762 numbers, 5.1 million multiplications an image. Pixels enter as ink, 0 to 1, so that the
// zeros around an image are paper.
#pragma once

#include <cstdint>

namespace duel::gan {

struct JudgeLayer {
  const char* name;
  int64_t in, out, kernel, stride, padding;
};

inline constexpr JudgeLayer kJudgeLayers[] = {{"conv1", 1, 24, 3, 1, 1},
                                              {"conv2", 24, 32, 4, 2, 1},
                                              {"conv3", 32, 64, 4, 2, 1},
                                              {"conv4", 64, 96, 4, 2, 1}};

}  // namespace duel::gan
