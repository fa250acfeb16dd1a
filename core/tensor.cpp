#include "duel/core/tensor.h"

#include <algorithm>
#include <cstring>

#include "duel/core/node.h"

namespace duel {
namespace {

/// Calls f with a value of the C++ type of dtype.
template <class F>
void with_type(DType dtype, F f) {
  switch (dtype) {
    case DType::f32: return f(float{});
    case DType::f64: return f(double{});
    case DType::u8: return f(uint8_t{});
    case DType::i64: return f(int64_t{});
  }
}

void check_may_write(const Tensor& tensor, const char* op) {
  DUEL_CHECK(!tracked(tensor), op, "a tensor that requires grad may be changed in place under no_grad only");
}

}  // namespace

namespace detail {
Tensor view(const Tensor& base, const Shape& shape, size_t offset_bytes) {
  auto impl = std::make_shared<TensorImpl>();
  impl->storage = base.impl()->storage;
  impl->offset = base.impl()->offset + offset_bytes;
  impl->shape = shape;
  impl->dtype = base.dtype();
  DUEL_ASSERT(offset_bytes + static_cast<size_t>(shape.numel()) * size_of(impl->dtype) <= base.bytes());
  return Tensor(std::move(impl));
}

void move_to_storage(const Tensor& tensor, const Tensor& base, size_t offset_bytes) {
  DUEL_CHECK(tensor.is_leaf(), "move_to_storage", "expected a leaf, got the result of an op");
  TensorImpl& impl = *tensor.impl();
  if (impl.storage == base.impl()->storage && impl.dtype == base.dtype() &&
      impl.offset == base.impl()->offset + offset_bytes) {
    return;
  }
  const Tensor place = view(base, tensor.shape(), offset_bytes);
  place.copy_(tensor.detach());
  impl.storage = place.impl()->storage;
  impl.offset = place.impl()->offset;
  if (impl.dtype == place.dtype()) return;
  impl.dtype = place.dtype();
  if (!impl.node) return;
  // The old leaf node stays with graphs of the old dtype.
  const std::shared_ptr<Node> old = impl.node;
  impl.node = nullptr;
  Tensor(tensor).set_requires_grad(true);
  impl.node->is_parameter = old->is_parameter;
  impl.node->name = old->name;
}
}  // namespace detail

detail::TensorImpl& Tensor::get() const {
  DUEL_CHECK(impl_, "tensor", "this tensor is undefined (default-constructed)");
  return *impl_;
}

Tensor Tensor::empty(const Shape& shape, TensorOptions options) {
  auto impl = std::make_shared<detail::TensorImpl>();
  impl->shape = shape;
  impl->dtype = options.dtype;
  impl->storage = std::make_shared<detail::Storage>(options.device,
                                                    static_cast<size_t>(shape.numel()) * size_of(options.dtype));
  return Tensor(std::move(impl));
}

Tensor Tensor::full(const Shape& shape, double value, TensorOptions options) {
  Tensor tensor = empty(shape, options);
  tensor.fill_(value);
  return tensor;
}
Tensor Tensor::zeros(const Shape& shape, TensorOptions options) { return full(shape, 0.0, options); }
Tensor Tensor::ones(const Shape& shape, TensorOptions options) { return full(shape, 1.0, options); }

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape, Device device) {
  DUEL_CHECK(static_cast<int64_t>(values.size()) == shape.numel(), "from", "expected {} values for shape {}, got {}",
             shape.numel(), shape, values.size());
  Tensor tensor = empty(shape, {dtype_of<T>(), device});
  std::copy(values.begin(), values.end(), tensor.mutable_data<T>());
  return tensor;
}

const Shape& Tensor::shape() const { return get().shape; }
DType Tensor::dtype() const { return get().dtype; }
Device Tensor::device() const { return get().storage->device; }
const void* Tensor::raw() const { return get().data(); }
void* Tensor::mutable_raw() const {
  ++get().storage->version;
  return get().data();
}

template <class T>
const T* Tensor::data() const {
  DUEL_CHECK(dtype() == dtype_of<T>(), "tensor", "expected elements of {}, this tensor holds {}", to_text(dtype_of<T>()),
             to_text(dtype()));
  return reinterpret_cast<const T*>(get().data());
}

template <class T>
T* Tensor::mutable_data() const {
  data<T>();  // the dtype check
  return static_cast<T*>(mutable_raw());
}

double Tensor::item() const {
  DUEL_CHECK(numel() == 1, "item", "expected a tensor of one element, got shape {}", shape());
  return to_vector<double>()[0];
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  std::vector<T> values(static_cast<size_t>(numel()));
  with_type(dtype(), [&](auto zero) {
    using From = decltype(zero);
    std::transform(data<From>(), data<From>() + numel(), values.begin(), [](From v) { return static_cast<T>(v); });
  });
  return values;
}

bool Tensor::requires_grad() const { return get().node != nullptr; }
bool Tensor::is_leaf() const { return !get().node || get().node->is_leaf(); }

Tensor& Tensor::set_requires_grad(bool on) {
  DUEL_CHECK(is_leaf(), "set_requires_grad", "this tensor is the result of an op: detach() it first");
  DUEL_CHECK(is_floating(dtype()), "set_requires_grad", "expected a floating dtype, got {}", to_text(dtype()));
  if (!on) {
    impl_->node = nullptr;
  } else if (!impl_->node) {
    auto node = std::make_shared<detail::Node>();
    node->leaf = true;
    node->sequence = detail::next_sequence();
    node->shape = shape();
    node->dtype = dtype();
    node->device = device();
    impl_->node = std::move(node);
  }
  return *this;
}

Tensor Tensor::grad() const { return get().node ? get().node->grad : Tensor(); }
void Tensor::zero_grad() {
  if (get().node) impl_->node->grad = {};
}

Tensor Tensor::detach() const {
  auto impl = std::make_shared<detail::TensorImpl>(get());
  impl->node = nullptr;
  return Tensor(std::move(impl));
}

void Tensor::copy_(const Tensor& source) const {
  check_may_write(*this, "copy_");
  DUEL_CHECK(source.shape() == shape(), "copy_", "expected a source of shape {}, got {}", shape(), source.shape());
  if (source.dtype() == dtype()) {
    if (bytes() > 0) std::memmove(mutable_raw(), source.raw(), bytes());
    return;
  }
  with_type(dtype(), [&](auto to) {
    using To = decltype(to);
    const auto values = source.to_vector<To>();
    std::copy(values.begin(), values.end(), mutable_data<To>());
  });
}

void Tensor::fill_(double value) const {
  check_may_write(*this, "fill_");
  with_type(dtype(), [&](auto zero) {
    using T = decltype(zero);
    std::fill_n(mutable_data<T>(), numel(), static_cast<T>(value));
  });
}

Tensor Tensor::clone() const {
  Tensor copy = empty(shape(), options());
  if (bytes() > 0) std::memcpy(copy.mutable_raw(), raw(), bytes());
  return copy;
}

Tensor Tensor::to(DType dtype) const {
  Tensor copy = empty(shape(), {dtype, device()});
  copy.copy_(*this);
  return copy;
}

Tensor Tensor::reshape(std::initializer_list<int64_t> sizes) const {
  std::vector<int64_t> filled(sizes);
  const auto hole = std::find(filled.begin(), filled.end(), -1);
  if (hole != filled.end()) {
    int64_t known = 1;
    for (int64_t size : filled) known *= size == -1 ? 1 : size;
    DUEL_CHECK(std::count(filled.begin(), filled.end(), -1) == 1 && known > 0 && numel() % known == 0, "reshape",
               "cannot fill in -1: {} elements do not divide by {}", numel(), known);
    *hole = numel() / known;
  }
  return reshape(Shape(filled));
}

Tensor Tensor::reshape(const Shape& to) const {
  DUEL_CHECK(to.numel() == numel(), "reshape", "expected a shape of {} elements for {}, got {}", numel(), shape(), to);
  const Shape from = shape();
  return record("reshape", detail::view(*this, to, 0), {*this}, {},
                [from](const RuleContext&, const Tensor& g) -> std::vector<Tensor> { return {g.reshape(from)}; });
}

Tensor Tensor::flatten(int start) const {
  const int axis = rank() == start ? start : normalize_axis("flatten", start, rank());
  std::vector<int64_t> sizes(shape().begin(), shape().begin() + axis);
  sizes.push_back(shape().numel_from(axis));
  return reshape(Shape(sizes));
}

uint64_t Tensor::version() const { return get().storage->version; }
bool Tensor::same_storage(const Tensor& other) const { return get().storage == other.get().storage; }

std::string to_text(const Tensor& tensor) {
  return tensor.defined() ? to_text(tensor.dtype()) + " " + to_text(tensor.shape()) : "an undefined tensor";
}

#define DUEL_TENSOR_OF(T)                                                         \
  template Tensor Tensor::from<T>(std::span<const T>, const Shape&, Device);      \
  template const T* Tensor::data<T>() const;                                      \
  template T* Tensor::mutable_data<T>() const;                                    \
  template std::vector<T> Tensor::to_vector<T>() const;
DUEL_TENSOR_OF(float)
DUEL_TENSOR_OF(double)
DUEL_TENSOR_OF(uint8_t)
DUEL_TENSOR_OF(int64_t)

}  // namespace duel
