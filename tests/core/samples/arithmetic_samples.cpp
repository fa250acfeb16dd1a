// Samples of core/ops/map/arithmetic.h: every broadcasting pattern of two operands, every shape of one.
#include <cmath>

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/comparison.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);
using Formula = double (*)(double);
using Formula2 = double (*)(double, double);

/// Where a formula may be evaluated.
struct Domain {
  double low = -2, high = 2;
  std::vector<double> kinks = {};
  double away = 0.05;
};

OpInput input(const Shape& shape, const Domain& domain = {}) {
  return {.shape = shape, .low = domain.low, .high = domain.high, .kinks = domain.kinks, .away = domain.away};
}

struct OperandPair {
  Shape a, b;
};
const std::vector<OperandPair>& pairs() {
  static const std::vector<OperandPair> all = {
      {{}, {}},                         // two scalars
      {{1}, {1}},                       //
      {{7}, {7}},                       // the same shape
      {{3, 4}, {}},                     // a scalar at either side
      {{}, {2, 3}},                     //
      {{3, 4}, {4}},                    // a row: linear's bias
      {{4}, {3, 4}},                    //
      {{3, 1}, {1, 5}},                 // an outer product
      {{2, 3, 2, 2}, {3, 1, 1}},        // per channel: a convolution's bias
      {{2, 1, 3}, {4, 1}},              // both stretched, different ranks
      {{2, 1, 2, 1, 3}, {3, 1, 2, 1}},  // rank 5
      {{3, 4}, {1, 1}},                 // size 1 is not a scalar
      {{0, 4}, {4}},                    // nothing
      {{3, 1}, {1, 0}},                 // nothing, from something
  };
  return all;
}

std::vector<OpSample> binary_samples(Binary apply, Formula2 formula, const Domain& a = {},
                                     const Domain& b = {}, int max_order = 2) {
  std::vector<OpSample> samples;
  for (const OperandPair& pair : pairs()) {
    samples.push_back(
        {.label = message("{} {}", pair.a, pair.b),
         .inputs = {input(pair.a, a), input(pair.b, b)},
         .apply = [apply](const Tensors& x) { return apply(x[0], x[1]); },
         .reference = [formula](const Arrays& x) { return reference::zip(x[0], x[1], formula); },
         .max_order = max_order});
  }
  return samples;
}

std::vector<OpSample> unary_samples(Unary apply, Formula formula, const Domain& domain = {},
                                    int max_order = 2) {
  std::vector<OpSample> samples;
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{7}, Shape{3, 5}, Shape{0, 4}, Shape{2, 1, 2, 3, 2}}) {
    samples.push_back({.label = to_text(shape),
                       .inputs = {input(shape, domain)},
                       .apply = [apply](const Tensors& x) { return apply(x[0]); },
                       .reference = [formula](const Arrays& x) { return reference::map(x[0], formula); },
                       .max_order = max_order});
  }
  return samples;
}

std::vector<OpSample> joined(std::vector<OpSample> first, const std::vector<OpSample>& second,
                             const char* note) {
  for (const OpSample& sample : second) {
    first.push_back(sample);
    first.back().label += note;
  }
  return first;
}

const Domain kPositive{0.3, 2.0};
const Domain kAwayFromZero{-2, 2, {0}, 0.3};

// Two operands.

const RegisterOp add_registered("add",
                                [] { return binary_samples(add, [](double a, double b) { return a + b; }); });
const RegisterOp sub_registered("sub",
                                [] { return binary_samples(sub, [](double a, double b) { return a - b; }); });
const RegisterOp mul_registered("mul",
                                [] { return binary_samples(mul, [](double a, double b) { return a * b; }); });
const RegisterOp div_registered("div", [] {
  return binary_samples(
      div, [](double a, double b) { return a / b; }, {}, kAwayFromZero);
});
const RegisterOp pow_registered("pow", [] {
  return binary_samples(
      pow, [](double a, double b) { return std::pow(a, b); }, kPositive);
});
// Two uniform draws are never within a step of the differences of each other: no ties.
const RegisterOp maximum_registered("maximum", [] {
  return binary_samples(maximum, [](double a, double b) { return a > b ? a : b; });
});
const RegisterOp minimum_registered("minimum", [] {
  return binary_samples(minimum, [](double a, double b) { return a < b ? a : b; });
});
// Steps: no gradient. The signs make both answers of equal and greater_equal likely.
const RegisterOp greater_registered("greater", [] {
  return binary_samples(
      greater, [](double a, double b) { return a > b ? 1.0 : 0.0; }, {}, {}, 0);
});
const RegisterOp greater_equal_registered("greater_equal", [] {
  return binary_samples([](const Tensor& a, const Tensor& b) { return sign(a) >= sign(b); },
                        [](double a, double b) { return a > 0 || b < 0 ? 1.0 : 0.0; }, kAwayFromZero,
                        kAwayFromZero, 0);
});
const RegisterOp less_registered("less", [] {
  return binary_samples(
      less, [](double a, double b) { return a < b ? 1.0 : 0.0; }, {}, {}, 0);
});
const RegisterOp less_equal_registered("less_equal", [] {
  return binary_samples([](const Tensor& a, const Tensor& b) { return sign(a) <= sign(b); },
                        [](double a, double b) { return a < 0 || b > 0 ? 1.0 : 0.0; }, kAwayFromZero,
                        kAwayFromZero, 0);
});
const RegisterOp not_equal_registered("not_equal", [] {
  return binary_samples([](const Tensor& a, const Tensor& b) { return sign(a) != sign(b); },
                        [](double a, double b) { return (a > 0) != (b > 0) ? 1.0 : 0.0; }, kAwayFromZero,
                        kAwayFromZero, 0);
});
const RegisterOp logical_registered("logical", [] {
  const auto both = [](auto apply, Formula2 formula) {
    return binary_samples(apply, formula, kAwayFromZero, kAwayFromZero, 0);
  };
  auto all = both([](const Tensor& a, const Tensor& b) { return (a > 0.0) && !(b > 0.0); },
                  [](double a, double b) { return a > 0 && b < 0 ? 1.0 : 0.0; });
  all = joined(all,
               both([](const Tensor& a, const Tensor& b) { return (a > 0.0) || (b > 0.0); },
                    [](double a, double b) { return a > 0 || b > 0 ? 1.0 : 0.0; }),
               " or");
  return joined(all,
                both([](const Tensor& a, const Tensor& b) { return logical_xor(a > 0.0, b > 0.0); },
                     [](double a, double b) { return (a > 0) != (b > 0) ? 1.0 : 0.0; }),
                " xor");
});
const RegisterOp equal_registered("equal", [] {
  return binary_samples([](const Tensor& a, const Tensor& b) { return sign(a) == sign(b); },
                        [](double a, double b) { return (a > 0) == (b > 0) ? 1.0 : 0.0; }, kAwayFromZero,
                        kAwayFromZero, 0);
});

std::vector<OpSample> where_samples() {
  struct Triple {
    Shape condition, a, b;
  };
  std::vector<OpSample> samples;
  for (const auto& [condition, a, b] :
       {Triple{{}, {}, {}}, Triple{{7}, {7}, {7}}, Triple{{3, 4}, {4}, {}}, Triple{{2, 1}, {3}, {2, 3}},
        Triple{{3, 1, 1}, {2, 3, 2, 2}, {1, 2, 1}}, Triple{{1}, {3, 4}, {3, 1}}, Triple{{0, 4}, {4}, {}}}) {
    OpInput drawn = input(condition, kAwayFromZero);
    drawn.differentiable = false;
    samples.push_back({.label = message("{} {} {}", condition, a, b),
                       .inputs = {drawn, input(a), input(b)},
                       .apply = [](const Tensors& x) { return where(x[0] > 0.0, x[1], x[2]); },
                       .reference =
                           [](const Arrays& x) {
                             const Array chosen =
                                 reference::map(x[0], [](double c) { return c > 0 ? 1.0 : 0.0; });
                             const auto masked = [&](const Array& from, double wanted) {
                               return reference::zip(chosen, from, [wanted](double c, double v) {
                                 return c == wanted ? v : 0.0;
                               });
                             };
                             return reference::zip(masked(x[1], 1), masked(x[2], 0),
                                                   [](double u, double v) { return u + v; });
                           }});
  }
  return samples;
}
const RegisterOp where_registered("where", where_samples);

// One operand.

const RegisterOp neg_registered("neg", [] { return unary_samples(neg, [](double v) { return -v; }); });
const RegisterOp exp_registered("exp",
                                [] { return unary_samples(exp, [](double v) { return std::exp(v); }); });
const RegisterOp log_registered("log", [] {
  return unary_samples(
      log, [](double v) { return std::log(v); }, kPositive);
});
const RegisterOp sqrt_registered("sqrt", [] {
  return unary_samples(
      sqrt, [](double v) { return std::sqrt(v); }, kPositive);
});
const RegisterOp square_registered("square",
                                   [] { return unary_samples(square, [](double v) { return v * v; }); });
const RegisterOp abs_registered("abs", [] {
  return unary_samples(
      abs, [](double v) { return std::abs(v); }, kAwayFromZero);
});
const RegisterOp sign_registered("sign", [] {
  return unary_samples(
      sign, [](double v) { return v > 0 ? 1.0 : -1.0; }, kAwayFromZero, 0);
});
const RegisterOp reciprocal_registered("reciprocal", [] {
  return unary_samples(
      reciprocal, [](double v) { return 1 / v; }, kAwayFromZero);
});

// One operand and a number.

const RegisterOp add_scalar_registered("add_scalar", [] {
  return unary_samples([](const Tensor& x) { return add_scalar(x, 1.25); },
                       [](double v) { return v + 1.25; });
});
const RegisterOp mul_scalar_registered("mul_scalar", [] {
  return unary_samples([](const Tensor& x) { return mul_scalar(x, -2.5); },
                       [](double v) { return -2.5 * v; });
});
const RegisterOp div_scalar_registered("div_scalar", [] {
  return unary_samples([](const Tensor& x) { return div_scalar(x, -13.0); },
                       [](double v) { return v / -13.0; });
});
const RegisterOp scalar_div_registered("scalar_div", [] {
  return unary_samples([](const Tensor& x) { return scalar_div(-2.5, x); }, [](double v) { return -2.5 / v; },
                       kAwayFromZero);
});
const RegisterOp pow_scalar_registered("pow_scalar", [] {
  auto all =
      unary_samples([](const Tensor& x) { return pow_scalar(x, 3); }, [](double v) { return v * v * v; });
  all = joined(all,
               unary_samples([](const Tensor& x) { return pow_scalar(x, -2); },
                             [](double v) { return 1 / (v * v); }, kAwayFromZero),
               " exponent -2");
  all = joined(all,
               unary_samples([](const Tensor& x) { return pow_scalar(x, 1.5); },
                             [](double v) { return std::sqrt(v * v * v); }, kPositive),
               " exponent 1.5");
  all =
      joined(all, unary_samples([](const Tensor& x) { return pow_scalar(x, 1); }, [](double v) { return v; }),
             " exponent 1");
  // The gradient of a constant is the undefined tensor (zero), which has no gradient of its own.
  return joined(
      all, unary_samples([](const Tensor& x) { return pow_scalar(x, 0); }, [](double) { return 1.0; }, {}, 1),
      " exponent 0");
});
const RegisterOp clamp_min_registered("clamp_min", [] {
  return unary_samples([](const Tensor& x) { return clamp_min(x, 0.5); },
                       [](double v) { return v > 0.5 ? v : 0.5; }, {-2, 2, {0.5}, 0.1});
});
const RegisterOp clamp_max_registered("clamp_max", [] {
  return unary_samples([](const Tensor& x) { return clamp_max(x, -0.5); },
                       [](double v) { return v < -0.5 ? v : -0.5; }, {-2, 2, {-0.5}, 0.1});
});

const RegisterOp clamp_registered("clamp", [] {
  return unary_samples([](const Tensor& x) { return clamp(x, -0.5, 0.75); },
                       [](double v) { return v < -0.5   ? -0.5
                                             : v > 0.75 ? 0.75
                                                        : v; },
                       {-2, 2, {-0.5, 0.75}, 0.1});
});

// Elementary functions.

const RegisterOp rsqrt_registered("rsqrt", [] {
  return unary_samples(
      rsqrt, [](double v) { return 1 / std::sqrt(v); }, kPositive);
});
const RegisterOp expm1_registered("expm1", [] {
  return unary_samples(expm1, [](double v) { return std::expm1(v); });
});
const RegisterOp log1p_registered("log1p", [] {
  return unary_samples(log1p, [](double v) { return std::log1p(v); }, {-0.7, 2});
});
const RegisterOp erf_registered("erf",
                                [] { return unary_samples(erf, [](double v) { return std::erf(v); }); });
const RegisterOp sin_registered("sin", [] {
  return unary_samples(sin, [](double v) { return std::sin(v); }, {-9, 9});
});
const RegisterOp cos_registered("cos", [] {
  return unary_samples(cos, [](double v) { return std::cos(v); }, {-9, 9});
});
const Domain kOffIntegers{-3, 3, {-3, -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3}, 0.05};
const RegisterOp floor_registered("floor", [] {
  return unary_samples(
      floor, [](double v) { return std::floor(v); }, kOffIntegers, 0);
});
const RegisterOp ceil_registered("ceil", [] {
  return unary_samples(
      ceil, [](double v) { return std::ceil(v); }, kOffIntegers, 0);
});
const RegisterOp round_registered("round", [] {
  return unary_samples(
      round, [](double v) { return std::rint(v); }, kOffIntegers, 0);
});

}  // namespace
}  // namespace duel
