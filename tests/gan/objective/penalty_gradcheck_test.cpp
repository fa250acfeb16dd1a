// d(penalty)/d(weights), which training follows, by central differences in f64: every penalty shape ×
// sampling × activation × network. Worst relative errors go into the table of gan/objective/proofs.md (how:
// proofs.h).
//
// What is differenced contains nothing of gan/objective/penalty.cpp: norms are plain sums over the critic's
// input gradient, each row below says its shape once more as a formula of those norms, and the derivative is
//   (8 (F(w + h) - F(w - h)) - (F(w + 2h) - F(w - 2h))) / 12 h        (error h^4, h = 2e-4)
// for every single weight and bias. A gradient through only one of the two passes, a norm over the wrong
// axes, or a term of the second derivative that is missing fails.
//
// Note [No kink within a difference]
// A penalty's weight gradient holds phi' and phi'', which jump at 0 for relu, leaky_relu (phi') and elu
// (phi''); one-sided shapes have a kink at K, those of the worst sample where two norms are equal. Every
// activation is therefore watched: seeds are tried until no input of one lies within 0.01 of 0, no norm
// within 0.01 of the shapes' K, and the two largest norms are 0.01 apart; and while differences are taken the
// signs of all these numbers must be those of the centre, or the test fails. Sampling needs no such care:
// points are constants of the weights (clipping them has no part in the derivative).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "duel/core/engine/internal/mutation.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/objective/penalty.h"
#include "duel/nn/layers.h"
#include "proofs.h"
#include "tests/tensors.h"

namespace duel::gan {
namespace {

using duel::testing::kF64;
constexpr double kStep = 2e-4, kMargin = 0.01, kTolerance = 1e-8;
using Norms = std::vector<double>;

struct ShapeRow {
  PenaltyShape shape;
  double (*of_norms)(const Norms&);  // the penalty of a batch, weight 1
};
double mean_of(const Norms& norms, double (*f)(double)) {
  double total = 0;
  for (double n : norms) total += f(n);
  return total / static_cast<double>(norms.size());
}
/// One more shape is one more row; kinks at other norms than K go into kKinks.
const ShapeRow kShapes[] = {
    {one_centered(1.0),
     [](const Norms& n) { return mean_of(n, [](double v) { return (v - 1) * (v - 1); }); }},
    {one_centered(0.3),
     [](const Norms& n) { return mean_of(n, [](double v) { return (v - 0.3) * (v - 0.3); }); }},
    {zero_centered(), [](const Norms& n) { return mean_of(n, [](double v) { return v * v; }); }},
    {one_sided(0.25),
     [](const Norms& n) {
       return mean_of(n, [](double v) { return v > 0.25 ? (v - 0.25) * (v - 0.25) : 0.0; });
     }},
    {power(6), [](const Norms& n) { return mean_of(n, [](double v) { return v * v * v * v * v * v; }); }},
    {power(2.5), [](const Norms& n) { return mean_of(n, [](double v) { return std::pow(v, 2.5); }); }},
    {worst_of(zero_centered()),
     [](const Norms& n) { return std::pow(*std::max_element(n.begin(), n.end()), 2); }},
    {worst_of(one_sided(0.25)),
     [](const Norms& n) { return std::pow(std::max(0.0, *std::max_element(n.begin(), n.end()) - 0.25), 2); }},
};
constexpr double kKinks[] = {0.25};

const PenaltySampling kSamplings[] = {on_lines(), at_real(), at_fake(), around_real(),
                                      around_real_two_sided()};

/// An activation that reports the signs of its inputs and how near they come to 0.
struct Watch {
  std::vector<bool> signs;
  double nearest = 1e300;
  void see(double value) {
    signs.push_back(value > 0);
    nearest = std::min(nearest, std::abs(value));
  }
};
class Watched : public nn::Module {
 public:
  Watched(std::shared_ptr<nn::Module> activation, Watch* watch)
      : activation_(register_module("activation", std::move(activation))), watch_(watch) {}
  Tensor forward(const Tensor& x) override {
    for (double v : x.to_vector<double>()) watch_->see(v);
    return activation_->forward(x);
  }

 private:
  std::shared_ptr<nn::Module> activation_;
  Watch* watch_;
};

struct ActivationRow {
  const char* name;
  std::shared_ptr<nn::Module> (*make)();  // null: none
  bool kink;
};
const ActivationRow kActivations[] = {
    {"linear", [] { return std::shared_ptr<nn::Module>(); }, false},
    {"relu", []() -> std::shared_ptr<nn::Module> { return std::make_shared<nn::ReLU>(); }, true},
    {"leaky_relu", []() -> std::shared_ptr<nn::Module> { return std::make_shared<nn::LeakyReLU>(0.2); },
     true},
    {"elu", []() -> std::shared_ptr<nn::Module> { return std::make_shared<nn::ELU>(1.3); }, true},
    {"tanh", []() -> std::shared_ptr<nn::Module> { return std::make_shared<nn::Tanh>(); }, false},
    {"softplus", []() -> std::shared_ptr<nn::Module> { return std::make_shared<nn::Softplus>(); }, false},
    {"gelu", []() -> std::shared_ptr<nn::Module> { return std::make_shared<nn::GELU>(); }, false},
};

using Activation = std::function<void(nn::Sequential&)>;  // appends one
struct CheckedNetwork {
  const char* name;
  Shape sample;
  void (*build)(nn::Sequential&, const Activation&);
};
const CheckedNetwork kNetworks[] = {
    {"MLP",
     {4},
     [](nn::Sequential& net, const Activation& activation) {
       net.push_back(nn::Linear(4, 5));
       activation(net);
       net.push_back(nn::Linear(5, 3));
       activation(net);
       net.push_back(nn::Linear(3, 1));
     }},
    {"conv",
     {1, 5, 4},
     [](nn::Sequential& net, const Activation& activation) {
       net.push_back(nn::Conv2d(1, 2, 3, {.stride = 2, .padding = 1}));
       activation(net);
       net.push_back(nn::Conv2d(2, 2, 2));
       activation(net);
       net.push_back(nn::Flatten());
       net.push_back(nn::Linear(4, 1));
     }},
    {"conv + layer norm",
     {1, 5, 4},
     [](nn::Sequential& net, const Activation& activation) {
       net.push_back(nn::Conv2d(1, 2, 3, {.stride = 2, .padding = 1}));
       net.push_back(nn::LayerNorm({2, 3, 2}));
       activation(net);
       net.push_back(nn::Flatten());
       net.push_back(nn::Linear(12, 1));
     }},
    {"conv + instance norm",
     {1, 5, 4},
     [](nn::Sequential& net, const Activation& activation) {
       net.push_back(nn::Conv2d(1, 2, 3, {.stride = 2, .padding = 1}));
       net.push_back(nn::InstanceNorm2d(2, {.affine = true}));
       activation(net);
       net.push_back(nn::Flatten());
       net.push_back(nn::Linear(12, 1));
     }},
    {"spectral norm",
     {1, 5, 4},
     [](nn::Sequential& net, const Activation& activation) {
       net.push_back(nn::SpectralNorm(nn::Conv2d(1, 2, 3, {.stride = 2, .padding = 1})));
       activation(net);
       net.push_back(nn::Flatten());
       net.push_back(nn::SpectralNorm(nn::Linear(12, 2)));
       activation(net);
       net.push_back(nn::SpectralNorm(nn::Linear(2, 1)));
     }},
};

struct DrawnCritic {
  nn::Sequential net;
  Watch watch;
};

std::unique_ptr<DrawnCritic> make_critic(const CheckedNetwork& network, const ActivationRow& activation,
                                         Generator& random) {
  auto critic = std::make_unique<DrawnCritic>();
  network.build(critic->net, [&](nn::Sequential& net) {
    if (auto layer = activation.make()) net.push_back(Watched(std::move(layer), &critic->watch));
  });
  critic->net.to(DType::f64);
  NoGrad writing;
  for (const Tensor& p : critic->net.parameters()) p.copy_(random.normal(p.shape(), 0.2, 0.8, kF64));
  // Spectral norm: u and v settle, then rest in evaluation, so that the output is one function of the
  // weights.
  for (int i = 0; i < 10; ++i) critic->net(Tensor::zeros(network.sample.inserted(0), kF64));
  critic->net.eval();
  return critic;
}

/// ‖∇ₓ D‖ per sample by plain sums.
Norms norms_at(nn::Module& critic, const Tensor& points) {
  const Tensor x = points.detach().set_requires_grad(true);
  const auto g = grad({sum(critic(x))}, {x})[0].to_vector<double>();
  const size_t m = static_cast<size_t>(points.shape().numel_from(1));
  Norms norms(static_cast<size_t>(points.dim(0)));
  for (size_t i = 0; i < g.size(); ++i) norms[i / m] += g[i] * g[i];
  for (double& n : norms) n = std::sqrt(n);
  return norms;
}

/// The norms, with everything that must not change its sign noted in the critic's watch.
Norms watched_norms(DrawnCritic& critic, const Tensor& points, bool activations) {
  critic.watch = {};
  const Norms norms = norms_at(critic.net, points);
  if (!activations) critic.watch = {};
  for (size_t i = 0; i < norms.size(); ++i) {
    critic.watch.see(norms[i]);  // itself a norm: no derivative at 0
    for (const double k : kKinks) critic.watch.see(norms[i] - k);
    for (size_t j = 0; j < i; ++j) {  // equal up to rounding: D is linear, and no maximum changes hands
      if (std::abs(norms[i] - norms[j]) > 1e-12) critic.watch.see(norms[i] - norms[j]);
    }
  }
  return norms;
}

struct Errors {
  std::vector<double> relative, largest;  // per row of kShapes
};

/// gradient_penalty's weight gradients against differences, in every weight.
Errors weight_gradient_errors(DrawnCritic& critic, const Tensor& points, bool activations) {
  const Norms centre = watched_norms(critic, points, activations);
  const std::vector<bool> signs = critic.watch.signs;
  const std::vector<Tensor> parameters = critic.net.parameters();
  std::vector<std::vector<Tensor>> gradients;
  for (const ShapeRow& row : kShapes) {
    const Tensor value = gradient_penalty(critic.net, points, row.shape, 2.5).value;
    EXPECT_NEAR(value.item(), 2.5 * row.of_norms(centre), 1e-12 * (1 + value.item())) << row.shape.name;
    gradients.push_back(grad({value}, parameters, {}, {.allow_unused = true}));
  }
  const size_t shapes = std::size(kShapes);
  std::vector<double> worst(shapes, 0.0), largest(shapes, 0.0);
  for (size_t k = 0; k < parameters.size(); ++k) {
    for (int64_t i = 0; i < parameters[k].numel(); ++i) {
      const double kept = parameters[k].data<double>()[i];
      const auto moved = [&](double by) {
        parameters[k].mutable_data<double>()[i] = kept + by;
        const Norms norms = watched_norms(critic, points, activations);
        EXPECT_EQ(critic.watch.signs, signs) << "a kink lies within the difference";
        return norms;
      };
      const Norms up = moved(kStep), down = moved(-kStep), up2 = moved(2 * kStep), down2 = moved(-2 * kStep);
      parameters[k].mutable_data<double>()[i] = kept;
      for (size_t s = 0; s < shapes; ++s) {
        const auto f = kShapes[s].of_norms;
        const double numeric = 2.5 * (8 * (f(up) - f(down)) - (f(up2) - f(down2))) / (12 * kStep);
        const Tensor& g = gradients[s][k];
        worst[s] = std::max(worst[s], std::abs((g.defined() ? g.data<double>()[i] : 0.0) - numeric));
        largest[s] = std::max(largest[s], std::abs(numeric));
      }
    }
  }
  for (size_t s = 0; s < shapes; ++s) worst[s] /= largest[s];
  return {worst, largest};
}

/// Worst error of each case of this process, for the table.
std::map<std::string, double>& recorded() {
  static std::map<std::string, double> errors;
  return errors;
}
std::string key(const PenaltyShape& shape, const PenaltySampling& sampling, const CheckedNetwork& network) {
  return shape.name + "|" + sampling.name + "|" + network.name;
}

class PenaltyGradcheck : public ::testing::TestWithParam<std::tuple<int, int>> {
 public:
  static void TearDownTestSuite();
};

TEST_P(PenaltyGradcheck, EveryShapeAndSampling) {
  const CheckedNetwork& network = kNetworks[std::get<0>(GetParam())];
  const ActivationRow& activation = kActivations[std::get<1>(GetParam())];
  const Shape batch = network.sample.inserted(0, 3);

  for (const PenaltySampling& sampling : kSamplings) {
    SCOPED_TRACE(std::string(network.name) + ", " + activation.name + ", " + sampling.name);
    std::unique_ptr<DrawnCritic> critic;
    Tensor points;
    Norms norms;
    uint64_t seed = 0;
    do {
      ASSERT_LT(++seed, 500u) << "no seed keeps its distance from every kink";
      Generator random(seed, 17);
      critic = make_critic(network, activation, random);
      const Tensor real = random.uniform(batch, -0.9, 0.9, kF64),
                   fake = random.uniform(batch, -0.9, 0.9, kF64);
      points = sampling.points(real, fake, random);
      norms = watched_norms(*critic, points, activation.kink);
      // A one-sided shape shows something only where a norm lies above its K.
    } while (critic->watch.nearest < kMargin || *std::max_element(norms.begin(), norms.end()) < kKinks[0]);

    const Errors errors = weight_gradient_errors(*critic, points, activation.kink);
    for (size_t s = 0; s < std::size(kShapes); ++s) {
      EXPECT_GT(errors.largest[s], 1e-5) << kShapes[s].shape.name << ": this case shows nothing";
      EXPECT_LT(errors.relative[s], kTolerance) << kShapes[s].shape.name;
      double& noted = recorded()[key(kShapes[s].shape, sampling, network)];
      noted = std::max(noted, errors.relative[s]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, PenaltyGradcheck,
                         ::testing::Combine(::testing::Range(0, static_cast<int>(std::size(kNetworks))),
                                            ::testing::Range(0, static_cast<int>(std::size(kActivations)))),
                         [](const auto& parameter) {
                           std::string name = std::string(kNetworks[std::get<0>(parameter.param)].name) +
                                              "_" + kActivations[std::get<1>(parameter.param)].name;
                           std::erase_if(name, [](char c) { return c == '+'; });
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

std::string gradcheck_table() {
  std::string table = "| penalty at points |", line = "|---|";
  for (const CheckedNetwork& network : kNetworks) {
    table += " " + std::string(network.name) + " |";
    line += "---|";
  }
  table += "\n" + line + "\n";
  for (const ShapeRow& row : kShapes) {
    for (const PenaltySampling& sampling : kSamplings) {
      table += "| " + row.shape.name + ", " + sampling.name + " |";
      for (const CheckedNetwork& network : kNetworks) {
        char cell[32];
        std::snprintf(cell, sizeof cell, " %.1e |", recorded()[key(row.shape, sampling, network)]);
        table += cell;
      }
      table += "\n";
    }
  }
  return table;
}

void PenaltyGradcheck::TearDownTestSuite() { duel::testing::publish("penalty-gradcheck", gradcheck_table()); }

// gan/objective/proofs.md has a row for every penalty and sampling, a column for every network, and no error
// beyond what is accepted.
TEST(PenaltyGradcheckItself, PublishedTableIsWhole) {
  if (duel::testing::publishing()) GTEST_SKIP() << "it is being written";
  const auto shown = duel::testing::published("penalty-gradcheck"),
             wanted = duel::testing::table_cells(gradcheck_table());
  EXPECT_EQ(duel::testing::columns(shown, {0}), duel::testing::columns(wanted, {0}));
  ASSERT_FALSE(shown.empty());
  EXPECT_EQ(shown[0], wanted[0]);
  for (size_t r = 1; r < shown.size(); ++r) {
    ASSERT_EQ(shown[r].size(), wanted[0].size()) << shown[r][0];
    for (size_t c = 1; c < shown[r].size(); ++c) {
      const double error = std::stod(shown[r][c]);
      EXPECT_TRUE(error > 0 && error < kTolerance) << shown[r][0] << ": " << shown[r][c];
    }
  }
}

// The check must see each way in which weights enter: without one of the terms of the second derivative it
// fails.
TEST(PenaltyGradcheckItself, NoticesAMissingTerm) {
  struct Missing {
    const char* op;  // whose gradient in input 0 is dropped
    int network, activation;
    bool (*notices)(const PenaltyShape&) = [](const PenaltyShape&) { return true; };
  };
  const auto in_one_op = [](const PenaltyShape& shape) { return shape.name.starts_with("one_"); };
  const auto by_norms = [](const PenaltyShape& shape) {
    return !shape.of_squares && !shape.name.starts_with("one_");
  };
  const auto by_squares = [](const PenaltyShape& shape) { return shape.of_squares != nullptr; };
  for (const auto& [op, network, activation, notices] :
       {Missing{"norm_penalty", 0, 4, in_one_op}, Missing{"sample_norm", 0, 4, by_norms},
        Missing{"square", 0, 4, by_squares}, Missing{"tanh_backward", 0, 4},
        Missing{"softplus_backward", 1, 5}, Missing{"gelu_backward", 4, 6}, Missing{"elu_backward", 2, 3}}) {
    Generator random(3, 17);
    const auto critic = make_critic(kNetworks[network], kActivations[activation], random);
    const Tensor points = random.uniform(kNetworks[network].sample.inserted(0, 3), -0.9, 0.9, kF64);
    duel::testing::set_mutation({op, 0, 0.0});
    const Errors errors = weight_gradient_errors(*critic, points, false);
    EXPECT_GT(duel::testing::mutations_applied(), 0) << op;
    duel::testing::set_mutation({});
    for (size_t s = 0; s < std::size(kShapes); ++s) {
      if (!notices(kShapes[s].shape)) continue;
      EXPECT_GT(errors.relative[s], 1e-3) << op << ", " << kShapes[s].shape.name;
    }
  }
}

// D(x) = w x + b: the gradient is w at every point, so the penalty is shape(‖w‖), its gradient shape'(‖w‖) w
// / ‖w‖, whatever the points; for one_centered(K) that is (‖w‖ - K)^2.
TEST(PenaltyClosedForm, LinearCriticAtAnyPoints) {
  const std::vector<double> w{1.5, 0, -2};  // norm 2.5
  nn::Sequential critic(nn::Linear(3, 1));
  critic.to(DType::f64);
  critic.load_state_dict({{"0.weight", Tensor::from(w, {1, 3})}, {"0.bias", Tensor::from({0.3}, {1})}});
  Generator random(5);
  for (const int64_t batch : {1, 2, 9}) {
    const Tensor real = random.normal({batch, 3}, 0, 1, kF64), fake = random.normal({batch, 3}, 0, 30, kF64);
    for (const ShapeRow& row : kShapes) {
      const auto at = [&](double n) { return row.of_norms(Norms(static_cast<size_t>(batch), n)); };
      const double slope = (at(2.5 + 1e-4) - at(2.5 - 1e-4)) / 2e-4;
      for (const PenaltySampling& sampling : kSamplings) {
        const auto result = gradient_penalty(critic, sampling.points(real, fake, random), row.shape, 10.0);
        EXPECT_NEAR(result.value.item(), 10 * at(2.5), 1e-11 * (1 + at(2.5)))
            << row.shape.name << " " << sampling.name;
        EXPECT_NEAR(result.mean_norm.item(), 2.5, 1e-12);
        const auto g = grad({result.value}, critic.parameters(), {}, {.allow_unused = true});
        for (size_t i = 0; i < 3; ++i) {
          EXPECT_NEAR(g[0].to_vector<double>()[i], 10 * slope * w[i] / 2.5, 1e-6 * (1 + slope))
              << row.shape.name;
        }
        EXPECT_TRUE(!g[1].defined() || g[1].item() == 0) << "the bias does not enter";
      }
    }
  }
}

// The square of a norm is smooth: at a gradient of exactly 0 its second derivative in the weights is 2 (D(x)
// = w . x: the penalty is |w|^2). Taken of the norm, whose derivative counts as 0 there, it comes out as 0.
TEST(PenaltyClosedForm, TheSquareHasItsSecondDerivativeAtAGradientOfZero) {
  for (const PenaltyShape& shape : {zero_centered(), power(2), worst_of(zero_centered())}) {
    for (const double w0 : {0.0, 3.0}) {
      nn::Sequential critic(nn::Linear(2, 1, {.bias = false}));
      critic.to(DType::f64);
      critic.load_state_dict({{"0.weight", Tensor::from({w0, 0.0}, {1, 2})}});
      const std::vector<Tensor> w = critic.parameters();
      const auto result = gradient_penalty(critic, Tensor::ones({3, 2}, kF64), shape, 5.0);
      EXPECT_NEAR(result.value.item(), 5 * w0 * w0, 1e-13);
      EXPECT_NEAR(result.mean_norm.item(), w0, 1e-14);
      const Tensor first = grad({result.value}, w, {}, {.create_graph = true})[0];
      EXPECT_NEAR(first.to_vector<double>()[0], 5 * 2 * w0, 1e-13);
      const auto second = grad({sum(slice(first, 1, 0, 1))}, w)[0].to_vector<double>();
      EXPECT_NEAR(second[0], 5 * 2, 1e-13) << shape.name << " at " << w0;
      EXPECT_NEAR(second[1], 0, 1e-13);
    }
  }
}

// Where a sample's gradient is 0 the norm has no derivative; Duel takes 0 (v_b = 0), so nothing is NaN and
// that sample moves no weight: the others alone do, with their share of the mean.
TEST(PenaltyClosedForm, AGradientOfZeroMovesNothing) {
  for (const ShapeRow& row : kShapes) {
    nn::Sequential dead(nn::Linear(2, 1));
    dead.to(DType::f64);
    dead.load_state_dict({{"0.weight", Tensor::zeros({1, 2}, kF64)}, {"0.bias", Tensor::zeros({1}, kF64)}});
    const Tensor value = gradient_penalty(dead, Tensor::ones({3, 2}, kF64), row.shape, 1.0).value;
    EXPECT_DOUBLE_EQ(value.item(), row.of_norms({0, 0, 0})) << row.shape.name;
    for (double v : grad({value}, {dead.parameters()[0]})[0].to_vector<double>())
      EXPECT_EQ(v, 0) << row.shape.name;

    // relu(u . x) with u . x < 0 for the second of two samples: its gradient is 0, the first one's is u.
    nn::Sequential half(nn::Linear(2, 1), nn::ReLU());
    half.to(DType::f64);
    half.load_state_dict(
        {{"0.weight", Tensor::from({3.0, 4.0}, {1, 2})}, {"0.bias", Tensor::zeros({1}, kF64)}});
    const Tensor points = Tensor::from({1.0, 1.0, -1.0, -1.0}, {2, 2});
    const Tensor both = gradient_penalty(half, points, row.shape, 1.0).value;
    EXPECT_DOUBLE_EQ(both.item(), row.of_norms({5, 0})) << row.shape.name;
    const double slope = (row.of_norms({5 + 1e-4, 0}) - row.of_norms({5 - 1e-4, 0})) / 2e-4;
    const auto g = grad({both}, {half.parameters()[0]})[0].to_vector<double>();
    EXPECT_NEAR(g[0], slope * 0.6, 1e-6 * (1 + slope)) << row.shape.name;
    EXPECT_NEAR(g[1], slope * 0.8, 1e-6 * (1 + slope)) << row.shape.name;
  }
}

}  // namespace
}  // namespace duel::gan
