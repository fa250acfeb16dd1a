// The cases of the kernels: inputs, what runs, what must move, and for a fused kernel the same function made
// of plain ops of core/. One row each, read by everybody who runs kernels as such: `duel bench kernels`
// (those that are timed), the tests of values on a device and under the SIMT harness in every order, and
// duel_kernel_values, whose files a GPU and the harness are compared by.
//
// To add one: a function template that makes a Case from a Setting, in the file of its family, and its line
// in that file's list. tests/apps/bench_test.cpp fails where a launcher of a public header of kernels/ is
// called by no case.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "duel/core/tensor/tensor.h"

namespace duel::apps::bench {

/// What a case is made for.
struct Setting {
  int64_t size = 0;  ///< bytes that should move
  DType dtype = DType::f32;
  Device device = {};

  kernels::Stream stream() const { return stream_of(device); }
  TensorOptions options() const { return {dtype, device}; }
  int64_t element() const { return static_cast<int64_t>(size_of(dtype)); }
  /// How many items that move `bytes` each: at least one.
  int64_t count(int64_t bytes) const { return size / bytes > 1 ? size / bytes : 1; }
  Tensor empty(const Shape& shape) const { return Tensor::empty(shape, options()); }
  /// Uniform in [low, high), another sequence for every seed.
  Tensor numbers(const Shape& shape, uint64_t seed, double low = -2, double high = 2) const;
};

struct Case {
  std::string shape;
  int64_t bytes = 0;                 ///< that must move: inputs once, outputs once
  std::optional<double> flops = {};  ///< of one call, where arithmetic may be the limit
  std::function<void()> run;
  std::vector<Tensor> results = {};  ///< what run() writes
  /// The same results from plain ops, as fresh tensors; empty where the kernel is itself a plain op.
  std::function<std::vector<Tensor>()> composed = {};
};

struct NamedCase {
  std::string name, family;  ///< family: the header's name
  std::function<Case(const Setting&)> make;
  bool timed = true;  ///< by `duel bench kernels`; the others are there for their values
};

std::vector<NamedCase> functor_cases();    ///< every functor of the lists
std::vector<NamedCase> movement_cases();   ///< movement, pooling, labels, ring
std::vector<NamedCase> map_cases();        ///< element-wise, activations, reductions
std::vector<NamedCase> loss_cases();       ///< fused losses, sample norm
std::vector<NamedCase> normalize_cases();  ///< batch, layer and instance norm
std::vector<NamedCase> training_cases();   ///< random numbers, optimizers, batches
std::vector<NamedCase> linear_cases();     ///< matrix products, convolutions
std::vector<NamedCase> all_cases();

/// make<float> or make<double>, by the setting's dtype.
#define DUEL_BENCH(name, family, make)                                                                      \
  NamedCase {                                                                                               \
    name, family, [](const Setting& s) { return s.dtype == DType::f64 ? make<double>(s) : make<float>(s); } \
  }
/// The same, not timed.
#define DUEL_VALUES(name, family, make)                                                                      \
  NamedCase {                                                                                                \
    name, family, [](const Setting& s) { return s.dtype == DType::f64 ? make<double>(s) : make<float>(s); }, \
        false                                                                                                \
  }

}  // namespace duel::apps::bench
