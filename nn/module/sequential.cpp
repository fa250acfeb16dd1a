#include "duel/nn/module/sequential.h"

namespace duel::nn {

void Sequential::push_back(std::shared_ptr<Module> layer) {
  register_module(std::to_string(size()), std::move(layer));
}

Module& Sequential::operator[](size_t i) const {
  DUEL_CHECK(i < size(), "Sequential", "expected a layer below {}, got {}", size(), i);
  return *named_children()[i].second;
}

Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (const auto& [name, layer] : named_children()) y = (*layer)(y);
  return y;
}

void Sequential::wrong_type(size_t i) const {
  fail("Sequential", "layer {} is {}, not of the type asked for", i, (*this)[i].describe());
}

}  // namespace duel::nn
