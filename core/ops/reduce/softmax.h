// Softmax, and the classifier's loss.
#pragma once

#include "duel/core/tensor/tensor.h"

namespace duel {

/// Over one axis, the last one of [..., C] if none is given.
Tensor softmax(const Tensor& x, int axis = -1);
Tensor log_softmax(const Tensor& x, int axis = -1);
/// Mean over the batch of -log softmax(logits)[label]: logits [N, C], labels i64 [N]; shape [].
Tensor cross_entropy(const Tensor& logits, const Tensor& labels);

}  // namespace duel
