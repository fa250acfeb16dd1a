// AdamW, parameter groups, schedules of the rate and clipping of gradients against PyTorch.
#include "duel/nn/optim/clip_grad.h"
#include "duel/nn/optim/lr_schedule.h"
#include "tests/nn/helpers.h"

namespace duel::nn {
namespace {

void check_five_steps(const std::string& name, Linear& layer, Optimizer& optimizer) {
  for (int t = 0; t < 5; ++t) optimizer.step(wave_grads(layer, 10 + t));
  expect_pytorch(layer.weight, name + ".weight");
  expect_pytorch(layer.bias, name + ".bias");
}

TEST(AdamW, MatchesPyTorchOverFiveSteps) {
  Linear a = small_linear(), b = small_linear();
  AdamW plain(a), other(b, {.lr = 0.02, .betas = {0.5, 0.9}, .eps = 1e-4, .weight_decay = 0.3});
  check_five_steps("adamw", a, plain);
  check_five_steps("adamw_gan", b, other);
  // Without decay it is Adam, bit for bit.
  Linear c = small_linear(), d = small_linear();
  AdamW idle(c, {.weight_decay = 0});
  Adam adam(d);
  for (int t = 0; t < 5; ++t) {
    idle.step(wave_grads(c, t));
    adam.step(wave_grads(d, t));
  }
  expect_same_bits(c.weight.detach(), d.weight.detach());
}

TEST(Groups, HaveTheirOwnRateAndDecay) {
  Linear a = small_linear(), b = small_linear();
  Adam adam(a, {.lr = 0.02, .weight_decay = 0.3});
  EXPECT_EQ(adam.add_param_group({.params = {a.bias}, .lr = 0.1, .weight_decay = 0.0}), 1u);
  EXPECT_EQ(adam.group_count(), 2u);
  EXPECT_EQ(adam.lr(), 0.02);
  EXPECT_EQ(adam.lr(1), 0.1);
  check_five_steps("adam_groups", a, adam);
  SGD sgd(b, {.lr = 0.1, .momentum = 0.9});
  sgd.add_param_group({.params = {b.weight}, .weight_decay = 0.5});
  check_five_steps("sgd_groups", b, sgd);
  EXPECT_EQ(sgd.steps(), 5);
}

// A group with the optimizer's own options changes no bit, wherever it is cut, with clip, average and frozen
// layers.
TEST(Groups, LikeTheRestChangeNothing) {
  const auto run = [](bool grouped) {
    Sequential net(Linear(3, 5), Linear(5, 4), Linear(4, 1));
    set_parameters(net);
    Adam adam(net, {.lr = 0.01, .weight_decay = 0.1});
    adam.set_clip(0.8);
    adam.set_ema(0.9, true);
    if (grouped) {
      adam.add_param_group({.params = net[1].parameters()});
      adam.add_param_group({.params = {net.at<Linear>(0).bias, net.at<Linear>(2).weight}});
    }
    for (int t = 0; t < 6; ++t) {
      net[1].set_requires_grad(t != 3);
      adam.step(wave_grads(net, t));
    }
    return std::pair{adam.arena().flat().to_vector<float>(), adam.ema().to_vector<float>()};
  };
  EXPECT_EQ(run(true), run(false));
}

TEST(Groups, StateCarriesEveryRate) {
  Linear a = small_linear(), b = small_linear();
  Adam first(a, {.lr = 0.02}), second(b, {.lr = 0.5});
  first.add_param_group({.params = {a.bias}, .lr = 0.1});
  first.step(wave_grads(a, 0));
  first.set_lr(0.07, 1);
  StateDict state = first.state_dict(), weights = a.state_dict();
  EXPECT_EQ(state[2].first, "lr.1");
  for (auto& [name, tensor] : state) tensor = tensor.clone();
  expect_mentions(error_of([&] { second.load_state_dict(state); }), {"unexpected: lr.1"});
  second.add_param_group({.params = {b.bias}, .lr = 0.3});
  second.load_state_dict(state);
  b.load_state_dict(weights);
  EXPECT_EQ(second.lr(), 0.02);
  EXPECT_EQ(second.lr(1), 0.07);
  EXPECT_EQ(second.steps(), 1);
  first.step(wave_grads(a, 1));
  second.step(wave_grads(b, 1));
  expect_same_bits(a.bias.detach(), b.bias.detach());
  expect_same_bits(a.weight.detach(), b.weight.detach());
  // A group that comes late is as far as the others.
  Linear c = small_linear(), d = small_linear();
  Adam late(c, {.lr = 0.02}), whole(d, {.lr = 0.02});
  late.step(wave_grads(c, 0));
  whole.step(wave_grads(d, 0));
  late.add_param_group({.params = {c.weight}});
  late.step(wave_grads(c, 1));
  whole.step(wave_grads(d, 1));
  expect_same_bits(c.weight.detach(), d.weight.detach());
  EXPECT_EQ(late.steps(), 2);
}

TEST(Groups, TheFirstBadStepIsKnownWhicheverItIsIn) {
  Linear a = small_linear();
  Adam adam(a);
  adam.add_param_group({.params = {a.bias}});
  adam.step(wave_grads(a, 0));
  auto grads = wave_grads(a, 0);
  grads[1] = Tensor::full({2}, std::nan(""), {DType::f64, {}});
  adam.step(grads);
  EXPECT_EQ(adam.first_nonfinite_step(), 2);
}

TEST(Groups, MistakesAreNamed) {
  Linear layer = small_linear(), other = small_linear();
  Adam adam(layer);
  adam.add_param_group({.params = {layer.bias}});
  expect_mentions(error_of([&] { adam.add_param_group({.params = {layer.bias}}); }),
                  {"no group yet", "bias"});
  expect_mentions(error_of([&] {
                    adam.add_param_group({.params = {layer.weight, layer.weight}});
                  }),
                  {"no group yet", "weight"});
  expect_mentions(error_of([&] { adam.add_param_group({.params = {other.bias}}); }), {"of the module"});
  EXPECT_NE(error_of([&] { adam.add_param_group({}); }), "");
  EXPECT_NE(error_of([&] { adam.add_param_group({.params = {layer.weight}, .lr = -1.0}); }), "");
  EXPECT_EQ(adam.group_count(), 2u);
  expect_mentions(error_of([&] { adam.lr(2); }), {"one of 2 groups, got 2"});
  expect_mentions(error_of([&] { adam.set_lr(0.1, 2); }), {"one of 2 groups"});
}

template <class Make>
void check_schedule(const std::string& name, const Make& make) {
  Sequential net(Linear(1, 1, {.bias = false}), Linear(1, 1, {.bias = false}));
  SGD sgd(net, {.lr = 0.2});
  sgd.add_param_group({.params = net[1].parameters(), .lr = 0.05});
  const auto schedule = make(sgd);
  std::vector<double> rates;
  for (int t = 0; t < 11; ++t) {
    for (const double rate : schedule->get_last_lr()) rates.push_back(rate);
    schedule->step();
  }
  expect_close(Tensor::from(rates, {22}), kPyTorch.at(name), name, 1e-14);
  EXPECT_EQ(schedule->last_epoch(), 11);
}

TEST(Schedules, MatchPyTorch) {
  check_schedule("step_lr", [](Optimizer& o) { return std::make_unique<StepLR>(o, 3, 0.5); });
  check_schedule("linear_lr", [](Optimizer& o) { return std::make_unique<LinearLR>(o); });
  check_schedule("linear_lr_down", [](Optimizer& o) { return std::make_unique<LinearLR>(o, 1.0, 0.0, 8); });
  check_schedule("cosine_lr", [](Optimizer& o) { return std::make_unique<CosineAnnealingLR>(o, 5, 0.01); });
  check_schedule("lambda_lr", [](Optimizer& o) {
    return std::make_unique<LambdaLR>(o, [](int64_t n) { return 1.0 / static_cast<double>(1 + n); });
  });
}

TEST(Schedules, GoOnFromTheirState) {
  Linear a = small_linear(), b = small_linear();
  SGD first(a, {.lr = 0.4}), second(b, {.lr = 0.1});
  CosineAnnealingLR one(first, 10), other(second, 10);
  for (int t = 0; t < 4; ++t) one.step();
  other.load_state_dict(one.state_dict());
  EXPECT_EQ(second.lr(), first.lr());
  one.step();
  other.step();
  EXPECT_EQ(second.lr(), first.lr());
  EXPECT_EQ(other.last_epoch(), 5);
}

TEST(Schedules, MistakesAreNamedAndChangeNothing) {
  Linear layer = small_linear();
  SGD sgd(layer, {.lr = 0.4});
  StepLR schedule(sgd, 2);
  expect_mentions(error_of([&] {
                    schedule.load_state_dict({{"last_epoch", Tensor::from({1}, {})}});
                  }),
                  {"last_epoch i64 [] and base_lrs f64 [1]"});
  EXPECT_NE(error_of([&] { StepLR(sgd, 0); }), "");
  EXPECT_NE(error_of([&] { CosineAnnealingLR(sgd, 0); }), "");
  EXPECT_NE(error_of([&] { LinearLR(sgd, 1.0, 1.0, 0); }), "");
  LambdaLR bad(sgd, [](int64_t n) { return n < 1 ? 1.0 : -1.0; });
  expect_mentions(error_of([&] { bad.step(); }), {"for step 1"});
  EXPECT_EQ(bad.last_epoch(), 0);
  EXPECT_EQ(sgd.lr(), 0.4);
  sgd.add_param_group({.params = {layer.bias}});
  expect_mentions(error_of([&] { schedule.step(); }), {"add them before the schedule"});
}

/// Leaves the gradients of PyTorch's example in a layer's parameters.
void give_gradients(Linear& layer) {
  layer.zero_grad();
  const auto grads = wave_grads(layer, 10);
  backward(sum(layer.weight * grads[0]) + sum(layer.bias * grads[1]));
}

TEST(ClipGrad, NormMatchesPyTorch) {
  Linear layer = small_linear();
  for (const auto& [name, limit] : {std::pair{"clip_norm", 0.5}, std::pair{"clip_norm_idle", 100.0}}) {
    const std::string key = name;
    give_gradients(layer);
    expect_pytorch(clip_grad_norm_(layer.parameters(), limit), key + ".total");
    expect_pytorch(layer.weight.grad(), key + ".d_weight");
    expect_pytorch(layer.bias.grad(), key + ".d_bias");
    const auto clipped = clipped_by_norm(wave_grads(layer, 10), limit);
    expect_pytorch(clipped[0], key + ".d_weight");
    expect_pytorch(clipped[1], key + ".d_bias");
  }
}

TEST(ClipGrad, ValuesAndWhatHasNoGradient) {
  Linear layer = small_linear();
  EXPECT_EQ(clip_grad_norm_(layer.parameters(), 1.0).item(), 0);
  give_gradients(layer);
  const auto before = layer.weight.grad().to_vector<double>();
  clip_grad_value_(layer.parameters(), 0.25);
  const auto after = layer.weight.grad().to_vector<double>();
  for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(after[i], std::clamp(before[i], -0.25, 0.25));
  const auto clipped = clipped_by_value({Tensor(), Tensor::from({-3.0, 0.1}, {2})}, 0.25);
  EXPECT_FALSE(clipped[0].defined());
  expect_close(clipped[1], {-0.25, 0.1}, "value");
  EXPECT_FALSE(clipped_by_norm({Tensor()}, 1.0)[0].defined());
  EXPECT_NE(error_of([&] { clip_grad_norm_(layer.parameters(), -1); }), "");
  EXPECT_NE(error_of([&] { clip_grad_value_(layer.parameters(), -1); }), "");
}

// Two leaves of a sum share one gradient tensor: it is scaled once.
TEST(ClipGrad, ASharedGradientIsScaledOnce) {
  Tensor a = Tensor::ones({2}).set_requires_grad(true), b = Tensor::ones({2}).set_requires_grad(true);
  backward(sum((a + b) * 3.0));
  clip_grad_norm_({a, b}, 3.0);
  for (const Tensor& leaf : {a, b}) {
    for (const float v : leaf.grad().to_vector<float>()) EXPECT_NEAR(v, 1.5, 1e-5);
  }
}

// A gradient with a graph keeps it, and an order that does not exist is an error, not a missing term.
TEST(ClipGrad, IsNotSilentlyConstant) {
  const Tensor x = Tensor::ones({2}).set_requires_grad(true);
  const Tensor g = grad({sum(x * x)}, {x}, {}, {.create_graph = true})[0];
  expect_mentions(error_of([&] { grad({sum(clipped_by_norm({g}, 1.0)[0])}, {x}); }),
                  {"gradient_norms is not implemented"});
  EXPECT_EQ(sum(grad({sum(clipped_by_value({g}, 5.0)[0])}, {x})[0]).item(), 4);
}

}  // namespace
}  // namespace duel::nn
