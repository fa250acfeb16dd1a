#include "duel/nn/module/sequential.h"

namespace duel::nn {

Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (const auto& layer : *this) y = (*layer)(y);
  return y;
}

}  // namespace duel::nn
