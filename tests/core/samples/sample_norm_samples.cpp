// Samples of core/ops/reduce/sample_norm.h.
#include <cmath>

#include "duel/core/ops/reduce/sample_norm.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

std::vector<OpSample> sample_norm_samples() {
  std::vector<OpSample> all;
  for (const Shape& shape :
       {Shape{1, 1}, Shape{3, 4}, Shape{2, 33}, Shape{5, 1}, Shape{2, 2, 3, 3}, Shape{0, 4}}) {
    for (const double eps : {0.0, 0.01}) {
      all.push_back({.label = message("{} eps {}", shape, eps),
                     .inputs = {{.shape = shape, .low = -2, .high = 2, .kinks = {0.0}, .away = 0.2}},
                     .apply = [eps](const Tensors& x) { return sample_norm(x[0], eps); },
                     .reference =
                         [eps](const Arrays& x) {
                           const int64_t n = x[0].shape[0], m = x[0].shape.numel_from(1);
                           Array y{{n}, {}};
                           for (int64_t b = 0; b < n; ++b) {
                             double total = eps;
                             for (int64_t j = 0; j < m; ++j)
                               total += x[0].values[static_cast<size_t>(b * m + j)] *
                                        x[0].values[static_cast<size_t>(b * m + j)];
                             y.values.push_back(std::sqrt(total));
                           }
                           return y;
                         }});
    }
  }
  return all;
}
std::vector<OpSample> norm_penalty_samples() {
  std::vector<OpSample> all;
  for (const Shape& shape : {Shape{1, 1}, Shape{3, 4}, Shape{5, 33}, Shape{2, 2, 3, 3}}) {
    for (const auto& [k, one_sided] : {std::pair{1.0, false}, {0.0, false}, {0.5, true}, {100.0, true}}) {
      all.push_back({.label = message("{} k {}{}", shape, k, one_sided ? " one-sided" : ""),
                     .inputs = {{.shape = shape, .low = -2, .high = 2, .kinks = {0.0, k, -k}, .away = 0.2}},
                     .apply =
                         [k = k, one_sided = one_sided](const Tensors& x) {
                           return norm_penalty(x[0], {k, one_sided}, 2.5).value;
                         },
                     .reference =
                         [k = k, one_sided = one_sided](const Arrays& x) {
                           const int64_t n = x[0].shape[0], m = x[0].shape.numel_from(1);
                           double total = 0;
                           for (int64_t b = 0; b < n; ++b) {
                             double squares = 0;
                             for (int64_t j = 0; j < m; ++j)
                               squares += x[0].values[static_cast<size_t>(b * m + j)] *
                                          x[0].values[static_cast<size_t>(b * m + j)];
                             const double excess = std::sqrt(squares) - k;
                             if (!one_sided || excess > 0) total += excess * excess;
                           }
                           return Array{{}, {2.5 * total / static_cast<double>(n)}};
                         }});
    }
  }
  return all;
}
const RegisterOp penalty_registered("norm_penalty", norm_penalty_samples);
const RegisterOp registered("sample_norm", sample_norm_samples);

}  // namespace
}  // namespace duel
