#include "duel/nn/layers/reshape.h"

namespace duel::nn {

Tensor Flatten::forward(const Tensor& x) {
  const int start = normalize_axis("Flatten", start_dim, x.rank());
  const int end = normalize_axis("Flatten", end_dim, x.rank());
  DUEL_CHECK(start <= end, "Flatten", "expected start_dim <= end_dim, got {} and {} for {}", start_dim,
             end_dim, x.shape());
  std::vector<int64_t> sizes(x.shape().begin(), x.shape().begin() + start);
  int64_t joined = 1;
  for (int axis = start; axis <= end; ++axis) joined *= x.dim(axis);
  sizes.push_back(joined);
  sizes.insert(sizes.end(), x.shape().begin() + end + 1, x.shape().end());
  return x.reshape(Shape(sizes));
}

std::string Flatten::describe() const {
  return message("Flatten(start_dim={}, end_dim={})", start_dim, end_dim);
}

Tensor Unflatten::forward(const Tensor& x) {
  const int axis = normalize_axis("Unflatten", dim, x.rank());
  DUEL_CHECK(x.dim(axis) == unflattened_size.numel(), "Unflatten",
             "expected {} elements along axis {} to split into {}, got {}", unflattened_size.numel(), dim,
             unflattened_size, x.shape());
  std::vector<int64_t> sizes(x.shape().begin(), x.shape().begin() + axis);
  sizes.insert(sizes.end(), unflattened_size.begin(), unflattened_size.end());
  sizes.insert(sizes.end(), x.shape().begin() + axis + 1, x.shape().end());
  return x.reshape(Shape(sizes));
}

std::string Unflatten::describe() const {
  return message("Unflatten(dim={}, unflattened_size={})", dim, unflattened_size);
}

}  // namespace duel::nn
