#include "duel/gan/objective/distances/sliced.h"

#include <utility>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"

namespace duel::gan {

Directions drawn_directions() {
  return [](int64_t features, int64_t count, const TensorOptions& options) {
    const NoGrad off;
    const Tensor drawn = default_generator().normal({count, features}, 0, 1, options);
    return div(drawn, clamp_min(sample_norm(drawn), 1e-12).reshape({count, 1})).t();
  };
}

Tensor sliced_wasserstein(const Tensor& a, const Tensor& b, const Tensor& directions) {
  DUEL_CHECK(a.defined() && b.defined() && a.rank() == 2 && a.shape() == b.shape(), "sliced_wasserstein",
             "expected as many features of one side as of the other, [N, F], got {} and {}",
             a.defined() ? to_text(a) : "none", b.defined() ? to_text(b) : "none");
  DUEL_CHECK(directions.rank() == 2 && directions.dim(0) == a.dim(1), "sliced_wasserstein",
             "expected directions [F, count] for features of {} numbers, got {}", a.dim(1),
             to_text(directions));
  const auto in_order = [&](const Tensor& features) { return sort(matmul(features, directions), 0).values; };
  return mean(square(in_order(a) - in_order(b)));
}

Loss sliced_wasserstein_loss(int64_t count, Directions directions) {
  DUEL_CHECK(count >= 1, "sliced_wasserstein_loss", "expected at least 1 direction, got {}", count);
  const Loss of_d = non_saturating_loss();
  return {.name = message("sliced_wasserstein({})", count),
          .d_real = nullptr,
          .d_fake = nullptr,
          .g_fake = nullptr,
          .d_joint =
              [of_d](const Judgement& real, const Judgement& fake) {
                return discriminator_loss(of_d, Relativism::none, real, fake);
              },
          .g_joint =
              [count, directions = std::move(directions)](const Judgement& real, const Judgement& fake) {
                DUEL_CHECK(
                    real.features.defined() && fake.features.defined(), "sliced_wasserstein_loss",
                    "this critic gives no features: derive it from Critic, or make it a SequentialCritic");
                const Tensor r = real.features.flatten(1), f = fake.features.flatten(1);
                return sliced_wasserstein(r, f, directions(r.dim(1), count, r.options()));
              },
          .cross_entropy = true,
          .undecided = 0.0,
          .reads_features = true,
          .pairs_samples = true};
}

}  // namespace duel::gan
