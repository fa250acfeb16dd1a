// Samples of core/ops/reduce/statistics.h, and of softmax along any axis.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/movement.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/core/ops/reduce/softmax.h"
#include "duel/core/ops/reduce/statistics.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

using Index = std::vector<int64_t>;
using Values = std::vector<double>;
using RowFold = std::function<double(const Values&)>;
using reference::at;
using reference::filled;

/// The elements of x along the axis through an index.
Values line(const Array& x, Index i, int axis) {
  Values values;
  for (int64_t k = 0; k < x.shape[axis]; ++k) {
    i[static_cast<size_t>(axis)] = k;
    values.push_back(at(x, i));
  }
  return values;
}

/// Over one axis, which goes.
OpSample folded(const Shape& shape, int axis, std::function<Tensor(const Tensor&, int)> apply, RowFold fold,
                const OpInput& domain = {}) {
  OpInput input = domain;
  input.shape = shape;
  return {.label = message("{} over {}", shape, axis),
          .inputs = {input},
          .apply = [=](const Tensors& x) { return apply(x[0], axis); },
          .reference =
              [=](const Arrays& x) {
                return filled(shape.without(axis), [&](Index i) {
                  i.insert(i.begin() + axis, 0);
                  return fold(line(x[0], i, axis));
                });
              }};
}
std::vector<OpSample> fold_samples(const std::function<Tensor(const Tensor&, int)>& apply,
                                   const RowFold& fold, const OpInput& domain = {}) {
  std::vector<OpSample> samples;
  for (int axis = 0; axis < 3; ++axis) samples.push_back(folded({3, 2, 5}, axis, apply, fold, domain));
  samples.push_back(folded({33}, 0, apply, fold, domain));
  samples.push_back(folded({2, 7}, 1, apply, fold, domain));
  return samples;
}

/// Over all elements.
OpSample whole(const Shape& shape, std::function<Tensor(const Tensor&)> apply, RowFold fold) {
  return {.label = message("{} all", shape),
          .inputs = {{.shape = shape}},
          .apply = [apply](const Tensors& x) { return apply(x[0]); },
          .reference =
              [fold](const Arrays& x) {
                return Array{{}, {fold(x[0].values)}};
              }};
}

double spread(const Values& v, double divisor) {
  const double centre = std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
  double sum = 0;
  for (double x : v) sum += (x - centre) * (x - centre);
  return sum / divisor;
}
double unbiased(const Values& v) { return spread(v, static_cast<double>(v.size()) - 1); }
double power_sum(const Values& v, double p) {
  double sum = 0;
  for (double x : v) sum += std::pow(std::abs(x), p);
  return std::pow(sum, 1 / p);
}

std::vector<OpSample> with(std::vector<OpSample> samples, const std::vector<OpSample>& more,
                           const char* note) {
  for (const OpSample& sample : more) {
    samples.push_back(sample);
    samples.back().label += note;
  }
  return samples;
}

std::vector<OpSample> norm_samples() {
  auto samples = fold_samples([](const Tensor& x, int axis) { return norm(x, 2.0, axis); },
                              [](const Values& v) { return power_sum(v, 2); });
  const OpInput apart{.shape = {}, .kinks = {0}, .away = 0.1};
  for (const double p : {1.0, 3.0}) {
    samples = with(samples,
                   fold_samples([p](const Tensor& x, int axis) { return norm(x, p, axis); },
                                [p](const Values& v) { return power_sum(v, p); }, apart),
                   p == 1.0 ? " p 1" : " p 3");
  }
  samples = with(samples,
                 fold_samples([](const Tensor& x, int axis) { return norm(x, INFINITY, axis); },
                              [](const Values& v) {
                                double most = 0;
                                for (double x : v) most = std::max(most, std::abs(x));
                                return most;
                              }),
                 " p inf");
  samples.push_back(whole(
      {3, 4}, [](const Tensor& x) { return norm(x); }, [](const Values& v) { return power_sum(v, 2); }));
  return samples;
}

/// Along an axis, which stays.
std::vector<OpSample> along_samples(const std::function<Tensor(const Tensor&, int)>& apply,
                                    const std::function<double(const Values&, int64_t)>& element,
                                    int max_order = 2) {
  std::vector<OpSample> samples;
  const auto add = [&](const Shape& shape, int axis) {
    samples.push_back({.label = message("{} along {}", shape, axis),
                       .inputs = {{.shape = shape}},
                       .apply = [=](const Tensors& x) { return apply(x[0], axis); },
                       .reference =
                           [=](const Arrays& x) {
                             return filled(shape, [&](const Index& i) {
                               return element(line(x[0], i, axis), i[static_cast<size_t>(axis)]);
                             });
                           },
                       .max_order = max_order});
  };
  for (int axis = 0; axis < 3; ++axis) add({3, 4, 2}, axis);
  add({33}, 0);
  add({2, 1, 2, 3}, 2);
  return samples;
}

double sorted_element(Values v, int64_t k, bool descending) {
  std::sort(v.begin(), v.end());
  return descending ? v[v.size() - 1 - static_cast<size_t>(k)] : v[static_cast<size_t>(k)];
}
std::vector<OpSample> sort_samples() {
  return with(along_samples([](const Tensor& x, int axis) { return sort(x, axis).values; },
                            [](const Values& v, int64_t k) { return sorted_element(v, k, false); }),
              along_samples([](const Tensor& x, int axis) { return sort(x, axis, true).values; },
                            [](const Values& v, int64_t k) { return sorted_element(v, k, true); }),
              " descending");
}

double log_sum_exp(const Values& v) {
  double sum = 0;
  for (double x : v) sum += std::exp(x);
  return std::log(sum);
}

std::vector<OpSample> cdist_samples() {
  std::vector<OpSample> samples;
  for (const auto& [a, b] : {std::pair<Shape, Shape>{{3, 4}, {5, 4}},
                             {{1, 1}, {2, 1}},
                             {{2, 3, 2}, {2, 2, 2}},
                             {{2, 3, 2}, {4, 2}}}) {
    samples.push_back({.label = message("{} {}", a, b),
                       .inputs = {{.shape = a, .low = -2, .high = 0}, {.shape = b, .low = 0.3, .high = 2}},
                       .apply = [](const Tensors& x) { return cdist(x[0], x[1]); },
                       .reference =
                           [](const Arrays& x) {
                             Shape to = x[0].shape.with(-1, x[1].shape[-2]);
                             return filled(to, [&](const Index& i) {
                               Index left = i, right = i;
                               right[right.size() - 2] = i.back();
                               if (x[1].shape.rank() < x[0].shape.rank()) right.erase(right.begin());
                               double sum = 0;
                               for (int64_t d = 0; d < x[0].shape[-1]; ++d) {
                                 left.back() = right.back() = d;
                                 const double v = at(x[0], left) - at(x[1], right);
                                 sum += v * v;
                               }
                               return std::sqrt(sum);
                             });
                           }});
  }
  return samples;
}

const RegisterOp var_registered("var", [] {
  auto samples = fold_samples([](const Tensor& x, int axis) { return var(x, axis); }, unbiased);
  samples.push_back(whole(
      {3, 4}, [](const Tensor& x) { return var(x); }, unbiased));
  samples.push_back(whole(
      {3, 4},
      [](const Tensor& x) {
        return var(x, {0, 1}, false);
      },
      [](const Values& v) { return spread(v, static_cast<double>(v.size())); }));
  samples.back().label += " biased";
  return samples;
});
const RegisterOp std_registered("std", [] {
  auto samples = fold_samples([](const Tensor& x, int axis) { return duel::std(x, axis); },
                              [](const Values& v) { return std::sqrt(unbiased(v)); });
  samples.push_back(whole(
      {3, 4}, [](const Tensor& x) { return x.std(); },
      [](const Values& v) { return std::sqrt(unbiased(v)); }));
  return samples;
});
const RegisterOp norm_registered("norm", norm_samples);
const RegisterOp prod_registered("prod", [] {
  const auto product = [](const Values& v) {
    return std::accumulate(v.begin(), v.end(), 1.0, std::multiplies<>());
  };
  auto samples = fold_samples([](const Tensor& x, int axis) { return prod(x, axis); }, product);
  samples.push_back(whole(
      {2, 3}, [](const Tensor& x) { return prod(x); }, product));
  // a zero among them: its gradient is the product of the others
  samples.push_back(whole(
      {3},
      [](const Tensor& x) {
        return prod(concat({x, x.detach() * 0.0 + (x - x)}));
      },
      [](const Values&) { return 0.0; }));
  samples.back().label += " with zeros";
  samples.back().max_order = 0;
  return samples;
});
const RegisterOp logsumexp_registered("logsumexp", [] {
  auto samples = fold_samples([](const Tensor& x, int axis) { return logsumexp(x, axis); }, log_sum_exp);
  samples.push_back(whole(
      {3, 4},
      [](const Tensor& x) {
        return logsumexp(x, {0, 1});
      },
      log_sum_exp));
  return samples;
});
const RegisterOp cdist_registered("cdist", cdist_samples);
const RegisterOp cumsum_registered("cumsum", [] {
  return along_samples(
      [](const Tensor& x, int axis) { return cumsum(x, axis); },
      [](const Values& v, int64_t k) { return std::accumulate(v.begin(), v.begin() + k + 1, 0.0); });
});
const RegisterOp sort_registered("sort", sort_samples);
const RegisterOp argsort_registered("argsort", [] {
  return along_samples([](const Tensor& x, int axis) { return argsort(x, axis); },
                       [](const Values& v, int64_t k) {
                         const double wanted = sorted_element(v, k, false);
                         return static_cast<double>(std::find(v.begin(), v.end(), wanted) - v.begin());
                       },
                       0);
});
const RegisterOp topk_registered("topk", [] {
  auto samples =
      fold_samples([](const Tensor& x, int axis) { return sum(topk(x, 2, axis).values, axis); },
                   [](const Values& v) { return sorted_element(v, 0, true) + sorted_element(v, 1, true); });
  return with(
      samples,
      fold_samples([](const Tensor& x, int axis) { return topk(x, 2, axis, false).values.sum(axis); },
                   [](const Values& v) { return sorted_element(v, 0, false) + sorted_element(v, 1, false); }),
      " smallest");
});
const RegisterOp argmin_registered("argmin", [] {
  auto samples = fold_samples(
      [](const Tensor& x, int axis) { return argmin(x, axis); },
      [](const Values& v) { return static_cast<double>(std::min_element(v.begin(), v.end()) - v.begin()); });
  samples.push_back(whole(
      {3, 4}, [](const Tensor& x) { return x.argmax(); },
      [](const Values& v) { return static_cast<double>(std::max_element(v.begin(), v.end()) - v.begin()); }));
  for (OpSample& sample : samples) sample.max_order = 0;
  return samples;
});
const RegisterOp softmax_axis_registered("softmax_along", [] {
  return with(
      along_samples(
          [](const Tensor& x, int axis) { return softmax(x, axis); },
          [](const Values& v, int64_t k) { return std::exp(v[static_cast<size_t>(k)] - log_sum_exp(v)); }),
      along_samples([](const Tensor& x, int axis) { return log_softmax(x, axis); },
                    [](const Values& v, int64_t k) { return v[static_cast<size_t>(k)] - log_sum_exp(v); }),
      " log");
});

}  // namespace
}  // namespace duel
