#include "duel/nn/layers/maxout.h"

#include "duel/core/ops/reduce/reduction.h"

namespace duel::nn {

Maxout::Maxout(int64_t pieces_) : pieces(pieces_) {
  DUEL_CHECK(pieces >= 1, "Maxout", "expected at least 1 piece, got {}", pieces);
}

Tensor Maxout::forward(const Tensor& x) {
  DUEL_CHECK(x.rank() >= 1 && x.rank() <= 4, "Maxout", "expected 1 to 4 axes, got {}", x.shape());
  DUEL_CHECK(x.dim(-1) % pieces == 0, "Maxout", "expected a last axis that {} divides, got {}", pieces,
             x.shape());
  std::vector<int64_t> sizes;
  for (int axis = 0; axis + 1 < x.rank(); ++axis) sizes.push_back(x.dim(axis));
  sizes.push_back(pieces);
  sizes.push_back(x.dim(-1) / pieces);
  return max(x.reshape(Shape(sizes)), -2);
}

std::string Maxout::describe() const { return "Maxout(pieces=" + std::to_string(pieces) + ")"; }

}  // namespace duel::nn
