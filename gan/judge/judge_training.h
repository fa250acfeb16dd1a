// How a judge is trained: on labelled images, each of which is distorted anew every time it is shown.
//
// Note [What a trained judge is a function of]
// Of images, labels and options: first weights, order and distortions come from streams of the seed, and the
// weights have the same bits on any number of threads. Another CPU's kernels may round otherwise.
//
// Example:
//   auto weights = train_judge(load_mnist(dir, Split::train), {.epochs = 8});
//   save_judge("mine.safetensors", Judge(*weights, facts));
#pragma once

#include <functional>
#include <optional>

#include "duel/gan/judge/judge.h"

namespace duel::gan {

struct JudgeStep {
  int64_t step = 0, steps = 0;    // done, of all
  int64_t epoch = 1;              // from 1
  double loss = 0, accuracy = 0;  // of the epoch's distorted images so far, while the weights move
};

struct JudgeOptions {
  int64_t epochs = 8;
  int64_t batch = 128;  // one may span two epochs
  double lr = 5e-3;     // Adam's at the start; falls linearly to 0
  uint64_t seed = 1;
  double bend = 0.15;  // entries of the plane's linear map differ by at most so much from the identity's
  double shift = 2;    // pixels, to either side and up or down
  /// Called after every step; false ends the training.
  std::function<bool(const JudgeStep&)> on_step = {};
};

/// Minimises cross_entropy over labelled images of 28x28 and returns the weights of a Judge, batch norms folded
/// in; nothing where on_step ended it. Error for images of another size, labels that are no digits, options out of range
/// and a loss that is not finite.
std::optional<nn::StateDict> train_judge(const ImageSet& images, const JudgeOptions& options = {});

}  // namespace duel::gan
