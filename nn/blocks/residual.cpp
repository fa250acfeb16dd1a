#include "duel/nn/blocks/residual.h"

#include "duel/core/ops/map/arithmetic.h"

namespace duel::nn {

Residual::Residual(std::shared_ptr<Sequential> path, std::shared_ptr<Sequential> past, double factor)
    : residual(register_module("residual", std::move(path))),
      skip(register_module("skip", std::move(past))),
      scale(factor) {
  DUEL_CHECK(residual->size() > 0, "Residual", "expected at least one layer on the residual path, got none");
}

Tensor Residual::forward(const Tensor& x) {
  const Tensor y = (*residual)(x);
  const Tensor other = skip->size() == 0 ? x : (*skip)(x);
  DUEL_CHECK(y.shape() == other.shape(), "Residual", "expected paths that give one shape, got {} and {}",
             y.shape(), other.shape());
  return scale == 1.0 ? y + other : (y + other) * scale;
}

}  // namespace duel::nn
