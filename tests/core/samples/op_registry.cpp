#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {
std::vector<OpInfo>& all() {
  static std::vector<OpInfo> ops;
  return ops;
}
}  // namespace

const std::vector<OpInfo>& registered_ops() { return all(); }
RegisterOp::RegisterOp(const char* name, std::vector<OpSample> (*samples)()) {
  all().push_back({name, samples});
}

namespace reference {

Array map(const Array& a, const std::function<double(double)>& f) {
  Array out = a;
  for (double& value : out.values) value = f(value);
  return out;
}

std::vector<int64_t> unravel(const Shape& shape, int64_t i) {
  std::vector<int64_t> index(static_cast<size_t>(shape.rank()));
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[static_cast<size_t>(axis)] = i % shape[axis];
    i /= shape[axis];
  }
  return index;
}

int64_t ravel(const Shape& shape, const std::vector<int64_t>& index) {
  int64_t i = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) i = i * shape[axis] + index[static_cast<size_t>(axis)];
  return i;
}

Array filled(const Shape& shape, const std::function<double(const std::vector<int64_t>&)>& f) {
  Array y{shape, {}};
  for (int64_t i = 0; i < shape.numel(); ++i) y.values.push_back(f(unravel(shape, i)));
  return y;
}

double at(const Array& x, const std::vector<int64_t>& index) {
  return x.values[static_cast<size_t>(ravel(x.shape, index))];
}

Array zip(const Array& a, const Array& b, const std::function<double(double, double)>& f) {
  Array out{broadcast_shapes("reference", a.shape, b.shape), {}};
  const auto at = [&](const Array& from, const std::vector<int64_t>& index) {
    std::vector<int64_t> own(static_cast<size_t>(from.shape.rank()));
    const size_t skipped = index.size() - own.size();
    for (size_t axis = 0; axis < own.size(); ++axis) {
      own[axis] = from.shape[static_cast<int>(axis)] == 1 ? 0 : index[axis + skipped];
    }
    return from.values[static_cast<size_t>(ravel(from.shape, own))];
  };
  for (int64_t i = 0; i < out.shape.numel(); ++i) {
    const auto index = unravel(out.shape, i);
    out.values.push_back(f(at(a, index), at(b, index)));
  }
  return out;
}

}  // namespace reference
}  // namespace duel
