// Adversarial losses on raw logits, fused: value and gradient of (sum_i loss(x_i)) / divisor in one pass.
//
// A loss is one struct with value(x), first(x), second(x) (derivatives with respect to the logit) and
// second_is_zero (the second derivative vanishes almost everywhere, so a double backward can stop there).
// Adding a loss: write the struct here and name it in DUEL_LOSSES; nothing else changes.
//
// One logit per sample. Sums use fixed lanes and fixed ranges: same bits for any number of threads.
//
// Example (critic on real samples, non-saturating GAN, batch mean):
//   std::vector<float> scratch(loss_workspace(n));
//   loss_value_grad(Stream(), n, logits, SigmoidBce{1.0}, n, &value, grad, scratch.data());
#pragma once

#include <cstdint>
#include <type_traits>

#include "duel/kernels/base/math.h"
#include "duel/kernels/base/platform.h"

namespace duel::kernels {

/// Binary cross-entropy of sigmoid(x) against any target t in [0, 1]: softplus(x) - t x (Goodfellow et al.
/// 2014, eq. 1, on logits). t = 1: -log sigmoid(x), t = 0: -log(1 - sigmoid(x)); a divisor < 0 gives the
/// saturating form. Written around e = exp(-|x|), so that nothing overflows or cancels: at x = 100, t = 1 the
/// value is exp(-100), not 0, and so is the derivative's size.
struct SigmoidBce {
  double target = 1;
  static constexpr bool second_is_zero = false;

  template <class T>
  DUEL_HD T value(T x) const {
    const T rest = T(1 - target), share = T(target);  // before the select: see Note [Selects] in math.h
    return (x > T(0) ? rest : share) * math::abs(x) + math::log1p(math::exp(-math::abs(x)));
  }
  template <class T>
  DUEL_HD T first(T x) const {
    const T e = math::exp(-math::abs(x));
    const T tail = e / (T(1) + e);  // sigmoid(-|x|)
    const T rest = T(1 - target), minus = T(-target), side = x > T(0) ? T(1) : T(-1);
    return (x > T(0) ? rest : minus) - side * tail;
  }
  template <class T>
  DUEL_HD T second(T x) const {
    const T e = math::exp(-math::abs(x));
    return e / ((T(1) + e) * (T(1) + e));
  }
};

/// relu(1 - sign * x): sign = +1 for real, -1 for fake samples (Lim & Ye 2017; Miyato et al. 2018).
/// At the kink the derivative is 0, as for relu.
struct Hinge {
  double sign = 1;
  static constexpr bool second_is_zero = true;

  template <class T>
  DUEL_HD T value(T x) const {
    const T margin = T(1) - T(sign) * x;
    return margin < T(0) ? T(0) : margin;  // a NaN logit stays NaN
  }
  template <class T>
  DUEL_HD T first(T x) const {
    const T margin = T(1) - T(sign) * x;
    return margin > T(0) ? T(-sign) : margin <= T(0) ? T(0) : margin;  // margin is NaN last
  }
  template <class T>
  DUEL_HD T second(T) const {
    return T(0);
  }
};

/// factor * (x - target)^2; least-squares GAN (Mao et al. 2016) has factor 1/2.
struct SquaredDifference {
  double target = 0;
  double factor = 0.5;
  static constexpr bool second_is_zero = false;

  template <class T>
  DUEL_HD T value(T x) const {
    const T d = x - T(target);
    return T(factor) * d * d;
  }
  template <class T>
  DUEL_HD T first(T x) const {
    return T(2 * factor) * (x - T(target));
  }
  template <class T>
  DUEL_HD T second(T) const {
    return T(2 * factor);
  }
};

/// sign * x: the critic minimizes mean f - mean r (Arjovsky et al. 2017), so sign = -1 for real, +1 for fake.
struct WassersteinMean {
  double sign = 1;
  static constexpr bool second_is_zero = true;

  template <class T>
  DUEL_HD T value(T x) const {
    return T(sign) * x;
  }
  template <class T>
  DUEL_HD T first(T) const {
    return T(sign);
  }
  template <class T>
  DUEL_HD T second(T) const {
    return T(0);
  }
};

// What f-divergences are made of (Nowozin et al. 2016, arXiv:1606.00709, table 6), and the saturating loss.

/// slope x + offset.
struct LinearLoss {
  double slope = 1, offset = 0;
  static constexpr bool second_is_zero = true;

  template <class T>
  DUEL_HD T value(T x) const {
    return T(slope) * x + T(offset);
  }
  template <class T>
  DUEL_HD T first(T) const {
    return T(slope);
  }
  template <class T>
  DUEL_HD T second(T) const {
    return T(0);
  }
};

/// exp(rate x + shift) + offset.
struct ExponentialLoss {
  double rate = 1, shift = 0, offset = 0;
  static constexpr bool second_is_zero = false;

  template <class T>
  DUEL_HD T power(T x) const {
    return math::exp(T(rate) * x + T(shift));
  }
  template <class T>
  DUEL_HD T value(T x) const {
    return power(x) + T(offset);
  }
  template <class T>
  DUEL_HD T first(T x) const {
    return T(rate) * power(x);
  }
  template <class T>
  DUEL_HD T second(T x) const {
    return T(rate * rate) * power(x);
  }
};

/// size softplus(sign x) + offset, sign 1 or -1.
struct SoftplusLoss {
  double size = 1, sign = 1, offset = 0;
  static constexpr bool second_is_zero = false;

  template <class T>
  DUEL_HD T value(T x) const {
    return T(size) * math::softplus(T(sign) * x) + T(offset);
  }
  template <class T>
  DUEL_HD T first(T x) const {
    return T(size * sign) * math::sigmoid(T(sign) * x);
  }
  template <class T>
  DUEL_HD T second(T x) const {
    return T(size) * (math::sigmoid(x) * math::sigmoid(-x));
  }
};

/// w^2 / 4 + w with w = max(x, floor): the conjugate of (u - 1)^2, whose supremum over u >= 0 lies at 0 below -2.
struct PearsonConjugate {
  double floor = -2;
  static constexpr bool second_is_zero = false;

  template <class T>
  DUEL_HD T value(T x) const {
    const T w = x < T(floor) ? T(floor) : x;  // not-a-number stays
    return T(0.25) * w * w + w;
  }
  template <class T>
  DUEL_HD T first(T x) const {
    return x < T(floor) ? T(0) : T(0.5) * x + T(1);
  }
  template <class T>
  DUEL_HD T second(T x) const {
    return x < T(floor) ? T(0) : T(0.5);
  }
};

/// (y^(a / (a - 1)) - 1) / a with y = (1 - a) softplus(-x), a < 1 and not 0: the conjugate of the alpha-divergence behind
/// its output activation.
struct AlphaConjugate {
  double alpha = 0.5;
  static constexpr bool second_is_zero = false;

  template <class T>
  DUEL_HD T base(T x) const {
    return T(1 - alpha) * math::softplus(-x);
  }
  template <class T>
  DUEL_HD T value(T x) const {
    return (math::pow(base(x), T(alpha / (alpha - 1))) - T(1)) / T(alpha);
  }
  template <class T>
  DUEL_HD T first(T x) const {
    return math::sigmoid(-x) * math::pow(base(x), T(1 / (alpha - 1)));
  }
  template <class T>
  DUEL_HD T second(T x) const {
    const T y = base(x), below = math::sigmoid(-x);
    return below * (below * math::pow(y, T(1 / (alpha - 1) - 1)) -
                    math::sigmoid(x) * math::pow(y, T(1 / (alpha - 1))));
  }
};

/// The same for a > 1: y = max(0, (a - 1) x + 1).
struct AlphaRampConjugate {
  double alpha = 2;
  static constexpr bool second_is_zero = false;

  template <class T>
  DUEL_HD T base(T x) const {
    const T y = T(alpha - 1) * x + T(1);
    return y < T(0) ? T(0) : y;
  }
  template <class T>
  DUEL_HD T value(T x) const {
    return (math::pow(base(x), T(alpha / (alpha - 1))) - T(1)) / T(alpha);
  }
  template <class T>
  DUEL_HD T first(T x) const {
    return math::pow(base(x), T(1 / (alpha - 1)));
  }
  template <class T>
  DUEL_HD T second(T x) const {
    const T y = base(x);
    return y <= T(0) ? T(0) : math::pow(y, T(1 / (alpha - 1) - 1));
  }
};

/// Every loss that losses.cu instantiates (for float and double).
#define DUEL_LOSSES(LOSS) \
  LOSS(SigmoidBce)        \
  LOSS(Hinge)             \
  LOSS(SquaredDifference) \
  LOSS(WassersteinMean)   \
  LOSS(LinearLoss)        \
  LOSS(ExponentialLoss)   \
  LOSS(SoftplusLoss) LOSS(PearsonConjugate) LOSS(AlphaConjugate) LOSS(AlphaRampConjugate)

/// Scratch elements (of T) that loss_value_grad needs for n logits.
int64_t loss_workspace(int64_t n);

/// *value = (sum_i loss.value(x_i)) / divisor and grad[i] = loss.first(x_i) / divisor, one pass over logits
/// [n]. value is one element; grad [n] may be null or the logits themselves; n = 0 gives value 0.
template <class L, class T>
void loss_value_grad(Stream stream, int64_t n, const T* logits, L loss, std::type_identity_t<T> divisor,
                     T* value, std::type_identity_t<T>* grad, T* workspace);

/// One of the losses, chosen while the program runs.
struct AnyLoss {
#define DUEL_LOSS_KIND(L) L,
  enum class Kind { DUEL_LOSSES(DUEL_LOSS_KIND) none };
#undef DUEL_LOSS_KIND
  Kind kind = Kind::none;
  double a = 0, b = 0, c = 0;  ///< the loss's numbers, in order of its members
};
template <class L>
AnyLoss any_loss_of(AnyLoss::Kind kind, const L& loss) {
  if constexpr (sizeof(L) == sizeof(double)) {
    const auto& [a] = loss;
    return {kind, a};
  } else if constexpr (sizeof(L) == 2 * sizeof(double)) {
    const auto& [a, b] = loss;
    return {kind, a, b};
  } else {
    const auto& [a, b, c] = loss;
    return {kind, a, b, c};
  }
}
#define DUEL_ANY_LOSS(L) \
  inline AnyLoss any_loss(const L& loss) { return any_loss_of(AnyLoss::Kind::L, loss); }
DUEL_LOSSES(DUEL_ANY_LOSS)
#undef DUEL_ANY_LOSS
/// The loss again, of which `any` was made.
template <class L>
DUEL_HD L loss_of(const AnyLoss& any) {
  if constexpr (sizeof(L) == sizeof(double)) {
    return L{any.a};
  } else if constexpr (sizeof(L) == 2 * sizeof(double)) {
    return L{any.a, any.b};
  } else {
    return L{any.a, any.b, any.c};
  }
}

/// Calls f with the loss as what it is; on the host.
template <class F>
auto with_loss(const AnyLoss& any, F f) {
  switch (any.kind) {
#define DUEL_LOSS_CASE(L) \
  case AnyLoss::Kind::L:  \
    return f(loss_of<L>(any));
    DUEL_LOSSES(DUEL_LOSS_CASE)
#undef DUEL_LOSS_CASE
    case AnyLoss::Kind::none:
      break;
  }
  fail("loss", "expected one of the fused losses");
}

/// What a side's logits are compared with before their loss is taken (Jolicoeur-Martineau 2018, arXiv:1807.00734).
enum class Against { nothing, partner, mean };

/// One side of a batch: n logits, the loss of each, and where the derivative by each goes (may be null).
template <class T>
struct LossSide {
  int64_t n = 0;
  const T* logits = nullptr;
  AnyLoss loss = {};
  T* grad = nullptr;
};

/// Both sides' losses and gradients. For logits r of `one` and f of `other`:
///   nothing   mean one(r) + mean other(f): the bits of two loss_value_grad and a sum
///   partner   mean one(r - f), of equal numbers; other's loss has no part
///   mean      (mean one(r - mean f) + mean other(f - mean r)) / 2
/// Both sides have logits. One launch of one block, whatever their number; for sides of more than 8,192 logits that stand
/// alone, launches of more. The workspace is loss_of_sides_workspace(one.n, other.n) elements.
template <class T>
void loss_of_sides(Stream stream, Against against, const LossSide<T>& one, const LossSide<T>& other, T* value,
                   T* workspace);
int64_t loss_of_sides_workspace(int64_t one, int64_t other);

/// The second-order product out[i] = g[i] * loss.second(x_i) / divisor, for the backward of grad above: g [n]
/// is the cotangent of grad. out may be g.
template <class L, class T>
void loss_d2(Stream stream, int64_t n, const T* logits, L loss, std::type_identity_t<T> divisor, const T* g,
             T* out);

#define DUEL_DECLARE_LOSS(L)                                                                             \
  extern template void loss_value_grad(Stream, int64_t, const float*, L, float, float*, float*, float*); \
  extern template void loss_value_grad(Stream, int64_t, const double*, L, double, double*, double*,      \
                                       double*);                                                         \
  extern template void loss_d2(Stream, int64_t, const float*, L, float, const float*, float*);           \
  extern template void loss_d2(Stream, int64_t, const double*, L, double, const double*, double*);
DUEL_LOSSES(DUEL_DECLARE_LOSS)
#undef DUEL_DECLARE_LOSS

}  // namespace duel::kernels
