// Tensor: a cheap handle to shared, always contiguous, row-major storage.
//
// Copying a Tensor copies the handle. reshape(), detach() and rows() share storage; every other op returns
// fresh memory. Nothing but detach() and NoGrad cuts a graph: copies are recorded like any op. Rank 0 to 5;
// f32, f64, u8 or i64; an optional place in the autograd graph.
//
// Example:
//   Tensor x = Tensor::from({1.f, 2.f, 3.f}, {3}).set_requires_grad(true);
//   Tensor y = sum(x * x);                  // ops: duel/core/ops.h
//   Tensor dx = grad({y}, {x})[0];          // duel/core/tensor/autograd.h
//   double value = y.item();
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "duel/core/device/device.h"
#include "duel/core/tensor/shape.h"

namespace duel {

namespace detail {
struct Storage;
struct TensorImpl;
struct Node;
}  // namespace detail

struct TensorOptions {
  DType dtype = DType::f32;
  Device device = {};
};

/// What a tensor can be made of: the four element types, and int, which becomes i64.
template <class T>
concept Element = std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, uint8_t> ||
    std::same_as<T, int64_t> || std::same_as<T, int>;

class Tensor {
 public:
  /// An undefined tensor: only defined(), assignment and destruction are allowed.
  Tensor() = default;

  static Tensor empty(const Shape& shape, TensorOptions options = {});
  static Tensor zeros(const Shape& shape, TensorOptions options = {});
  static Tensor ones(const Shape& shape, TensorOptions options = {});
  static Tensor full(const Shape& shape, double value, TensorOptions options = {});
  /// Copies `values` (numel of them) to the device; the dtype is that of T, i64 for int.
  template <Element T>
  static Tensor from(std::span<const T> values, const Shape& shape, Device device = {});
  template <Element T>
  static Tensor from(const std::vector<T>& values, const Shape& shape, Device device = {}) {
    return from(std::span<const T>(values), shape, device);
  }
  template <Element T>
  static Tensor from(std::initializer_list<T> values, const Shape& shape, Device device = {}) {
    return from(std::span<const T>(values.begin(), values.size()), shape, device);
  }

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const;
  int rank() const { return shape().rank(); }
  int64_t dim(int axis) const { return shape()[axis]; }
  int64_t numel() const { return shape().numel(); }
  DType dtype() const;
  Device device() const;
  TensorOptions options() const { return {dtype(), device()}; }

  /// Pointers to the first element, in the memory of the tensor's device; T must match dtype. mutable_data()
  /// counts as a change in place (see Note [Saved tensors carry a version] in autograd.h).
  template <class T>
  const T* data() const;
  template <class T>
  T* mutable_data() const;
  const void* raw() const;
  void* mutable_raw() const;
  size_t bytes() const { return static_cast<size_t>(numel()) * size_of(dtype()); }

  /// The value of a tensor of one element. On a GPU it and to_vector() wait for what was started there.
  double item() const;
  /// All values, converted.
  template <class T>
  std::vector<T> to_vector() const;

  // Autograd: see autograd.h.
  bool requires_grad() const;
  /// Makes a leaf that gradients are wanted for. Floating dtypes only; throws on a tensor made by an op. A
  /// parameter (mark_parameter) that is set to false is frozen: grad() and optimizers pass over it, and true
  /// wakes it.
  Tensor& set_requires_grad(bool on);
  /// A leaf is a tensor that no recorded op made.
  bool is_leaf() const;
  /// The gradient that backward() accumulated into this leaf; undefined before.
  Tensor grad() const;
  void zero_grad();
  /// The same storage without a graph.
  Tensor detach() const;

  /// In place, outside the graph: a target or a source that requires grad is refused unless NoGrad says that
  /// this is meant. Converts the dtype; the source may lie on another device.
  void copy_(const Tensor& source) const;
  void fill_(double value) const;

  /// A copy in fresh memory, differentiable.
  Tensor clone() const;
  /// Shares storage; one size may be -1.
  Tensor reshape(const Shape& shape) const;
  Tensor reshape(std::initializer_list<int64_t> sizes) const;
  /// Axes from `start` on joined to one: [N, C, H, W] with start 1 gives [N, C*H*W].
  Tensor flatten(int start = 1) const;
  /// A copy with another dtype; differentiable between floating dtypes.
  Tensor to(DType dtype) const;
  /// A copy on another device, differentiable.
  Tensor to(Device device) const;

  /// Number of in-place changes of the storage so far.
  uint64_t version() const;
  bool same_storage(const Tensor& other) const;

  const std::shared_ptr<detail::TensorImpl>& impl() const { return impl_; }
  explicit Tensor(std::shared_ptr<detail::TensorImpl> impl) : impl_(std::move(impl)) {}

 private:
  detail::TensorImpl& get() const;
  std::shared_ptr<detail::TensorImpl> impl_;
};

/// "f32 [64, 784]"
std::string to_text(const Tensor& tensor);

}  // namespace duel
