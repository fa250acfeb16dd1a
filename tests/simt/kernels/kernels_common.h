// What the kernel tests share: the device path of a launcher in every order against the host path of the same
// launcher.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <list>
#include <string>
#include <vector>

#include "tests/kernels/buffer.h"
#include "tests/simt/simt.h"

namespace duel::simt {

using Shape = std::vector<int64_t>;

inline int64_t volume(const Shape& shape) {
  int64_t n = 1;
  for (int64_t extent : shape) n *= extent;
  return n;
}

using kernels::noise;
using Types = ::testing::Types<float, double>;

/// One element, a warp, a block, with and without tails.
inline const std::vector<int64_t> kSizes = {1, 31, 33, 255, 256, 257, 1031};

template <class T>
bool same_bits(T a, T b) {
  if (a != a && b != b) return true;  // which not-a-number is nobody's promise
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

template <class T>
void expect_same(const std::vector<T>& device, const std::vector<T>& host, const std::string& what) {
  ASSERT_EQ(device.size(), host.size()) << what;
  for (size_t i = 0; i < host.size(); ++i) {
    if (same_bits(device[i], host[i])) continue;
    FAIL() << what << ": element " << i << " of " << host.size() << ": device " << +device[i] << ", host "
           << +host[i];
  }
}

/// Differences up to bound(i); not-a-number only where the host has it too.
template <class T>
void expect_near(const std::vector<T>& device, const std::vector<T>& host,
                 const std::function<double(size_t)>& bound, const std::string& what) {
  ASSERT_EQ(device.size(), host.size()) << what;
  for (size_t i = 0; i < host.size(); ++i) {
    if (device[i] == host[i] || (device[i] != device[i] && host[i] != host[i])) continue;
    if (std::abs(static_cast<double>(device[i]) - static_cast<double>(host[i])) <= bound(i)) continue;
    FAIL() << what << ": element " << i << " of " << host.size() << ": device " << device[i] << ", host "
           << host[i] << ", allowed " << bound(i);
  }
}

template <class To, class From>
using MapCall = std::function<void(kernels::Stream, const std::vector<const From*>&, To*)>;

/// A map: call(stream, inputs, output) writes `count` elements, the same bits on host and device, wherever
/// the buffers begin.
template <class To, class From>
void expect_map(const std::vector<std::vector<From>>& inputs, int64_t count, const MapCall<To, From>& call,
                const std::string& what, const RunOptions& options = {.shuffles = 2, .shift = 1}) {
  std::vector<const From*> pointers;
  for (const auto& input : inputs) pointers.push_back(input.data());
  std::vector<To> expected(static_cast<size_t>(count));
  call(kernels::Stream(), pointers, expected.data());

  std::list<In<From>> x;
  for (const auto& input : inputs) x.emplace_back(input);
  const Out<To> y(count);
  try {
    run_all_orders(
        [&] {
          pointers.clear();
          for (const auto& input : x) pointers.push_back(input.data());
          call(stream(), pointers, y.data());
        },
        options);
  } catch (const Failure& failure) {
    FAIL() << what << ", " << count << " elements: " << failure.what();
  }
  expect_same(y.values(), expected, what);
}

/// A map in place: call(stream, values) changes them.
template <class T>
void expect_map_in_place(const std::vector<T>& values,
                         const std::type_identity_t<std::function<void(kernels::Stream, T*)>>& call,
                         const std::string& what) {
  std::vector<T> expected = values;
  call(kernels::Stream(), expected.data());
  const InOut<T> y(values);
  run_all_orders([&] { call(stream(), y.data()); }, {.shuffles = 2, .shift = 1});
  expect_same(y.values(), expected, what);
}

/// Noise with the values at which formulas have their corners.
template <class T>
std::vector<T> noise_with_corners(int64_t n, uint64_t key) {
  std::vector<T> values = noise<T>(n, key);
  for (T& value : values) value *= T(4);
  using limits = std::numeric_limits<T>;
  const T corners[] = {T(0),
                       T(-0.0),
                       T(1),
                       T(-1),
                       limits::infinity(),
                       -limits::infinity(),
                       limits::quiet_NaN(),
                       limits::denorm_min(),
                       T(100),
                       T(-100),
                       limits::max(),
                       T(0.5)};
  for (size_t k = 0; k < std::size(corners) && 5 * k + 2 < values.size(); ++k) values[5 * k + 2] = corners[k];
  return values;
}

template <class T>
std::vector<T> indices(int64_t n, int64_t rows, int64_t step) {
  std::vector<T> out(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) out[static_cast<size_t>(i)] = static_cast<T>((i * step + rows / 2) % rows);
  return out;
}

}  // namespace duel::simt
