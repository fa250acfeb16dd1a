// Lookahead against its definition, and the two optimizers that are made for games on the smallest one, min over x and max
// over y of x y, which descent leaves in a spiral and Adam circles.
#include "duel/nn/optim/lookahead.h"

#include <complex>

#include "duel/nn/optim/optim.h"
#include "tests/nn/helpers.h"

namespace duel::nn {
namespace {

// s += alpha (f - s), f = s every second step, by hand; moments go on, and the slow weights are not the fast ones' memory.
TEST(Lookahead, FollowsItsDefinition) {
  Linear layer = small_linear(), plain = small_linear();
  SGD fast(layer, {.lr = 0.1, .momentum = 0.9}), other(plain, {.lr = 0.1, .momentum = 0.9});
  Lookahead lookahead(fast.arena(), 0.3);
  std::vector<double> slow = layer.weight.to_vector<double>();
  for (int t = 1; t <= 6; ++t) {
    fast.step(wave_grads(layer, t));
    other.step(wave_grads(plain, t));
    if (t % 2 != 0) continue;
    lookahead.pull_back();
    const auto there = plain.weight.to_vector<double>();
    for (size_t i = 0; i < slow.size(); ++i) slow[i] += 0.3 * (there[i] - slow[i]);
    NoGrad no_grad;
    plain.weight.copy_(Tensor::from(slow, plain.weight.shape()));
    plain.bias.copy_(layer.bias);
    expect_close(layer.weight, slow, "fast");
    expect_close(lookahead.state_dict()[0].second, slow, "slow");
  }
  fast.step(wave_grads(layer, 7));
  expect_close(lookahead.state_dict()[0].second, slow, "the slow weights stay between");
}

TEST(Lookahead, GoesOnFromItsState) {
  Linear whole = small_linear(), half = small_linear();
  Adam a(whole, {.lr = 0.1}), b(half, {.lr = 0.1});
  Lookahead slow_a(a.arena(), 0.5), slow_b(b.arena(), 0.5);
  const auto train = [](Linear& net, Adam& adam, Lookahead& slow, int from, int to) {
    for (int t = from; t < to; ++t) {
      adam.step(wave_grads(net, t));
      if ((t + 1) % 3 == 0) slow.pull_back();
    }
  };
  train(whole, a, slow_a, 0, 9);
  train(half, b, slow_b, 0, 4);  // between two times
  Linear again = small_linear();
  again.load_state_dict(half.state_dict());
  Adam c(again, {.lr = 0.1});
  Lookahead slow_c(c.arena(), 0.5);
  c.load_state_dict(b.state_dict());
  slow_c.load_state_dict(slow_b.state_dict());
  train(again, c, slow_c, 4, 9);
  expect_same_bits(a.arena().flat(), c.arena().flat());
  expect_same_bits(slow_a.state_dict()[0].second, slow_c.state_dict()[0].second);
}

TEST(Lookahead, MistakesAreNamed) {
  Linear layer = small_linear();
  expect_mentions(error_of([&] { Lookahead(layer, 0.0); }), {"alpha in (0, 1]", "got 0"});
  expect_mentions(error_of([&] { Lookahead(layer, 1.5); }), {"alpha in (0, 1]", "got 1.5"});
  Lookahead slow(layer, 0.5);
  StateDict state = slow.state_dict();
  for (auto& [name, tensor] : state) tensor = Tensor::zeros(tensor.shape(), tensor.options());
  StateDict bad = state;
  bad[1].first = "other";
  expect_mentions(error_of([&] { slow.load_state_dict(bad); }), {"bias", "missing"});
  bad = state;
  bad[1].second = Tensor::zeros({3}, {DType::f64, {}});
  expect_mentions(error_of([&] { slow.load_state_dict(bad); }), {"bias", "f64 [2]", "f64 [3]"});
  bad.pop_back();
  expect_mentions(error_of([&] { slow.load_state_dict(bad); }), {"expected 2 slow weights, got 1"});
  expect_close(slow.state_dict()[0].second, layer.weight.to_vector<double>(), "nothing was changed");
}

// ---- The bilinear game ----

/// Both players' steps from the same point, x down and y up; `each` after every step. Returns |(x, y)|, from |(1, 1/2)|.
template <class Optim, class Options, class Each>
double game(Options options, int steps, Each each) {
  Linear x(1, 1, {.bias = false}), y(1, 1, {.bias = false});
  for (Linear* player : {&x, &y}) player->to(DType::f64);
  {
    NoGrad no_grad;
    x.weight.fill_(1.0);
    y.weight.fill_(0.5);
  }
  Optim of_x(x, options), of_y(y, options);
  const auto after_each = each(of_x, of_y);
  for (int t = 1; t <= steps; ++t) {
    const Tensor down = y.weight.detach().clone(), up = x.weight.detach() * -1.0;
    of_x.step({down});
    of_y.step({up});
    after_each(t);
  }
  return std::hypot(x.weight.item(), y.weight.item());
}

template <class Optim, class Options>
double game(Options options, int steps) {
  return game<Optim>(options, steps, [](Optimizer&, Optimizer&) { return [](int) {}; });
}

TEST(BilinearGame, OptimisticAdamConvergesWhereAdamCircles) {
  const AdamOptions options{.lr = 0.02, .betas = {0.0, 0.999}};
  EXPECT_GT(game<Adam>(options, 4000), 1.0);
  EXPECT_LT(game<OptimisticAdam>(options, 4000), 1e-6);
}

// A step multiplies the point, as a complex number, by 1 + i lr; ten steps and the way back by 1/2 (1 + (1 + i lr)^10).
TEST(BilinearGame, LookaheadConvergesWhereDescentDiverges) {
  const double lr = 0.1;
  const int k = 10, steps = 600;
  const SGDOptions options{.lr = lr};
  const double start = std::hypot(1.0, 0.5);
  const double alone = game<SGD>(options, steps);
  EXPECT_NEAR(alone, start * std::pow(std::hypot(1.0, lr), steps), 1e-9 * alone);
  EXPECT_GT(alone, 20);
  const double back = game<SGD>(options, steps, [&](Optimizer& x, Optimizer& y) {
    return [of_x = std::make_shared<Lookahead>(x.arena(), 0.5),
            of_y = std::make_shared<Lookahead>(y.arena(), 0.5), k](int t) {
      if (t % k != 0) return;
      of_x->pull_back();
      of_y->pull_back();
    };
  });
  const double factor = std::abs(0.5 * (1.0 + std::pow(std::complex<double>(1.0, lr), k)));
  EXPECT_LT(factor, 1);
  EXPECT_NEAR(back, start * std::pow(factor, steps / k), 1e-9);
}

}  // namespace
}  // namespace duel::nn
