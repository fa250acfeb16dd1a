// Layers whose pass changes them, in a checkpoint: they change once, and the second run sees what the first saw.
#include "duel/core/engine/checkpoint.h"

#include "tests/nn/helpers.h"
#include "tests/tensors.h"

namespace duel::nn {
namespace {

using testing::same_bits;

/// Two passes of one network, a backward, and all that is different then.
std::vector<Tensor> trained(bool checkpointed) {
  manual_seed(5);
  Generator masks(9);
  Sequential net(SpectralNorm(Linear(6, 8)), BatchNorm1d(8), LeakyReLU(0.2), Dropout(0.5),
                 Dropout(0.3, masks), SpectralNorm(Linear(8, 1)));
  const auto pass = [&](const Tensor& x) {
    const auto f = [&net](const std::vector<Tensor>& in) { return net(in[0]); };
    return checkpointed ? checkpoint(f, {x}) : f({x});
  };
  const Tensor real = wave({8, 6}, 0, DType::f32), fake = wave({8, 6}, 2, DType::f32).set_requires_grad(true);
  const Tensor on_real = pass(real), on_fake = pass(fake);
  const Tensor loss = mean(softplus(neg(on_real))) + mean(softplus(on_fake));
  backward(loss);
  std::vector<Tensor> all{loss, fake.grad(), masks.uniform({2}), rand({2})};
  for (const Tensor& parameter : net.parameters()) all.push_back(parameter.grad());
  for (const auto& [name, buffer] : net.named_buffers()) all.push_back(buffer);
  return all;
}

TEST(Checkpoint, LayersThatChangeDoSoOnce) {
  const auto with = trained(true), without = trained(false);
  ASSERT_EQ(with.size(), without.size());
  for (size_t i = 0; i < with.size(); ++i) {
    // Of spectral norm's weights, which a pass uses more than once, two passes' gradients have another order of terms.
    if (i == 5 || i == 9) {
      EXPECT_TRUE(allclose(with[i], without[i], 1e-5, 1e-7)) << "result " << i;
    } else {
      EXPECT_TRUE(same_bits(with[i], without[i])) << "result " << i;
    }
  }
}

TEST(Checkpoint, RunningStatisticsInEvaluation) {
  BatchNorm1d norm(6);
  set_parameters(norm);
  norm(wave({8, 6}, 1, DType::f32));
  norm.eval();
  const Tensor x = wave({8, 6}, 0, DType::f32).set_requires_grad(true);
  const auto f = [&norm](const std::vector<Tensor>& in) { return norm(in[0]); };
  const Tensor y = checkpoint(f, {x});
  expect_same_bits(y, f({x}));
  expect_same_bits(grad({sum(y)}, {x, norm.weight})[1], grad({sum(f({x}))}, {x, norm.weight})[1]);
}

}  // namespace
}  // namespace duel::nn
