// Samples of core/ops/linear/matmul.h and einsum.h.
#include <algorithm>
#include <cmath>

#include "duel/core/ops/linear/einsum.h"
#include "duel/core/ops/linear/matmul.h"
#include "duel/core/ops/map/arithmetic.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

Array reference_matmul(const Array& a, const Array& b, bool ta, bool tb) {
  const int64_t m = a.shape[ta ? 1 : 0], k = a.shape[ta ? 0 : 1], n = b.shape[tb ? 0 : 1];
  Array y{{m, n}, {}};
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double total = 0;
      for (int64_t l = 0; l < k; ++l) {
        total += a.values[static_cast<size_t>(ta ? l * m + i : i * k + l)] *
                 b.values[static_cast<size_t>(tb ? j * k + l : l * n + j)];
      }
      y.values.push_back(total);
    }
  }
  return y;
}

std::vector<OpSample> matmul_samples() {
  std::vector<OpSample> samples;
  struct Sizes {
    int64_t m, k, n;
  };
  for (const auto [m, k, n] :
       {Sizes{3, 4, 5}, Sizes{1, 7, 1}, Sizes{17, 3, 2}, Sizes{2, 33, 3}, Sizes{0, 3, 2}, Sizes{2, 0, 3}}) {
    for (int flags = 0; flags < 4; ++flags) {
      const bool ta = flags & 1, tb = flags & 2;
      samples.push_back(
          {.label = message("{}x{}x{}{}{}", m, k, n, ta ? " ta" : "", tb ? " tb" : ""),
           .inputs = {{.shape = ta ? Shape{k, m} : Shape{m, k}}, {.shape = tb ? Shape{n, k} : Shape{k, n}}},
           .apply = [ta, tb](const Tensors& x) { return matmul(x[0], x[1], ta, tb); },
           .reference = [ta, tb](const Arrays& x) { return reference_matmul(x[0], x[1], ta, tb); }});
    }
  }
  return samples;
}

std::vector<OpSample> linear_samples() {
  std::vector<OpSample> samples;
  for (const bool with_bias : {true, false}) {
    for (const int64_t batch : {1, 4, 7}) {
      OpSample sample{
          .label = message("batch {}{}", batch, with_bias ? " bias" : ""),
          .inputs = {{.shape = {batch, 5}}, {.shape = {3, 5}}},
          .apply = [](const Tensors& x) { return linear(x[0], x[1], x.size() > 2 ? x[2] : Tensor()); },
          .reference =
              [](const Arrays& x) {
                Array y = reference_matmul(x[0], x[1], false, true);
                return x.size() > 2 ? reference::zip(y, x[2], [](double a, double b) { return a + b; }) : y;
              }};
      if (with_bias) sample.inputs.push_back({.shape = {3}});
      samples.push_back(sample);
    }
  }
  return samples;
}

/// linear that ends in an activation.
std::vector<OpSample> ending_samples() {
  struct Case {
    const char* label;
    Activation f;
    double (*formula)(double);
  };
  std::vector<OpSample> samples;
  for (const auto& [label, f, formula] :
       {Case{"relu", kernels::Relu{}, [](double v) { return v > 0 ? v : 0; }},
        Case{"leaky_relu", kernels::LeakyRelu{0.2}, [](double v) { return v > 0 ? v : 0.2 * v; }},
        Case{"tanh", kernels::Tanh{}, [](double v) { return std::tanh(v); }}}) {
    for (const int64_t batch : {1, 6}) {
      samples.push_back({.label = message("{} batch {}", label, batch),
                         .inputs = {{.shape = {batch, 3}}, {.shape = {4, 3}}, {.shape = {4}}},
                         .apply = [f = f](const Tensors& x) { return linear(x[0], x[1], x[2], f); },
                         .reference =
                             [formula = formula](const Arrays& x) {
                               const Array y = reference_matmul(x[0], x[1], false, true);
                               return reference::zip(
                                   y, x[2], [formula](double a, double b) { return formula(a + b); });
                             }});
    }
  }
  return samples;
}

/// Stacks of matrices by loops over the result; leading axes broadcast.
Array reference_stacks(const Array& a, const Array& b, bool ta, bool tb) {
  const auto batch = [](const Array& x) {
    return Shape(std::span(x.shape.begin(), static_cast<size_t>(x.shape.rank() - 2)));
  };
  const int64_t m = a.shape[ta ? -1 : -2], k = a.shape[ta ? -2 : -1], n = b.shape[tb ? -2 : -1];
  const Shape outer = broadcast_shapes("reference", batch(a), batch(b));
  const auto element = [](const Array& x, std::vector<int64_t> index, int64_t row, int64_t column,
                          bool flipped) {
    index.erase(index.begin(), index.begin() + (static_cast<int>(index.size()) - (x.shape.rank() - 2)));
    for (size_t i = 0; i < index.size(); ++i) index[i] = x.shape[static_cast<int>(i)] == 1 ? 0 : index[i];
    index.push_back(flipped ? column : row);
    index.push_back(flipped ? row : column);
    return reference::at(x, index);
  };
  return reference::filled(
      outer.inserted(outer.rank(), m).inserted(outer.rank() + 1, n), [&](const auto& at) {
        const std::vector<int64_t> of(at.begin(), at.end() - 2);
        double total = 0;
        for (int64_t l = 0; l < k; ++l)
          total += element(a, of, at[at.size() - 2], l, ta) * element(b, of, l, at[at.size() - 1], tb);
        return total;
      });
}

std::vector<OpSample> batched_samples() {
  std::vector<OpSample> samples;
  const auto add = [&](const Shape& a, const Shape& b, bool ta, bool tb) {
    samples.push_back(
        {.label = message("{} {}{}{}", a, b, ta ? " ta" : "", tb ? " tb" : ""),
         .inputs = {{.shape = a}, {.shape = b}},
         .apply = [ta, tb](const Tensors& x) { return matmul(x[0], x[1], ta, tb); },
         .reference = [ta, tb](const Arrays& x) { return reference_stacks(x[0], x[1], ta, tb); }});
  };
  for (int flags = 0; flags < 4; ++flags) {
    const bool ta = flags & 1, tb = flags & 2;
    add(ta ? Shape{5, 3, 2} : Shape{5, 2, 3}, tb ? Shape{5, 4, 3} : Shape{5, 3, 4}, ta, tb);
    add(ta ? Shape{3, 2} : Shape{2, 3}, tb ? Shape{2, 4, 3} : Shape{2, 3, 4}, ta, tb);
    add(ta ? Shape{2, 3, 2} : Shape{2, 2, 3}, tb ? Shape{4, 3} : Shape{3, 4}, ta, tb);
  }
  add({2, 1, 2, 3}, {3, 3, 2}, false, false);
  add({2, 1, 2, 1, 3}, {1, 3, 1, 3, 2}, false, false);
  add({2, 35, 3}, {2, 3, 37}, false, false);
  add({3, 2, 0}, {3, 0, 2}, false, false);
  add({0, 2, 3}, {0, 3, 2}, false, false);
  return samples;
}

std::vector<OpSample> bmm_samples() {
  std::vector<OpSample> samples;
  for (const auto& [a, b] : {std::pair<Shape, Shape>{{2, 3, 4}, {2, 4, 5}},
                             {{1, 1, 1}, {1, 1, 1}},
                             {{7, 1, 5}, {7, 5, 1}},
                             {{3, 4, 1}, {3, 1, 2}}}) {
    samples.push_back(
        {.label = message("{} {}", a, b),
         .inputs = {{.shape = a}, {.shape = b}},
         .apply = [](const Tensors& x) { return bmm(x[0], x[1]); },
         .reference = [](const Arrays& x) { return reference_stacks(x[0], x[1], false, false); }});
  }
  return samples;
}

/// By loops over all letters.
Array reference_einsum(const std::string& equation, const Arrays& x) {
  const size_t arrow = equation.find("->");
  std::vector<std::string> names;
  for (size_t begin = 0; begin <= arrow;) {
    const size_t end = std::min(equation.find(',', begin), arrow);
    names.push_back(equation.substr(begin, end - begin));
    begin = end + 1;
  }
  const std::string result = equation.substr(arrow + 2);
  std::string letters = result;
  for (const std::string& name : names) {
    for (char c : name) letters += letters.find(c) == std::string::npos ? std::string(1, c) : "";
  }
  std::vector<int64_t> size(letters.size());
  for (size_t i = 0; i < names.size(); ++i) {
    for (size_t j = 0; j < names[i].size(); ++j)
      size[letters.find(names[i][j])] = x[i].shape[static_cast<int>(j)];
  }
  const auto index_of = [&](const std::string& name, const std::vector<int64_t>& all) {
    std::vector<int64_t> index;
    for (char c : name) index.push_back(all[letters.find(c)]);
    return index;
  };
  Array y{Shape(index_of(result, size)), {}};
  y.values.resize(static_cast<size_t>(y.shape.numel()));
  int64_t total = 1;
  for (int64_t s : size) total *= s;
  for (int64_t i = 0; i < total; ++i) {
    std::vector<int64_t> all(size.size());
    for (int64_t rest = i, axis = static_cast<int64_t>(size.size()) - 1; axis >= 0; --axis) {
      all[static_cast<size_t>(axis)] = rest % size[static_cast<size_t>(axis)];
      rest /= size[static_cast<size_t>(axis)];
    }
    double product = 1;
    for (size_t k = 0; k < names.size(); ++k) product *= reference::at(x[k], index_of(names[k], all));
    y.values[static_cast<size_t>(reference::ravel(y.shape, index_of(result, all)))] += product;
  }
  return y;
}

std::vector<OpSample> einsum_samples() {
  struct Case {
    std::string equation;
    std::vector<Shape> shapes;
  };
  std::vector<OpSample> samples;
  for (const auto& [equation, shapes] :
       {Case{"ij,jk->ik", {{3, 4}, {4, 5}}}, Case{"bik,bkj->bij", {{2, 3, 4}, {2, 4, 5}}},
        Case{"nhqd,nhkd->nhqk", {{2, 2, 3, 4}, {2, 2, 5, 4}}}, Case{"i,i->", {{7}, {7}}},
        Case{"i,j->ji", {{3}, {4}}}, Case{"ij,ij->ij", {{3, 4}, {3, 4}}},
        Case{"bij,kj->kbi", {{2, 3, 4}, {5, 4}}}, Case{"ijk,jil->kl", {{2, 3, 4}, {3, 2, 5}}},
        Case{"ijk->kj", {{2, 3, 4}}}, Case{"ijm,jk->ik", {{3, 4, 2}, {4, 5}}}}) {
    OpSample sample{
        .label = equation,
        .inputs = {},
        .apply = [equation = equation](const Tensors& x) { return einsum(equation, x) * 1.0; },
        .reference = [equation = equation](const Arrays& x) { return reference_einsum(equation, x); }};
    for (const Shape& shape : shapes) sample.inputs.push_back({.shape = shape});
    samples.push_back(sample);
  }
  return samples;
}

const RegisterOp batched_registered("matmul_batched", batched_samples);
const RegisterOp bmm_registered("bmm", bmm_samples);
const RegisterOp einsum_registered("einsum", einsum_samples);
const RegisterOp matmul_registered("matmul", matmul_samples);
const RegisterOp linear_registered("linear", linear_samples);
const RegisterOp ending_registered("linear_then", ending_samples);

}  // namespace
}  // namespace duel
