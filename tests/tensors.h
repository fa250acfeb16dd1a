// Comparison of tensors and of whole states, bit by bit, wherever they lie.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "duel/core/io/safetensors.h"

namespace duel::testing {

constexpr TensorOptions kF64{DType::f64, {}};

/// [N, 1] in f64, as D gives them.
inline Tensor logits(const std::vector<double>& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size()), 1});
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(Device::cpu()), y = b.to(Device::cpu());
  return x.shape() == y.shape() && x.dtype() == y.dtype() && std::memcmp(x.raw(), y.raw(), x.bytes()) == 0;
}

/// The name of the first entry that differs, or an empty string.
inline std::string first_difference(const TensorFile& a, const TensorFile& b) {
  if (a.tensors.size() != b.tensors.size()) return "the number of entries";
  for (size_t i = 0; i < a.tensors.size(); ++i) {
    const auto& [name, x] = a.tensors[i];
    if (name != b.tensors[i].first || !same_bits(x, b.tensors[i].second)) return name;
  }
  return {};
}

}  // namespace duel::testing
