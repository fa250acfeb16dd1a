// Dropout: in training every element is zero with probability p and scaled by 1 / (1 - p) otherwise; nothing
// in evaluation. As torch.nn.Dropout.
//
// Every training forward draws a new mask, so two passes over one input differ: a penalty sees the mask of
// its own pass.
#pragma once

#include "duel/core/tensor/random.h"
#include "duel/nn/module/module.h"

namespace duel::nn {

class Dropout : public Module {
 public:
  /// Draws from default_generator() of the calling thread.
  explicit Dropout(double p = 0.5);
  /// Draws from `generator`, which must outlive the layer.
  Dropout(double p, Generator& generator);
  Tensor forward(const Tensor& x) override;
  /// Linear in x for the mask of one pass.
  bool second_derivative_zero() const override { return true; }
  std::string describe() const override;

  double p;

 protected:
  std::shared_ptr<Module> make_like() const override {
    return generator_ ? std::make_shared<Dropout>(p, *generator_) : std::make_shared<Dropout>(p);
  }

 private:
  Generator* generator_ = nullptr;  // null: the default one
};

}  // namespace duel::nn
