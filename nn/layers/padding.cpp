#include "duel/nn/layers/padding.h"

#include "duel/core/ops/map/movement.h"

namespace duel::nn {
namespace {

void check_image(const char* name, const Tensor& x) {
  DUEL_CHECK(x.rank() == 4, name, "expected an input [N, C, H, W], got {}", x.shape());
}

Tensor reflected(const Tensor& x, int axis, int64_t before, int64_t after) {
  const int64_t size = x.dim(axis);
  DUEL_CHECK(before < size && after < size, "ReflectionPad2d",
             "expected a border smaller than the {} pixels of axis {}, got {} and {}", size, axis, before,
             after);
  const Tensor first = flip(slice(x, axis, 1, 1 + before), {axis});
  const Tensor last = flip(slice(x, axis, size - 1 - after, size - 1), {axis});
  return concat({first, x, last}, axis);
}

}  // namespace

Pad2d::Pad2d(const char* name, Border b) : padding(b) {
  DUEL_CHECK(b.left >= 0 && b.right >= 0 && b.top >= 0 && b.bottom >= 0, name,
             "expected borders of at least 0, got {}, {}, {} and {}", b.left, b.right, b.top, b.bottom);
}

std::string Pad2d::describe_as(const char* name) const {
  return message("{}(({}, {}, {}, {}))", name, padding.left, padding.right, padding.top, padding.bottom);
}

Tensor ZeroPad2d::forward(const Tensor& x) {
  check_image("ZeroPad2d", x);
  return pad(pad(x, 2, padding.top, padding.bottom), 3, padding.left, padding.right);
}

Tensor ReflectionPad2d::forward(const Tensor& x) {
  check_image("ReflectionPad2d", x);
  return reflected(reflected(x, 2, padding.top, padding.bottom), 3, padding.left, padding.right);
}

}  // namespace duel::nn
