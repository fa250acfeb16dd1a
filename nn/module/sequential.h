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

#include "duel/nn/module/module.h"

namespace duel::nn {

class Sequential;
namespace detail {
template <class T>
concept NotSequential = !std::same_as<std::remove_cvref_t<T>, Sequential>;
}

class Sequential : public Module {
 public:
  Sequential() = default;
  /// Takes layers by value (they are moved in) or by shared pointer. A Sequential alone is moved, not nested.
  template <detail::NotSequential Layer>
  explicit Sequential(Layer&& layer) {
    push_back(std::forward<Layer>(layer));
  }
  template <class First, class Second, class... Rest>
  Sequential(First&& first, Second&& second, Rest&&... rest) {
    push_back(std::forward<First>(first));
    push_back(std::forward<Second>(second));
    (push_back(std::forward<Rest>(rest)), ...);
  }

  template <std::derived_from<Module> Layer>
  void push_back(Layer layer) {
    push_back(std::shared_ptr<Module>(std::make_shared<Layer>(std::move(layer))));
  }
  void push_back(std::shared_ptr<Module> layer);

  size_t size() const { return named_children().size(); }
  /// The i-th layer; Error when there are fewer.
  Module& operator[](size_t i) const;
  /// The i-th layer as what it is: net.at<Linear>(0).weight. Error when it is something else.
  template <std::derived_from<Module> Layer>
  Layer& at(size_t i) const {
    auto* layer = dynamic_cast<Layer*>(&(*this)[i]);
    if (layer == nullptr) wrong_type(i);
    return *layer;
  }

  Tensor forward(const Tensor& x) override;
  bool second_derivative_zero() const override { return children_second_derivative_zero(); }
  std::string describe() const override { return describe_children("Sequential"); }

 private:
  [[noreturn]] void wrong_type(size_t i) const;
};

}  // namespace duel::nn
