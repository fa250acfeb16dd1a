// Sets of samples of known kinds, the golden values of NumPy, and how often intervals cover.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "duel/core/io/safetensors.h"
#include "duel/core/tensor/random.h"
#include "duel/gan/judge/interval.h"
#include "duel/kernels/base/parallel.h"
#include "tests/gan/files.h"

namespace duel::gan::testing {

/// [n, d] of N(mean, deviation^2).
inline Tensor gaussian(int64_t n, int64_t d, uint64_t seed, double mean = 0, double deviation = 1,
                       DType dtype = DType::f64) {
  return Generator(seed, 77).normal({n, d}, mean, deviation, {.dtype = dtype});
}

/// tests/golden/measures.safetensors, by make_golden_measures.py.
inline const Tensor& golden(const std::string& name) {
  static const TensorFile file = read_safetensors(in_source("tests/golden/measures.safetensors"));
  const Tensor* tensor = file.find(name);
  if (!tensor) throw Error("the golden file lacks " + name);
  return *tensor;
}
inline double golden_number(const std::string& name, size_t place = 0) {
  return golden(name).to_vector<double>()[place];
}

inline constexpr size_t kDraws = 200;
/// `estimate` of draws 0 to 199: how many intervals, of 100, hold the truth; without one, the mean of the values,
/// which is the expectation that most intervals are for.
inline double covered(const std::function<Estimate(uint64_t draw)>& estimate, double truth = NAN) {
  std::vector<Estimate> all(kDraws);
  kernels::parallel_for(kDraws, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) all[static_cast<size_t>(i)] = estimate(static_cast<uint64_t>(i));
  });
  if (std::isnan(truth)) {
    truth = 0;
    for (const Estimate& e : all) truth += e.value / kDraws;
  }
  double hits = 0, error = 0, squares = 0, mean = 0;
  for (const Estimate& e : all) {
    EXPECT_LE(e.interval.low, e.interval.high);
    hits += e.interval.low <= truth && truth <= e.interval.high;
    error += e.error / kDraws;
    mean += e.value / kDraws;
    squares += e.value * e.value / kDraws;
  }
  std::printf("truth %s, values %s +- %s, errors said %s: %s of 100 covered\n", significant(truth, 4).c_str(),
              significant(mean, 4).c_str(), significant(std::sqrt(squares - mean * mean), 3).c_str(),
              significant(error, 3).c_str(), significant(100 * hits / kDraws, 4).c_str());
  return 100 * hits / kDraws;
}
#define EXPECT_COVERS(percent)   \
  do {                           \
    const double hits = percent; \
    EXPECT_GE(hits, 90);         \
    EXPECT_LE(hits, 99);         \
  } while (false)

/// What `value` gives on 1 and on 3 threads is the same.
template <class T>
void expect_same_on_threads(const std::function<std::vector<T>()>& value) {
  const int before = kernels::threads();
  kernels::set_threads(1);
  const std::vector<T> one = value();
  kernels::set_threads(3);
  EXPECT_EQ(one, value());
  kernels::set_threads(before);
}

}  // namespace duel::gan::testing
