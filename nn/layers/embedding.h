// Embedding: rows of a table by index, as torch.nn.Embedding. Conditional GANs feed labels through it.
// Indices have no derivative.
#pragma once

#include "duel/nn/module/weight_layer.h"

namespace duel::nn {

class Embedding : public WeightLayer {
 public:
  /// weight [num_embeddings, embedding_dim], drawn from N(0, 1).
  Embedding(int64_t num_embeddings, int64_t embedding_dim);
  /// i64 indices [...] to [..., embedding_dim]; an index outside the table is an Error.
  Tensor forward_with(const Tensor& index, const Tensor& w, const Activation& then = {}) const override;
  std::string describe() const override;

  int64_t num_embeddings, embedding_dim;

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<Embedding>(num_embeddings, embedding_dim);
  }
};

}  // namespace duel::nn
