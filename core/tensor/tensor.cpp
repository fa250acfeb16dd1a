#include "duel/core/tensor/tensor.h"

#include <algorithm>
#include <cstring>

#include "duel/core/tensor/internal/data_watch.h"
#include "duel/core/tensor/internal/node.h"
#include "duel/core/tensor/internal/with_type.h"
#include "duel/kernels/base/runtime.h"
#include "duel/kernels/map/elementwise.h"

namespace duel {
namespace detail {
DataWatch data_watch = nullptr;

Tensor view(const Tensor& base, const Shape& shape, size_t offset_bytes) {
  auto impl = std::make_shared<TensorImpl>();
  impl->storage = base.impl()->storage;
  impl->offset = base.impl()->offset + offset_bytes;
  impl->shape = shape;
  impl->dtype = base.dtype();
  DUEL_ASSERT(offset_bytes + static_cast<size_t>(shape.numel()) * size_of(impl->dtype) <= base.bytes());
  return Tensor(std::move(impl));
}

Tensor joined_in_place(const Tensor& a, const Tensor& b) {
  const TensorImpl &first = *a.impl(), &second = *b.impl();
  if (first.storage != second.storage || second.offset != first.offset + a.bytes() || a.rank() < 1 ||
      a.dtype() != b.dtype() || a.shape().with(0, 0) != b.shape().with(0, 0))
    return {};
  Tensor both = view(a, a.shape(), 0);
  both.impl()->shape = a.shape().with(0, a.dim(0) + b.dim(0));
  return both;
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
  impl.dtype = place.dtype();
  if (!impl.node || (impl.node->dtype == impl.dtype && impl.node->device == place.device())) return;
  // The old leaf node stays with graphs of the old dtype and device.
  impl.node = nullptr;
  Tensor(tensor).set_requires_grad(true);
}

bool is_frozen(const Tensor& tensor) {
  return tensor.defined() && tensor.impl()->parameter && !tensor.impl()->node;
}

void check_in_place(const char* op, const Tensor& target, const Tensor& source) {
  if (!grad_enabled()) return;
  DUEL_CHECK(!target.requires_grad(), op,
             "the target ({}) requires grad, and the graph would not see the change: write under NoGrad, "
             "or use an op that returns a new tensor",
             to_text(target));
  DUEL_CHECK(
      !source.defined() || !source.requires_grad(), op,
      "the source ({}) requires grad, and no gradient would flow back to it: write under NoGrad, detach() "
      "it, or use an op that returns a new tensor",
      to_text(source));
}

Tensor on_cpu(const Tensor& tensor) {
  if (!tensor.device().is_cuda()) return tensor;
  // unrecorded: AnomalyMode reads results by it
  Tensor copy = Tensor::empty(tensor.shape(), {tensor.dtype(), Device::cpu()});
  copy.copy_(tensor.detach());
  return copy;
}

void check_same_device(const char* op, const Tensor& a, const Tensor& b) {
  DUEL_CHECK(!a.defined() || !b.defined() || a.device() == b.device(), op,
             "expected tensors on one device, got {} on {} and {} on {}: move one with to()", to_text(a),
             a.device(), to_text(b), b.device());
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
  size_t bytes = 0;
  DUEL_CHECK(!__builtin_mul_overflow(static_cast<size_t>(shape.numel()), size_of(options.dtype), &bytes) &&
                 bytes <= INT64_MAX,
             "shape", "the bytes of {} {} do not fit in 63 bits", options.dtype, shape);
  impl->storage = std::make_shared<detail::Storage>(options.device, bytes);
  return Tensor(std::move(impl));
}

Tensor Tensor::full(const Shape& shape, double value, TensorOptions options) {
  Tensor tensor = empty(shape, options);
  tensor.fill_(value);
  return tensor;
}
Tensor Tensor::zeros(const Shape& shape, TensorOptions options) { return full(shape, 0.0, options); }
Tensor Tensor::ones(const Shape& shape, TensorOptions options) { return full(shape, 1.0, options); }

template <Element T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape, Device device) {
  if constexpr (std::same_as<T, int>) {
    return from(std::vector<int64_t>(values.begin(), values.end()), shape, device);
  } else {
    DUEL_CHECK(static_cast<int64_t>(values.size()) == shape.numel(), "from",
               "expected {} values for shape {}, got {}", shape.numel(), shape, values.size());
    Tensor tensor = empty(shape, {dtype_of<T>(), device});
    T* to = tensor.mutable_data<T>();
    if (device.is_cuda()) {
      kernels::runtime::copy_to_device(stream_of(device), to, values.data(), tensor.bytes());
    } else {
      std::copy(values.begin(), values.end(), to);
    }
    return tensor;
  }
}

const Shape& Tensor::shape() const { return get().shape; }
DType Tensor::dtype() const { return get().dtype; }
Device Tensor::device() const { return get().storage->device; }
const void* Tensor::raw() const {
  if (detail::data_watch) detail::data_watch(get().data(), bytes());
  return get().data();
}
void* Tensor::mutable_raw() const {
  DUEL_ASSERT(!get().storage->unit);  // the shared gradient 1
  ++get().storage->version;
  if (detail::data_watch) detail::data_watch(get().data(), bytes());
  return get().data();
}

template <class T>
const T* Tensor::data() const {
  DUEL_CHECK(dtype() == dtype_of<T>(), "tensor", "expected elements of {}, this tensor holds {}",
             to_text(dtype_of<T>()), to_text(dtype()));
  return static_cast<const T*>(raw());
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

template <Element T>
T Tensor::item() const {
  DUEL_CHECK(numel() == 1, "item", "expected a tensor of one element, got shape {}", shape());
  if constexpr (std::same_as<T, int>) {
    return static_cast<int>(to_vector<int64_t>()[0]);
  } else {
    return to_vector<T>()[0];
  }
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  std::vector<T> values(static_cast<size_t>(numel()));
  const Tensor here = detail::on_cpu(*this);
  detail::with_type(dtype(), [&](auto zero) {
    using From = decltype(zero);
    const From* from = here.data<From>();
    std::transform(from, from + numel(), values.begin(), [](From v) { return static_cast<T>(v); });
  });
  return values;
}

bool Tensor::requires_grad() const { return get().node != nullptr; }
bool Tensor::is_leaf() const { return !get().node || get().node->is_leaf(); }

Tensor& Tensor::set_requires_grad(bool on) {
  DUEL_CHECK(is_leaf(), "set_requires_grad", "this tensor is the result of an op: detach() it first");
  DUEL_CHECK(is_floating(dtype()), "set_requires_grad", "expected a floating dtype, got {}",
             to_text(dtype()));
  if (!on) {
    impl_->node = nullptr;
  } else if (!impl_->node) {
    auto node = std::make_shared<detail::Node>();
    node->leaf = true;
    node->sequence = detail::next_sequence();
    node->shape = shape();
    node->dtype = dtype();
    node->device = device();
    if (impl_->parameter) {
      node->is_parameter = true;
      node->name = *impl_->parameter;
    }
    impl_->node = std::move(node);
  }
  return *this;
}

Tensor Tensor::grad() const { return get().node ? get().node->grad : Tensor(); }
void Tensor::zero_grad() {
  if (get().node) impl_->node->grad = {};
}

void Tensor::retain_grad() const {
  DUEL_CHECK(requires_grad(), "retain_grad", "expected a tensor that requires grad, got {}", to_text(*this));
  impl_->node->retains_grad = true;
}

unsigned Tensor::register_hook(Hook f) const {
  DUEL_CHECK(requires_grad(), "register_hook", "expected a tensor that requires grad, got {}",
             to_text(*this));
  DUEL_CHECK(f, "register_hook", "expected a function, got an empty one");
  auto& hooks = impl_->node->hooks;
  const unsigned number = hooks.empty() ? 0 : hooks.back().first + 1;
  hooks.emplace_back(number, std::move(f));
  return number;
}

void Tensor::remove_hook(unsigned number) const {
  const auto of_number = [number](const auto& hook) { return hook.first == number; };
  DUEL_CHECK(get().node && std::erase_if(impl_->node->hooks, of_number) == 1, "remove_hook",
             "this tensor has no hook {}", number);
}

Tensor Tensor::detach() const {
  auto impl = std::make_shared<detail::TensorImpl>(get());
  impl->node = nullptr;
  impl->parameter = nullptr;
  return Tensor(std::move(impl));
}

void Tensor::copy_(const Tensor& source) const {
  detail::check_in_place("copy_", *this, source);
  DUEL_CHECK(source.shape() == shape(), "copy_", "expected a source of shape {}, got {}", shape(),
             source.shape());
  if (source.dtype() != dtype() && !(source.device() == device())) return copy_(source.to(dtype()));
  const void* from = source.raw();
  void* to = mutable_raw();
  if (bytes() == 0 || from == to) return;
  const bool to_gpu = device().is_cuda(), from_gpu = source.device().is_cuda();
  if (source.dtype() != dtype()) {
    detail::with_type(source.dtype(), [&](auto from_zero) {
      detail::with_type(dtype(), [&](auto to_zero) {
        using From = decltype(from_zero);
        using To = decltype(to_zero);
        kernels::cast<From, To>(stream_of(device()), numel(), static_cast<const From*>(from),
                                static_cast<To*>(to));
      });
    });
  } else if (to_gpu && from_gpu) {
    DUEL_CHECK(device() == source.device(), "copy_", "cannot copy from {} to {}: go through the CPU",
               source.device(), device());
    kernels::runtime::copy_on_device(stream_of(device()), to, from, bytes());
  } else if (to_gpu) {
    kernels::runtime::copy_to_device(stream_of(device()), to, from, bytes());
  } else if (from_gpu) {
    kernels::runtime::copy_to_host(stream_of(source.device()), to, from, bytes());
    synchronize(source.device());
  } else {
    std::memmove(to, from, bytes());
  }
}

void Tensor::fill_(double value) const {
  detail::check_in_place("fill_", *this);
  detail::with_type(dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::fill<T>(stream_of(device()), numel(), static_cast<T>(value), mutable_data<T>());
  });
}

namespace {

/// `back` undoes the copy for a gradient.
template <class Back>
Tensor recorded_copy(const char* op, const Tensor& source, TensorOptions options, Back back) {
  Tensor copy = Tensor::empty(source.shape(), options);
  copy.copy_(source.detach());
  if (!is_floating(options.dtype)) return copy;
  return record(op, std::move(copy), {source}, {},
                [back](const RuleContext&, const Tensor& g) -> std::vector<Tensor> { return {back(g)}; });
}

}  // namespace

Tensor Tensor::clone() const {
  return recorded_copy("clone", *this, options(), [](const Tensor& g) { return g; });
}

Tensor Tensor::to(DType dtype) const {
  return recorded_copy("to", *this, {dtype, device()},
                       [from = this->dtype()](const Tensor& g) { return g.to(from); });
}

Tensor Tensor::to(Device device) const {
  return recorded_copy("to", *this, {dtype(), device},
                       [from = this->device()](const Tensor& g) { return g.to(from); });
}

Tensor Tensor::reshape(std::initializer_list<int64_t> sizes) const {
  std::vector<int64_t> filled(sizes);
  const auto hole = std::find(filled.begin(), filled.end(), -1);
  if (hole != filled.end()) {
    DUEL_CHECK(std::count(filled.begin(), filled.end(), -1) == 1, "reshape",
               "expected one size of -1 at most, got {} for {}", std::count(filled.begin(), filled.end(), -1),
               shape());
    int64_t known = 1;
    for (int64_t size : filled) known *= size == -1 ? 1 : size;
    DUEL_CHECK(known > 0 && numel() % known == 0, "reshape",
               "cannot fill in -1: the {} elements of {} do not divide by the product of the other sizes, {}",
               numel(), shape(), known);
    *hole = numel() / known;
  }
  return reshape(Shape(filled));
}

Tensor Tensor::reshape(const Shape& to) const {
  DUEL_CHECK(to.numel() == numel(), "reshape", "expected a shape of {} elements for {}, got {}", numel(),
             shape(), to);
  const Shape from = shape();
  const Tensor y = record(
      "reshape", detail::view(*this, to, 0), {*this}, {},
      [from](const RuleContext&, const Tensor& g) -> std::vector<Tensor> { return {g.reshape(from)}; });
  if (y.impl()->node) y.impl()->node->reshapes = true;
  return y;
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

template int Tensor::item<int>() const;
template Tensor Tensor::from<int>(std::span<const int>, const Shape&, Device);
#define DUEL_TENSOR_OF(T)                                                    \
  template Tensor Tensor::from<T>(std::span<const T>, const Shape&, Device); \
  template const T* Tensor::data<T>() const;                                 \
  template T* Tensor::mutable_data<T>() const;                               \
  template std::vector<T> Tensor::to_vector<T>() const;                      \
  template T Tensor::item<T>() const;
DUEL_TENSOR_OF(float)
DUEL_TENSOR_OF(double)
DUEL_TENSOR_OF(uint8_t)
DUEL_TENSOR_OF(int64_t)

}  // namespace duel
