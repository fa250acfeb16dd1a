// How products and convolutions end: in an activation, or multiplied by a slope. Internal to core/ops/.
#pragma once

#include <initializer_list>

#include "duel/core/ops/map/internal/slopes.h"
#include "duel/kernels/map/finish.h"

namespace duel::detail {

/// Results of a rule multiplied by the slope that it took; null: as they are.
template <class T>
kernels::Finish<T> finish_by(const Slope* slope) {
  if (slope == nullptr) return {};
  return {.f = slope->f, .slope_at = slope->x.data<T>()};
}

/// The results of an op that may end in an activation, and where both are. What the activation was taken of is kept
/// only where a backward will ask for it.
class Ending {
 public:
  Ending(const Activation& f, const Shape& shape, const Tensor& like, std::initializer_list<Tensor> inputs)
      : f_(f) {
    bool kept = !f;
    for (const Tensor& input : inputs) kept |= tracked(input);
    if (kept) before_ = Tensor::empty(shape, like.options());
    if (f) value_ = Tensor::empty(shape, like.options());
  }
  template <class T>
  T* results() const {
    return before_.defined() ? before_.mutable_data<T>() : nullptr;
  }
  template <class T>
  kernels::Finish<T> finish() const {
    if (!f_) return {};
    return {.f = f_, .value = value_.mutable_data<T>()};
  }
  /// What the op itself gives, for record().
  const Tensor& recorded() const { return before_.defined() ? before_ : value_; }
  /// The op's result, once that is recorded.
  Tensor activated() const {
    return f_ && before_.defined() ? record_activation(f_, before_, value_) : recorded();
  }

 private:
  Activation f_;
  Tensor before_, value_;
};

}  // namespace duel::detail
