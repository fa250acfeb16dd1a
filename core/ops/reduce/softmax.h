// Softmax over the last axis, and the classifier's loss.
#pragma once

#include "duel/core/tensor/tensor.h"

namespace duel {

/// Over the last axis of [..., C].
Tensor softmax(const Tensor& x);
Tensor log_softmax(const Tensor& x);
/// Mean over the batch of -log softmax(logits)[label]: logits [N, C], labels i64 [N]; shape [].
Tensor cross_entropy(const Tensor& logits, const Tensor& labels);

}  // namespace duel
