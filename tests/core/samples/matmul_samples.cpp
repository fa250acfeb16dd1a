// Samples of core/ops/linear/matmul.h.
#include "duel/core/ops/linear/matmul.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

Array reference_matmul(const Array& a, const Array& b, bool ta, bool tb) {
  const int64_t m = a.shape[ta ? 1 : 0], k = a.shape[ta ? 0 : 1], n = b.shape[tb ? 0 : 1];
  Array y{{m, n}, {}};
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double total = 0;
      for (int64_t l = 0; l < k; ++l) {
        total += a.values[static_cast<size_t>(ta ? l * m + i : i * k + l)] *
                 b.values[static_cast<size_t>(tb ? j * k + l : l * n + j)];
      }
      y.values.push_back(total);
    }
  }
  return y;
}

std::vector<OpSample> matmul_samples() {
  std::vector<OpSample> samples;
  struct Sizes {
    int64_t m, k, n;
  };
  for (const auto [m, k, n] :
       {Sizes{3, 4, 5}, Sizes{1, 7, 1}, Sizes{17, 3, 2}, Sizes{2, 33, 3}, Sizes{0, 3, 2}, Sizes{2, 0, 3}}) {
    for (int flags = 0; flags < 4; ++flags) {
      const bool ta = flags & 1, tb = flags & 2;
      samples.push_back(
          {.label = message("{}x{}x{}{}{}", m, k, n, ta ? " ta" : "", tb ? " tb" : ""),
           .inputs = {{.shape = ta ? Shape{k, m} : Shape{m, k}}, {.shape = tb ? Shape{n, k} : Shape{k, n}}},
           .apply = [ta, tb](const Tensors& x) { return matmul(x[0], x[1], ta, tb); },
           .reference = [ta, tb](const Arrays& x) { return reference_matmul(x[0], x[1], ta, tb); }});
    }
  }
  return samples;
}

std::vector<OpSample> linear_samples() {
  std::vector<OpSample> samples;
  for (const bool with_bias : {true, false}) {
    for (const int64_t batch : {1, 4, 7}) {
      OpSample sample{
          .label = message("batch {}{}", batch, with_bias ? " bias" : ""),
          .inputs = {{.shape = {batch, 5}}, {.shape = {3, 5}}},
          .apply = [](const Tensors& x) { return linear(x[0], x[1], x.size() > 2 ? x[2] : Tensor()); },
          .reference =
              [](const Arrays& x) {
                Array y = reference_matmul(x[0], x[1], false, true);
                return x.size() > 2 ? reference::zip(y, x[2], [](double a, double b) { return a + b; }) : y;
              }};
      if (with_bias) sample.inputs.push_back({.shape = {3}});
      samples.push_back(sample);
    }
  }
  return samples;
}

const RegisterOp matmul_registered("matmul", matmul_samples);
const RegisterOp linear_registered("linear", linear_samples);

}  // namespace
}  // namespace duel
