#include "duel/gan/objective/loss.h"

#include <optional>

#include "duel/core/ops.h"

namespace duel::gan {
namespace {

/// A term that is one of the fused losses: LossTerm::target finds it, so that both sides can be one launch.
struct FusedTerm {
  kernels::AnyLoss loss;
  Tensor operator()(const Tensor& x) const { return fused_loss(x, loss); }
};

LossTerm bce(double target) {
  DUEL_CHECK(target >= 0 && target <= 1, "bce_with_logits", "expected a target in [0, 1], got {}", target);
  return FusedTerm{any_loss(kernels::SigmoidBce{target})};
}
LossTerm scaled_square(double target, double scale) {
  return FusedTerm{any_loss(kernels::SquaredDifference{target, scale})};
}
/// relu(1 - sign x)
LossTerm hinge(double sign) { return FusedTerm{any_loss(kernels::Hinge{sign})}; }

/// A loss is named as composition.h reads it.
std::string smoothed(const char* name, double real_target) {
  return real_target == 1 ? name : message("{}({})", name, real_target);
}

}  // namespace

LossTerm fused_term(const kernels::AnyLoss& loss) { return FusedTerm{loss}; }
LossTerm mean_term(double sign) { return FusedTerm{any_loss(kernels::WassersteinMean{sign})}; }

std::function<Tensor(const Judgement& at)> witness_beside(const Loss& loss, const Judgement& real,
                                                          const Judgement& fake) {
  if (!loss.witness) return nullptr;
  return [witness = loss.witness, real, fake](const Judgement& at) { return witness(at, real, fake); };
}

Loss minimax_loss(double real_target) {
  return {.name = smoothed("minimax", real_target),
          .d_real = bce(real_target),
          .d_fake = bce(0.0),
          .g_fake = fused_term(any_loss(kernels::SoftplusLoss{-1.0, 1.0})),   // log(1 - sigmoid f)
          .g_real = fused_term(any_loss(kernels::SoftplusLoss{-1.0, -1.0})),  // log sigmoid r
          .cross_entropy = true,
          .undecided = 0.0};
}

Loss non_saturating_loss(double real_target) {
  return {.name = smoothed("non_saturating", real_target),
          .d_real = bce(real_target),
          .d_fake = bce(0.0),
          .g_fake = bce(1.0),
          .g_real = bce(0.0),
          .cross_entropy = true,
          .undecided = 0.0};
}

Loss wasserstein_loss() {
  return {.name = "wasserstein",
          .d_real = mean_term(-1.0),
          .d_fake = mean_term(1.0),
          .g_fake = mean_term(-1.0),
          .g_real = mean_term(1.0)};
}

Loss least_squares_loss(double a, double b, double c, double scale) {
  const std::string labels = message("{},{},{}", a, b, c);
  return {.name = scale != 0.5        ? message("least_squares({},{})", labels, scale)
                  : labels == "0,1,1" ? "least_squares"
                                      : "least_squares(" + labels + ")",
          .d_real = scaled_square(b, scale),
          .d_fake = scaled_square(a, scale),
          .g_fake = scaled_square(c, scale),
          .g_real = scaled_square(a, scale),
          .undecided = (a + b) / 2};
}

Loss hinge_loss_pair() {
  return {.name = "hinge",
          .d_real = hinge(1.0),
          .d_fake = hinge(-1.0),
          .g_fake = mean_term(-1.0),
          .g_real = mean_term(1.0),
          .undecided = 0.0};
}

Loss hinge_margin_loss() {
  return {.name = "hinge_margin",
          .d_real = hinge(1.0),
          .d_fake = hinge(-1.0),
          .g_fake = hinge(1.0),
          .g_real = hinge(-1.0),
          .undecided = 0.0};
}

Loss saddle_loss(const Loss& loss) {
  const auto of_d = [loss](const Judgement& real, const Judgement& fake) {
    return discriminator_loss(loss, Relativism::none, real, fake);
  };
  return {.name = "saddle(" + loss.name + ")",
          .d_real = nullptr,
          .d_fake = nullptr,
          .g_fake = nullptr,
          .g_real = nullptr,
          .d_joint = of_d,
          .g_joint = [of_d](const Judgement& real, const Judgement& fake) { return neg(of_d(real, fake)); },
          .cross_entropy = loss.cross_entropy,
          .undecided = loss.undecided,
          .energy = loss.energy};
}

Loss softmax_loss() {
  // log p of every sample, real ones first.
  const auto log_shares = [](const Tensor& real, const Tensor& fake) {
    return log_softmax(concat({real.reshape({-1}), fake.reshape({-1})}));
  };
  return {.name = "softmax",
          .d_real = nullptr,
          .d_fake = nullptr,
          .g_fake = nullptr,
          .g_real = nullptr,
          .d_joint =
              [log_shares](const Tensor& real, const Tensor& fake) {
                return neg(mean(rows(log_shares(real, fake), 0, real.numel())));
              },
          .g_joint = [log_shares](const Tensor& real,
                                  const Tensor& fake) { return neg(mean(log_shares(real, fake))); }};
}

namespace {

void check_pairs(Relativism relativism, const Tensor& real, const Tensor& fake) {
  DUEL_CHECK(
      relativism != Relativism::paired || real.shape() == fake.shape(), "relativism",
      "a paired loss compares samples of equal index: expected equal batches, got {} real and {} fake logits",
      real.numel(), fake.numel());
}

/// What a term gave, which has to be one number.
Tensor mean_of_batch(const Loss& loss, const char* term, Tensor value) {
  DUEL_CHECK(value.defined() && value.rank() == 0, "loss",
             "the loss '{}': {} gave {}, expected a mean over the batch, of shape []", loss.name, term,
             value.defined() ? to_text(value.shape()) : "nothing");
  return value;
}
Tensor d_real(const Loss& loss, const Tensor& logits) {
  return mean_of_batch(loss, "d_real", loss.d_real(logits));
}
Tensor d_fake(const Loss& loss, const Tensor& logits) {
  return mean_of_batch(loss, "d_fake", loss.d_fake(logits));
}
Tensor g_fake(const Loss& loss, const Tensor& logits) {
  return mean_of_batch(loss, "g_fake", loss.g_fake(logits));
}
Tensor g_real(const Loss& loss, const Tensor& logits) {
  return mean_of_batch(loss, "g_real", loss.g_real(logits));
}

}  // namespace

namespace {

kernels::Against against(Relativism relativism) {
  switch (relativism) {
    case Relativism::none:
      return kernels::Against::nothing;
    case Relativism::paired:
      return kernels::Against::partner;
    case Relativism::average:
      return kernels::Against::mean;
  }
  throw InternalError("unknown relativism");
}

/// The fused losses that two terms are; nothing where one of those that count is not.
struct FusedPair {
  kernels::AnyLoss one, other;
};
std::optional<FusedPair> fused_pair(const LossTerm& one, const LossTerm& other, Relativism relativism) {
  const auto *a = one.target<FusedTerm>(), *b = other.target<FusedTerm>();
  if (a == nullptr || (b == nullptr && relativism != Relativism::paired)) return {};
  return FusedPair{a->loss, b != nullptr ? b->loss : a->loss};
}

}  // namespace

namespace {

/// L_D of logits of each side, of any shape.
Tensor loss_of_d(const Loss& loss, Relativism relativism, const Tensor& real, const Tensor& fake) {
  check_pairs(relativism, real, fake);
  if (const auto pair = fused_pair(loss.d_real, loss.d_fake, relativism))
    return loss_of_sides(real, fake, pair->one, pair->other, against(relativism));
  switch (relativism) {
    case Relativism::none:
      return add(d_real(loss, real), d_fake(loss, fake));
    case Relativism::paired:
      return d_real(loss, sub(real, fake));
    case Relativism::average:
      return mul_scalar(add(d_real(loss, sub(real, mean(fake))), d_fake(loss, sub(fake, mean(real)))), 0.5);
  }
  throw InternalError("unknown relativism");
}

/// Logits of pixels enter terms of one side alone.
void check_pixels(const Loss& loss, Relativism relativism) {
  DUEL_CHECK(relativism == Relativism::none && !loss.d_joint, "loss",
             "a D that judges pixels: expected a loss of one side's logits each, got '{}'{}", loss.name,
             relativism == Relativism::none ? ", of both sides at once" : " under relativism");
}

}  // namespace

Tensor discriminator_loss(const Loss& loss, Relativism relativism, const Judgement& real,
                          const Judgement& fake) {
  if (real.pixels.defined()) check_pixels(loss, relativism);
  if (loss.d_joint) return mean_of_batch(loss, "d_joint", loss.d_joint(real, fake));
  const Tensor value = loss_of_d(loss, relativism, real.logits, fake.logits);
  return real.pixels.defined() ? add(value, loss_of_d(loss, relativism, real.pixels, fake.pixels)) : value;
}

Tensor discriminator_loss(const Loss& loss, Relativism relativism, const Tensor& real, const Tensor& fake) {
  return discriminator_loss(loss, relativism, Judgement{.logits = real}, Judgement{.logits = fake});
}

bool joined_in_one_launch(const Loss& loss, Relativism relativism) {
  return !loss.d_joint && fused_pair(loss.d_real, loss.d_fake, relativism);
}

Tensor joined_discriminator_loss(const Loss& loss, Relativism relativism, const Tensor& logits,
                                 int64_t split) {
  if (loss.d_joint) return {};
  const auto pair = fused_pair(loss.d_real, loss.d_fake, relativism);
  if (!pair) return {};
  DUEL_CHECK(relativism != Relativism::paired || 2 * split == logits.dim(0), "relativism",
             "a paired loss compares samples of equal index: expected equal batches, got {} real and {} fake "
             "logits",
             split, logits.dim(0) - split);
  return loss_of_both(logits, split, pair->one, pair->other, against(relativism));
}

Tensor generator_loss(const Loss& loss, Relativism relativism, const Tensor& real, const Tensor& fake) {
  return generator_loss(loss, relativism, Judgement{.logits = real}, Judgement{.logits = fake});
}

Tensor balanced_discriminator_loss(const Loss& loss, const Tensor& real, const Tensor& fake,
                                   const Tensor& k) {
  return add(d_real(loss, real), mul(k, d_fake(loss, fake)));
}

bool generator_needs_real(const Loss& loss, Relativism relativism) {
  return relativism != Relativism::none || loss.g_joint;
}

Tensor generator_loss(const Loss& loss, Relativism relativism, const Judgement& of_real,
                      const Judgement& of_fake) {
  if (of_fake.pixels.defined()) check_pixels(loss, relativism);
  if (loss.g_joint) return mean_of_batch(loss, "g_joint", loss.g_joint(of_real, of_fake));
  const Tensor &real = of_real.logits, &fake = of_fake.logits;
  if (relativism == Relativism::none) {
    const Tensor value = g_fake(loss, fake);
    return of_fake.pixels.defined() ? add(value, g_fake(loss, of_fake.pixels)) : value;
  }
  check_pairs(relativism, real, fake);
  if (const auto pair = fused_pair(loss.g_fake, loss.g_real, relativism))
    return loss_of_sides(fake, real, pair->one, pair->other, against(relativism));
  if (relativism == Relativism::paired) return g_fake(loss, sub(fake, real));
  return mul_scalar(add(g_fake(loss, sub(fake, mean(real))), g_real(loss, sub(real, mean(fake)))), 0.5);
}

}  // namespace duel::gan
