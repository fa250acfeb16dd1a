#include "duel/gan/objective/regularisers/adaptation.h"

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"

namespace duel::gan {
namespace {

constexpr double kUpdates = 4;  // of D between two moves of p
constexpr double kMost = 0.99;  // of p

}  // namespace

Tensor first_adaptation(TensorOptions options) { return Tensor::zeros({3}, options); }

Tensor probability_of(const Tensor& state) { return rows(state, 0, 1); }

void adapt(const Adaptation& adaptation, const Loss& loss, const Tensor& real_logits, int64_t images,
           const Tensor& state) {
  DUEL_CHECK(loss.undecided, "adapt",
             "the loss '{}' has no logit at which D is undecided: expected one with Loss::undecided",
             loss.name);
  const NoGrad off;
  const Tensor told = mean(sign(real_logits - *loss.undecided)).reshape({1}).to(state.dtype());
  const Tensor signs = rows(state, 1, 2) + (loss.energy ? -told : told), seen = rows(state, 2, 3) + 1.0;
  const Tensor due = (seen >= kUpdates).to(state.dtype());
  const double step = kUpdates * static_cast<double>(images) / static_cast<double>(adaptation.images);
  const Tensor moved = rows(state, 0, 1) + due * sign(signs / kUpdates - adaptation.target) * step;
  const Tensor next = concat({clamp(moved, 0, kMost), signs * (1.0 - due), seen * (1.0 - due)});
  Tensor now = state;
  now.copy_(next);
}

}  // namespace duel::gan
