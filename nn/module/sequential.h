// Sequential: layers one after the other, named "0", "1", … as in torch.nn.Sequential.
//
// Example, one training step (layers: duel/nn/layers.h, optimizers: duel/nn/optim/optim.h, ops:
// duel/core/ops.h):
//   using namespace duel;
//   manual_seed(1);
//   nn::Sequential d(nn::Linear(784, 256), nn::LeakyReLU(0.2), nn::Linear(256, 1));
//   nn::Adam optimizer(d, {.lr = 2e-4, .betas = {0.5, 0.999}});
//   Tensor x = Generator(7).uniform({64, 784}, -1.0, 1.0);
//   for (int i = 0; i < 100; ++i) {
//     Tensor loss = bce_with_logits(d(x), 1.0);
//     optimizer.step(grad({loss}, d.parameters()));
//   }
//   for (const auto& [name, tensor] : d.state_dict()) std::puts((name + " " + to_text(tensor)).c_str());
#pragma once

#include <typeinfo>

#include "duel/nn/module/module_list.h"

namespace duel::nn {

/// A ModuleList that calls its layers in turn. It hands on one tensor, so layers that take several belong into
/// a ModuleList and the forward() of its owner.
class Sequential : public ModuleList {
 public:
  Sequential() = default;
  /// Takes layers by value (they are moved in) or by shared pointer. A Sequential alone is moved, not nested.
  template <detail::NotItself<Sequential> Layer>
  explicit Sequential(Layer&& layer) {
    push_back(std::forward<Layer>(layer));
  }
  template <class First, class Second, class... Rest>
  Sequential(First&& first, Second&& second, Rest&&... rest)
      : ModuleList(std::forward<First>(first), std::forward<Second>(second), std::forward<Rest>(rest)...) {}

  Tensor forward(const Tensor& x) override;
  bool second_derivative_zero() const override { return children_second_derivative_zero(); }
  bool mixes_samples() const override {
    return typeid(*this) == typeid(Sequential) ? children_mix_samples() : Module::mixes_samples();
  }

 protected:
  std::shared_ptr<Module> make_like() const override { return filled(std::make_shared<Sequential>()); }
  const char* type() const override { return "Sequential"; }
};

}  // namespace duel::nn
