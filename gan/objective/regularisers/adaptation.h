// A probability p that follows how far D has learnt its real images by heart, of what makes its task harder:
//
//   ADA (Karras et al. 2020, arXiv:2006.06676): each of the augmentation's changes is made with probability p, drawn for each
//       image; at p < 1 the generated distribution cannot hide behind them (section 2.2, appendix C)
//   APA (Jiang et al. 2021, arXiv:2111.06849): with probability p a generated image stands in a real one's place in D's loss
//       and its penalties, of the same label and of a latent of its own (section 3)
//
// Both by one controller: r = E sign(D(x) - o) over what D was shown as real in four updates, o the logit at which D is
// undecided, is 0 where D tells nothing and 1 where it is sure of every image; p starts at 0 and moves by
// sign(r - target) * (images in those updates) / images (Karras et al., section 3). It stays in [0, 0.99]: at 1 nothing of
// the data would be left as it is.
//
// p lies in device memory and is never read within an iteration: a captured one sees it move.
#pragma once

#include <cstdint>

#include "duel/gan/objective/loss.h"

namespace duel::gan {

/// Of p, in Metrics and metrics.jsonl.
inline constexpr const char* kAdaptingProbability = "adapting_p";

struct Adaptation {
  bool augmentation = false, pseudo = false;  // ADA, APA
  double target = 0.6;                        // of r
  int64_t images = 500000;                    // real ones that D is shown while p could go from 0 to 1
  bool on() const { return augmentation || pseudo; }
};

/// p, the sum of r's of updates since it moved, and their number: of shape [3], at first 0.
Tensor first_adaptation(TensorOptions options);
/// p of a state, of shape [1], sharing its storage.
Tensor probability_of(const Tensor& state);
/// Moves `state` after an update of D on `images` real images, of which it gave `real_logits`. No graph. Error where the
/// loss has no logit at which D is undecided.
void adapt(const Adaptation& adaptation, const Loss& loss, const Tensor& real_logits, int64_t images,
           const Tensor& state);

}  // namespace duel::gan
