// Optimizers: five steps against PyTorch, folded clip and EMA against their definitions, exact resume, many
// parameters.
#include "duel/nn/optim/optim.h"

#include "tests/nn/helpers.h"

namespace duel::nn {
namespace {

template <class Optim, class Options>
void check(const std::string& name, Options options) {
  Linear layer = small_linear();
  Optim optimizer(layer, options);
  for (int t = 0; t < 5; ++t) optimizer.step(wave_grads(layer, 10 + t));
  expect_pytorch(layer.weight, name + ".weight");
  expect_pytorch(layer.bias, name + ".bias");
  EXPECT_EQ(optimizer.steps(), 5);
}

TEST(Optim, MatchesPyTorchOverFiveSteps) {
  check<SGD>("sgd", SGDOptions{.lr = 0.1});
  check<SGD>("sgd_momentum", SGDOptions{.lr = 0.1, .momentum = 0.9, .dampening = 0.3, .weight_decay = 0.05});
  check<SGD>("sgd_nesterov", SGDOptions{.lr = 0.1, .momentum = 0.8, .nesterov = true});
  check<RMSProp>("rmsprop", RMSPropOptions{});
  check<RMSProp>("rmsprop_momentum",
                 RMSPropOptions{.lr = 0.02, .alpha = 0.9, .weight_decay = 0.05, .momentum = 0.7});
  check<Adam>("adam", AdamOptions{});
  check<Adam>("adam_gan", AdamOptions{.lr = 0.02, .betas = {0.5, 0.9}, .eps = 1e-4, .weight_decay = 0.05});
}

// Daskalakis et al. 2018, algorithm 1, a line each: the steps of both moments, their corrections, the step twice and the one
// before taken back.
TEST(Optim, OptimisticAdamFollowsItsAlgorithm) {
  const double lr = 0.02, beta1 = 0.5, beta2 = 0.9, eps = 1e-4;
  Linear layer = small_linear();
  OptimisticAdam optimizer(layer, {.lr = lr, .betas = {beta1, beta2}, .eps = eps});
  std::vector<double> theta = layer.weight.to_vector<double>(), m(theta.size()), v(theta.size()),
                      before(theta.size());
  for (int t = 1; t <= 5; ++t) {
    const auto gradients = wave_grads(layer, 10 + t);
    const auto g = gradients[0].to_vector<double>();
    optimizer.step(gradients);
    for (size_t i = 0; i < theta.size(); ++i) {
      m[i] = beta1 * m[i] + (1 - beta1) * g[i];
      v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
      const double m_hat = m[i] / (1 - std::pow(beta1, t)), v_hat = v[i] / (1 - std::pow(beta2, t));
      const double now = m_hat / (std::sqrt(v_hat) + eps);
      theta[i] = theta[i] - 2 * lr * now + lr * before[i];
      before[i] = now;
    }
    expect_close(layer.weight, theta, "weight");
  }
}

TEST(Optim, F32FollowsF64) {
  Linear exact = small_linear(), fast = small_linear();
  fast.to(DType::f32);
  Adam a(exact, {.lr = 0.01}), b(fast, {.lr = 0.01});
  for (int t = 0; t < 5; ++t) {
    a.step(wave_grads(exact, t));
    b.step(wave_grads(fast, t));
  }
  expect_close(fast.weight, exact.weight.to_vector<double>(), "weight", 1e-6);
}

TEST(Optim, LeafGradientsAndZeroGrad) {
  Linear a = small_linear(), b = small_linear();
  SGD by_list(a, {.lr = 0.5}), by_leaf(b, {.lr = 0.5});
  const Tensor x = wave({4, 3}, 0);
  by_list.step(grad({sum(square(a(x)))}, a.parameters()));
  backward(sum(square(b(x))));
  by_leaf.step();
  expect_same_bits(a.weight.detach(), b.weight.detach());
  expect_same_bits(a.bias.detach(), b.bias.detach());
  by_leaf.zero_grad();
  const Tensor before = b.weight.clone();
  EXPECT_NE(error_of([&] { by_leaf.step(); }), "");  // forgotten
  expect_same_bits(b.weight.detach(), before.detach());
}

TEST(Optim, UndefinedGradientCountsAsZero) {
  Linear a = small_linear(), b = small_linear();
  Adam adam_a(a), adam_b(b);
  for (int t = 0; t < 3; ++t) {
    auto grads = wave_grads(a, t);
    grads[1] = t == 1 ? Tensor() : grads[1];
    adam_a.step(grads);
    if (t == 1) grads[1] = Tensor::zeros({2}, {DType::f64, {}});
    adam_b.step(grads);
  }
  expect_same_bits(a.bias.detach(), b.bias.detach());
}

TEST(Optim, LearningRateCanChange) {
  Linear a = small_linear();
  SGD sgd(a, {.lr = 0.1});
  sgd.set_lr(0.0);
  EXPECT_EQ(sgd.lr(), 0.0);
  const Tensor before = a.weight.clone();
  sgd.step(wave_grads(a, 0));
  expect_same_bits(a.weight.detach(), before);
  sgd.set_lr(1.0);
  const auto g = wave_grads(a, 1);
  sgd.step(g);
  expect_same_bits(a.weight.detach(), before - g[0]);
}

TEST(Optim, ClipIsFoldedIn) {
  Linear clipped = small_linear(), plain = small_linear();
  RMSProp a(clipped, {.lr = 0.05}), b(plain, {.lr = 0.05});
  a.set_clip(0.3);
  for (int t = 0; t < 3; ++t) {
    a.step(wave_grads(clipped, t));
    b.step(wave_grads(plain, t));
    NoGrad no_grad;
    for (const Tensor& p : plain.parameters()) p.copy_(clamp_max(clamp_min(p, -0.3), 0.3));
  }
  expect_same_bits(clipped.weight.detach(), plain.weight.detach());
  expect_same_bits(clipped.bias.detach(), plain.bias.detach());
  EXPECT_EQ(max(abs(clipped.weight.detach()).reshape({-1}), 0).item(), 0.3);
}

TEST(Optim, EmaFollowsItsDefinition) {
  Sequential net(Linear(3, 2), BatchNorm1d(2));
  net.to(DType::f64);
  set_parameters(net);
  Adam adam(net, {.lr = 0.1});
  EXPECT_FALSE(adam.ema().defined());
  EXPECT_NE(error_of([&] { adam.ema_state_dict(net); }), "");
  adam.set_ema(0.9);
  auto expected = net.at<Linear>(0).weight.to_vector<double>();
  for (int t = 0; t < 4; ++t) {
    if (t == 2) adam.set_ema(0.5);  // the decay changes, the average goes on
    const double decay = t < 2 ? 0.9 : 0.5;
    adam.step(wave_grads(net, t));
    const auto now = net.at<Linear>(0).weight.to_vector<double>();
    for (size_t i = 0; i < now.size(); ++i) expected[i] = decay * expected[i] + (1 - decay) * now[i];
  }
  net(wave({4, 3}, 0));  // running statistics
  const StateDict average = adam.ema_state_dict(net);
  ASSERT_EQ(average.size(), 7u);
  EXPECT_EQ(average[0].first, "0.weight");
  expect_close(average[0].second, expected, "0.weight");
  expect_same_bits(average[4].second, net.at<BatchNorm1d>(1).running_mean);
  EXPECT_EQ(adam.ema().shape(), adam.arena().flat().shape());
  Sequential copy(Linear(3, 2), BatchNorm1d(2));
  copy.to(DType::f64);
  copy.load_state_dict(average);
  expect_close(copy.at<Linear>(0).weight, expected, "loaded");
  EXPECT_NE(net.at<Linear>(0).weight.to_vector<double>(), expected);
  expect_mentions(error_of([&] { adam.ema_state_dict(copy); }), {"4 of its 4"});
}

/// Trains with both halves of Adam, clip and EMA in use.
void train(Module& net, Optimizer& optimizer, int from, int to) {
  for (int t = from; t < to; ++t) optimizer.step(wave_grads(net, t));
}

template <class Optim, class Options>
void check_resume(Options options) {
  const auto make = [] {
    Sequential net(Linear(3, 5), Linear(5, 1));
    set_parameters(net);
    return net;
  };
  Sequential whole = make(), first = make(), second = make();
  Optim a(whole, options), b(first, options);
  a.set_ema(0.9);
  b.set_ema(0.9);
  train(whole, a, 0, 3);
  a.set_lr(0.02);
  train(whole, a, 3, 6);
  train(first, b, 0, 3);
  b.set_lr(0.02);
  StateDict weights = first.state_dict(), state = b.state_dict();
  for (auto& [name, tensor] : weights) tensor = tensor.clone();
  for (auto& [name, tensor] : state) tensor = tensor.clone();
  train(first, b, 3, 4);  // what was saved is independent of what goes on

  second.load_state_dict(weights);
  Optim c(second, options);
  c.set_ema(0.5);
  c.load_state_dict(state);
  c.set_ema(0.9);
  EXPECT_EQ(c.steps(), 3);
  EXPECT_EQ(c.lr(), 0.02);
  train(second, c, 3, 6);
  expect_same_bits(a.arena().flat(), c.arena().flat());
  expect_same_bits(a.ema(), c.ema());
  const StateDict end_a = a.state_dict(), end_c = c.state_dict();
  ASSERT_EQ(end_a.size(), end_c.size());
  for (size_t i = 0; i < end_a.size(); ++i)
    expect_same_bits(end_a[i].second, end_c[i].second, end_a[i].first);
}

TEST(Optim, ResumeIsExact) {
  check_resume<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9, .dampening = 0.5});
  check_resume<RMSProp>(RMSPropOptions{.lr = 0.01, .momentum = 0.5});
  check_resume<Adam>(AdamOptions{.lr = 0.01, .betas = {0.5, 0.999}});
  check_resume<AdamW>(AdamWOptions{.lr = 0.01, .betas = {0.5, 0.999}});
  check_resume<OptimisticAdam>(AdamOptions{.lr = 0.01, .betas = {0.5, 0.999}});
}

TEST(Optim, StateDictNamesAndErrors) {
  Linear layer(3, 2);
  Adam adam(layer);
  std::vector<std::string> names;
  for (const auto& [name, tensor] : adam.state_dict()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"step", "lr", "weight.exp_avg", "weight.exp_avg_sq",
                                             "bias.exp_avg", "bias.exp_avg_sq"}));
  adam.step(wave_grads(layer, 0));
  const Tensor before = adam.state_dict()[2].second.clone();
  StateDict bad = adam.state_dict();
  for (auto& [name, tensor] : bad) tensor = Tensor::zeros(tensor.shape(), tensor.options());
  bad[3].second = Tensor::zeros({3, 2});
  bad[4].first = "bias.ema";
  expect_mentions(error_of([&] { adam.load_state_dict(bad); }),
                  {"weight.exp_avg_sq is f32 [2, 3] here and f32 [3, 2]", "missing: bias.exp_avg",
                   "unexpected: bias.ema"});
  expect_same_bits(adam.state_dict()[2].second, before);
  EXPECT_EQ(adam.steps(), 1);
}

TEST(Optim, MoreThan64Parameters) {
  Sequential many;
  for (int i = 0; i < 70; ++i) many.push_back(Linear(i % 3 + 1, i % 5 + 1));  // 140 parameters, ragged sizes
  std::vector<Linear> singles;
  for (int i = 0; i < 70; ++i) {
    singles.push_back(Linear(i % 3 + 1, i % 5 + 1));
    singles.back().load_state_dict(many[static_cast<size_t>(i)].state_dict());
  }
  Adam adam(many, {.lr = 0.1});
  std::vector<std::unique_ptr<Adam>> references;
  for (Linear& single : singles) references.push_back(std::make_unique<Adam>(single, AdamOptions{.lr = 0.1}));
  for (int t = 0; t < 3; ++t) {
    const auto grads = wave_grads(many, t);
    adam.step(grads);
    for (size_t i = 0; i < singles.size(); ++i) references[i]->step({grads[2 * i], grads[2 * i + 1]});
  }
  for (size_t i = 0; i < singles.size(); ++i) {
    expect_same_bits(many.at<Linear>(i).weight.detach(), singles[i].weight.detach(), std::to_string(i));
    expect_same_bits(many.at<Linear>(i).bias.detach(), singles[i].bias.detach(), std::to_string(i));
  }
  // The zeros between the parameters stayed zero.
  double total = 0;
  for (const Tensor& p : many.parameters()) total += sum(square(p.to(DType::f64))).item();
  EXPECT_NEAR(sum(square(adam.arena().flat().to(DType::f64))).item(), total, 1e-12 * total);
}

TEST(Optim, TwoDtypesAtOnce) {
  auto exact = std::make_shared<Linear>(3, 2);
  exact->to(DType::f64);
  Sequential net(Linear(3, 2), exact);
  set_parameters(net);
  Linear a(3, 2), b(3, 2);
  b.to(DType::f64);
  a.load_state_dict(net[0].state_dict());
  b.load_state_dict(net[1].state_dict());
  Adam both(net), only_a(a), only_b(b);
  both.set_ema(0.5);
  for (int t = 0; t < 2; ++t) {
    const auto grads = wave_grads(net, t);
    both.step(grads);
    only_a.step({grads[0], grads[1]});
    only_b.step({grads[2], grads[3]});
  }
  expect_same_bits(net.at<Linear>(0).weight.detach(), a.weight.detach());
  expect_same_bits(exact->weight.detach(), b.weight.detach());
  EXPECT_EQ(both.ema(1).dtype(), DType::f64);
  EXPECT_FALSE(both.ema(2).defined());
}

TEST(Optim, MistakesAreNamed) {
  Linear layer(3, 2);
  Adam adam(layer);
  expect_mentions(error_of([&] { adam.step({Tensor::ones({2, 3})}); }), {"2 parameters", "got 1"});
  expect_mentions(error_of([&] { adam.step({Tensor::ones({3, 2}), Tensor()}); }), {"weight", "[3, 2]"});
  expect_mentions(error_of([&] { adam.step({wave({2, 3}, 0), Tensor()}); }), {"weight", "f64"});
  EXPECT_EQ(adam.steps(), 0);
  EXPECT_NE(error_of([&] { adam.set_lr(-1); }), "");
  EXPECT_NE(error_of([&] { adam.set_clip(-1); }), "");
  EXPECT_NE(error_of([&] { adam.set_ema(1.5); }), "");
  EXPECT_NE(error_of([&] { Adam(layer, {.lr = -1}); }), "");
  EXPECT_NE(error_of([&] { Adam(layer, {.betas = {1.0, 0.9}}); }), "");
  EXPECT_NE(error_of([&] { SGD(layer, {.nesterov = true}); }), "");
  EXPECT_NE(error_of([&] { RMSProp(layer, {.eps = -1}); }), "");
  layer.to(DType::f64);
  expect_mentions(error_of([&] { adam.step(wave_grads(layer, 0)); }), {"weight", "moved"});
  Sequential empty{ReLU()};
  Adam nothing(empty);
  nothing.step(std::vector<Tensor>{});
}

// Adam's second moment never shrinks a step below its scale: on a quadratic it arrives.
TEST(Optim, TrainsALine) {
  manual_seed(3);
  Linear layer(1, 1);
  Adam adam(layer, {.lr = 0.05});
  const Tensor x = Generator(1).uniform({64, 1}, -1.0, 1.0), target = x * 2.0 + 0.5;
  for (int t = 0; t < 400; ++t) adam.step(grad({mean(square(layer(x) - target))}, layer.parameters()));
  EXPECT_NEAR(layer.weight.item(), 2.0, 1e-3);
  EXPECT_NEAR(layer.bias.item(), 0.5, 1e-3);
}

}  // namespace
}  // namespace duel::nn
