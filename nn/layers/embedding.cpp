#include "duel/nn/layers/embedding.h"

#include "duel/core/ops/map/movement.h"
#include "duel/nn/module/init.h"

namespace duel::nn {

Embedding::Embedding(int64_t rows, int64_t dim) : num_embeddings(rows), embedding_dim(dim) {
  DUEL_CHECK(rows >= 1 && dim >= 1, "Embedding", "expected at least 1 row and 1 column, got {} and {}", rows,
             dim);
  weight = register_parameter("weight", Tensor::empty({rows, dim}));
  init::normal_(weight);
}

Tensor Embedding::forward_with(const Tensor& index, const Tensor& w, const Activation& then) const {
  DUEL_CHECK(index.dtype() == DType::i64 && index.rank() < Shape::kMaxRank, "Embedding",
             "expected i64 indices of at most {} axes, got {}", Shape::kMaxRank - 1, to_text(index));
  const Tensor rows = gather(w, index.reshape(Shape{index.numel()}));
  return activate(rows.reshape(index.shape().inserted(index.rank(), embedding_dim)), then);
}

std::string Embedding::describe() const {
  return message("Embedding({}, {})", num_embeddings, embedding_dim);
}

}  // namespace duel::nn
