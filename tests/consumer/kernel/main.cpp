// An op of one's own around a kernel of one's own: recorded, with a rule in differentiable ops, so of every order.
#include <cmath>
#include <cstdio>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "softsign.h"

using namespace duel;

Tensor softsign(const Tensor& x) {
  DUEL_CHECK(x.dtype() == DType::f32, "softsign", "expected f32, got {}", x);
  Tensor y = Tensor::empty(x.shape(), x.options());
  ::softsign(stream_of(x.device()), x.numel(), x.data<float>(), y.mutable_data<float>());
  return record("softsign", y, {x}, {x}, [](const RuleContext& ctx, const Tensor& g) -> std::vector<Tensor> {
    return {g / square(abs(ctx.saved(0)) + 1.0)};
  });
}

int main() {
  const Device device = is_available(Device::cuda()) ? Device::cuda() : Device::cpu();
  Tensor x = Tensor::from({-3.f, -0.5f, 0.25f, 2.f}, {4}, device).set_requires_grad(true);
  Tensor dx = grad({sum(softsign(x))}, {x}, {}, {.create_graph = true})[0];
  Tensor d2x = grad({sum(dx)}, {x})[0];
  bool right = true;
  for (int i = 0; i < 4; ++i) {
    const double v = x.to_vector<double>()[i], a = 1 + std::abs(v);
    right = right && std::abs(softsign(x).to_vector<double>()[i] - v / a) < 1e-6 &&
            std::abs(dx.to_vector<double>()[i] - 1 / (a * a)) < 1e-6 &&
            std::abs(d2x.to_vector<double>()[i] + (v < 0 ? -2 : 2) / (a * a * a)) < 1e-6;
  }
  std::printf("softsign on %s: %s\n", to_text(device).c_str(),
              right ? "value and two derivatives agree" : "WRONG");
  return right ? 0 : 1;
}
