#include "duel/nn/layers/dropout.h"

#include "duel/core/engine/checkpoint.h"
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/comparison.h"
#include "duel/core/tensor/autograd.h"

namespace duel::nn {

Dropout::Dropout(double probability) : p(probability) {
  DUEL_CHECK(p >= 0 && p <= 1, "Dropout", "expected a probability in [0, 1], got {}", p);
}

Dropout::Dropout(double probability, Generator& generator) : Dropout(probability) { generator_ = &generator; }

Tensor Dropout::forward(const Tensor& x) {
  if (!is_training() || p == 0) return x;
  const auto draw_from = [&](Generator& generator) {
    return generator.uniform(x.shape(), 0.0, 1.0, x.options());
  };
  // The default one repeats itself where a checkpoint runs the pass again.
  const Tensor draw = generator_ ? run_once([&] { return std::vector{draw_from(*generator_)}; })[0]
                                 : draw_from(default_generator());
  const Tensor kept = (draw >= p).to(x.dtype());
  return x * (kept * (p < 1 ? 1.0 / (1.0 - p) : 0.0));
}

std::string Dropout::describe() const { return "Dropout(p=" + detail::number(p) + ")"; }

}  // namespace duel::nn
