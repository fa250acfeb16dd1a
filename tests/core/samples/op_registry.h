// Every op registers samples of itself next to its rule; the test suite runs all of them against a naive f64
// reference, gradcheck and gradgradcheck. Nobody keeps a list.
//
// Example, at the end of an op's .cpp:
//   static const RegisterOp registered("softsign", [] {
//     return std::vector<OpSample>{{.label = "3x4", .inputs = {{{3, 4}}},
//         .apply = [](const Tensors& x) { return softsign(x[0]); },
//         .reference = [](const Arrays& x) { return reference::map(x[0], [](double v) { return v / (1 + std::abs(v)); }); }}};
//   });
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "duel/core/tensor/tensor.h"

namespace duel {

/// Row-major values of a naive reference computation.
struct Array {
  Shape shape;
  std::vector<double> values;
};

using Tensors = std::vector<Tensor>;
using Arrays = std::vector<Array>;

/// How a test draws one input: uniform in [low, high], but at least `away` from every point of `kinks`.
struct OpInput {
  Shape shape;
  double low = -2.0, high = 2.0;
  std::vector<double> kinks = {};
  double away = 0.05;
  /// i64 indices uniform in [low, high) instead; never differentiated.
  bool index = false;
  bool differentiable = true;
};

struct OpSample {
  std::string label;
  std::vector<OpInput> inputs;
  std::function<Tensor(const Tensors&)> apply;
  std::function<Array(const Arrays&)> reference;
  /// Highest derivative order to check: 0 (value only), 1 or 2.
  int max_order = 2;
  /// Allowed f32 error relative to the largest reference value, in units of 2^-24 times sqrt(longest sum).
  double ulps = 64.0;
};

struct OpInfo {
  std::string name;
  std::vector<OpSample> (*samples)();
};

const std::vector<OpInfo>& registered_ops();

struct RegisterOp {
  RegisterOp(const char* name, std::vector<OpSample> (*samples)());
};

namespace reference {

/// f of every element.
Array map(const Array& a, const std::function<double(double)>& f);
/// f of every pair, with broadcasting.
Array zip(const Array& a, const Array& b, const std::function<double(double, double)>& f);
/// The index tuple of flat position i, and back.
std::vector<int64_t> unravel(const Shape& shape, int64_t i);
int64_t ravel(const Shape& shape, const std::vector<int64_t>& index);
/// An array of `shape` whose element at an index tuple is f(tuple), and the element at one.
Array filled(const Shape& shape, const std::function<double(const std::vector<int64_t>&)>& f);
double at(const Array& x, const std::vector<int64_t>& index);

}  // namespace reference
}  // namespace duel
