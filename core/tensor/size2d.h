// Size2d: a height and a width, of a kernel, a stride, a padding. One number stands for both.
//
// Example: conv2d(x, w, {}, {.stride = {2, 1}, .padding = 1});
#pragma once

#include <concepts>
#include <cstdint>
#include <string>

#include "duel/kernels/base/error.h"

namespace duel {

struct Size2d {
  int64_t h = 0, w = 0;

  constexpr Size2d() = default;
  template <std::integral Int>
  constexpr Size2d(Int both) : h(static_cast<int64_t>(both)), w(h) {}  // NOLINT: a number is a size
  constexpr Size2d(int64_t height, int64_t width) : h(height), w(width) {}

  constexpr bool operator==(const Size2d&) const = default;
};

/// "(2, 1)", as PyTorch prints a pair.
inline std::string to_text(const Size2d& size) { return message("({}, {})", size.h, size.w); }

}  // namespace duel
