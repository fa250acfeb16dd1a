// Embedding: rows of a table by index, as torch.nn.Embedding. Conditional GANs feed labels through it.
#pragma once

#include "duel/nn/module/module.h"

namespace duel::nn {

class Embedding : public Module {
 public:
  /// weight [num_embeddings, embedding_dim], drawn from N(0, 1).
  Embedding(int64_t num_embeddings, int64_t embedding_dim);
  /// i64 indices [...] to [..., embedding_dim]; an index outside the table is an Error.
  Tensor forward(const Tensor& index) override;
  /// Indices have no derivative.
  bool second_derivative_zero() const override { return true; }
  std::string describe() const override;

  int64_t num_embeddings, embedding_dim;
  Tensor weight;
};

}  // namespace duel::nn
