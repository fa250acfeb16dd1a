// Identity, Flatten and Unflatten, as in torch.nn: what changes no value.
//
// Example:  nn::Sequential g(nn::Linear(100, 128 * 7 * 7), nn::Unflatten(1, {128, 7, 7}), …);
#pragma once

#include <typeinfo>

#include "duel/nn/module/module.h"

namespace duel::nn {

/// Its input: a place in a network that is left empty.
class Identity : public Module {
 public:
  Tensor forward(const Tensor& x) override { return x; }
  bool only_reshapes() const override { return typeid(*this) == typeid(Identity); }
  bool second_derivative_zero() const override { return true; }
  std::string describe() const override { return "Identity()"; }

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<Identity>(); }
};

/// Joins the axes start_dim … end_dim; negative ones count from the end.
class Flatten : public Module {
 public:
  explicit Flatten(int start = 1, int end = -1) : start_dim(start), end_dim(end) {}
  Tensor forward(const Tensor& x) override;
  bool only_reshapes() const override { return typeid(*this) == typeid(Flatten) && start_dim >= 1; }
  bool second_derivative_zero() const override { return true; }
  std::string describe() const override;
  int start_dim, end_dim;

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<Flatten>(start_dim, end_dim); }
};

/// Splits the axis `dim` into `unflattened_size`.
class Unflatten : public Module {
 public:
  Unflatten(int axis, const Shape& sizes) : dim(axis), unflattened_size(sizes) {}
  /// Axis 1, the one after the batch.
  explicit Unflatten(const Shape& sizes) : Unflatten(1, sizes) {}
  Tensor forward(const Tensor& x) override;
  bool only_reshapes() const override { return typeid(*this) == typeid(Unflatten) && dim >= 1; }
  bool second_derivative_zero() const override { return true; }
  std::string describe() const override;
  int dim;
  Shape unflattened_size;

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<Unflatten>(dim, unflattened_size);
  }
};

}  // namespace duel::nn
