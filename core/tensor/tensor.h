// Tensor: a cheap handle to shared, always contiguous, row-major storage.
//
// Copying a Tensor copies the handle. reshape(), detach(), rows() and x[i] share storage; every other op returns
// fresh memory. Nothing but detach() and NoGrad cuts a graph: copies are recorded like any op. Rank 0 to 5;
// f32, f64, u8 or i64; an optional place in the autograd graph.
//
// Example:
//   Tensor x = Tensor::from({1.f, 2.f, 3.f}, {3}).set_requires_grad(true);
//   Tensor y = sum(x * x);                  // ops: duel/core/ops.h
//   Tensor dx = grad({y}, {x})[0];          // duel/core/tensor/autograd.h
//   double value = y.item();
//   std::cout << x;                         // in NumPy's layout
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
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

class TensorIndex;  // an integer, Slice, None, Ellipsis or i64 tensor: duel/core/tensor/indexing.h

class Tensor {
 public:
  /// An undefined tensor: only defined(), assignment and destruction are allowed.
  Tensor() = default;

  /// New tensors of a shape of at most 5 axes, f32 on the CPU by default: of any values, 0, 1 or `value`. Error for a
  /// negative size, a device that is not available, and where there is no memory.
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

  /// Whether this is a tensor at all.
  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const;
  int rank() const { return shape().rank(); }
  /// The size of an axis, under both names; negative counts from the end. (The rank is rank().)
  int64_t size(int axis) const { return shape()[axis]; }
  int64_t dim(int axis) const { return shape()[axis]; }
  /// Number of elements; 1 of rank 0.
  int64_t numel() const { return shape().numel(); }
  /// Of what, and where.
  DType dtype() const;
  Device device() const;
  TensorOptions options() const { return {dtype(), device()}; }

  /// Pointers to the first element, in the memory of the tensor's device; T must match dtype. mutable_data()
  /// counts as a change in place (see Note [Saved tensors carry a version] in autograd.h).
  template <class T>
  const T* data() const;
  template <class T>
  T* mutable_data() const;
  /// The same whatever the dtype.
  const void* raw() const;
  void* mutable_raw() const;
  /// Of the elements; storage may be larger.
  size_t bytes() const { return static_cast<size_t>(numel()) * size_of(dtype()); }

  /// The value of a tensor of one element. On a GPU it and to_vector() wait for what was started there.
  double item() const;
  /// The same as another type; exact for i64.
  template <Element T>
  T item() const;
  /// All values, converted.
  template <class T>
  std::vector<T> to_vector() const;

  // Autograd: see autograd.h.
  /// Whether gradients flow to it: a leaf that wants them, or the result of a recorded op.
  bool requires_grad() const;
  /// Makes a leaf that gradients are wanted for. Floating dtypes only; throws on a tensor made by an op. A
  /// parameter (mark_parameter) that is set to false is frozen: grad() and optimizers pass over it, and true
  /// wakes it.
  Tensor& set_requires_grad(bool on);
  /// A leaf is a tensor that no recorded op made.
  bool is_leaf() const;
  /// The gradient that backward() accumulated into this leaf; undefined before.
  Tensor grad() const;
  /// Forgets grad(); it is undefined again.
  void zero_grad();
  /// Keeps the gradient of an op's result, too, in grad() when a backward() passes it.
  void retain_grad() const;
  /// backward(*this): gradients of this tensor of one element, added into the leaves.
  void backward(bool retain_graph = false) const;
  /// f is called with the gradient of this tensor, whenever a walk has it whole; what f returns takes its place
  /// (undefined, or f returns nothing: the gradient stays). f is written with differentiable ops where the
  /// walk creates a graph. Returns a number for remove_hook. Several are called in the order of registration.
  using Hook = std::function<Tensor(const Tensor& grad)>;
  unsigned register_hook(Hook f) const;
  template <class F>
  requires std::is_void_v<std::invoke_result_t<F&, const Tensor&>>
  unsigned register_hook(F f) const {
    return register_hook(Hook([f = std::move(f)](const Tensor& grad) mutable {
      f(grad);
      return Tensor();
    }));
  }
  /// The hook is called no more. Error where there is none of this number.
  void remove_hook(unsigned number) const;
  /// The same storage without a graph.
  Tensor detach() const;

  /// In place, outside the graph: a target or a source that requires grad is refused unless NoGrad says that
  /// this is meant. Converts the dtype; the source may lie on another device.
  void copy_(const Tensor& source) const;
  /// Every element becomes `value`; refused as copy_ refuses.
  void fill_(double value) const;

  /// x = x + y for every handle of this tensor; y broadcasts to x, whose shape and dtype stay.
  /// Where nothing is recorded the storage is changed, as in copy_: views see it. Where the sum is recorded it lies
  /// in fresh memory: x becomes an op's result, views of it and what earlier ops saved of it keep the old
  /// values. A leaf that requires grad is refused unless NoGrad says that the change is meant.
  Tensor& operator+=(const Tensor& y) &;
  Tensor& operator-=(const Tensor& y) &;
  Tensor& operator*=(const Tensor& y) &;
  Tensor& operator/=(const Tensor& y) &;
  Tensor& operator+=(double y) &;
  Tensor& operator-=(double y) &;
  Tensor& operator*=(double y) &;
  Tensor& operator/=(double y) &;
  /// Of a view without a name, as in x[0] += 1: in place, and refused where it would be recorded and lost.
  template <class Y>
  void operator+=(const Y& y) && {
    refuse_recorded("+=", y);
    *this += y;
  }
  template <class Y>
  void operator-=(const Y& y) && {
    refuse_recorded("-=", y);
    *this -= y;
  }
  template <class Y>
  void operator*=(const Y& y) && {
    refuse_recorded("*=", y);
    *this *= y;
  }
  template <class Y>
  void operator/=(const Y& y) && {
    refuse_recorded("/=", y);
    *this /= y;
  }

  /// Index i of the leading axis, sharing storage as rows() does; negative counts from the end.
  Tensor operator[](int64_t i) const;
  /// NumPy's indexing of several axes, as a copy: duel/core/tensor/indexing.h.
  /// Example: x.index({2, Slice(0, 4), Ellipsis, None})
  Tensor index(std::initializer_list<TensorIndex> at) const;
  Tensor index(const std::vector<TensorIndex>& at) const;

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

  // The functions of duel/core/ops.h as members: x.sum({0, 2}) is sum(x, {0, 2}); shapes, errors and derivatives are said there.

  /// Over all elements, to a tensor of rank 0, or over axes (negative count from the end), which go or stay as 1:
  /// duel/core/ops/reduce/reduction.h, statistics.h, softmax.h.
  Tensor sum() const;
  Tensor sum(const Axes& axes, bool keep_axes = false) const;
  Tensor mean() const;
  Tensor mean(const Axes& axes, bool keep_axes = false) const;
  Tensor max() const;
  Tensor max(const Axes& axes, bool keep_axes = false) const;
  Tensor min() const;
  Tensor min(const Axes& axes, bool keep_axes = false) const;
  Tensor var() const;
  Tensor var(const Axes& axes, bool unbiased = true, bool keep_axes = false) const;
  Tensor std() const;
  Tensor std(const Axes& axes, bool unbiased = true, bool keep_axes = false) const;
  Tensor norm(double p = 2.0) const;
  Tensor norm(double p, const Axes& axes, bool keep_axes = false) const;
  Tensor prod() const;
  Tensor prod(int axis, bool keep_axis = false) const;
  Tensor logsumexp(const Axes& axes, bool keep_axes = false) const;
  Tensor argmax() const;
  Tensor argmax(int axis, bool keep_axis = false) const;
  Tensor argmin() const;
  Tensor argmin(int axis, bool keep_axis = false) const;
  Tensor all() const;
  Tensor any() const;
  Tensor cumsum(int axis) const;
  Tensor softmax(int axis) const;
  Tensor log_softmax(int axis) const;

  /// Element by element: duel/core/ops/map/arithmetic.h, comparison.h, activation.h.
  Tensor neg() const;
  Tensor abs() const;
  Tensor sign() const;
  Tensor exp() const;
  Tensor log() const;
  Tensor sqrt() const;
  Tensor rsqrt() const;
  Tensor square() const;
  Tensor reciprocal() const;
  Tensor pow(double exponent) const;
  Tensor pow(const Tensor& exponent) const;
  Tensor sin() const;
  Tensor cos() const;
  Tensor tanh() const;
  Tensor sigmoid() const;
  Tensor relu() const;
  Tensor floor() const;
  Tensor ceil() const;
  Tensor round() const;
  Tensor clamp(double low, double high) const;
  Tensor clamp_min(double low) const;
  Tensor clamp_max(double high) const;
  Tensor isnan() const;
  Tensor isfinite() const;
  Tensor logical_not() const;

  /// Products and movement: duel/core/ops/linear/matmul.h, map/movement.h, map/indexing.h.
  Tensor matmul(const Tensor& other) const;
  Tensor t() const;
  Tensor transpose(int axis_a, int axis_b) const;
  Tensor permute(const std::vector<int>& order) const;
  Tensor squeeze() const;
  Tensor squeeze(int axis) const;
  Tensor unsqueeze(int axis) const;
  Tensor expand(const Shape& shape) const;
  Tensor flip(const Axes& axes) const;
  Tensor gather(int axis, const Tensor& index) const;
  Tensor index_select(int axis, const Tensor& index) const;
  Tensor masked_fill(const Tensor& mask, double value) const;
  std::vector<Tensor> chunk(int64_t chunks, int axis = 0) const;
  std::vector<Tensor> split(int64_t size, int axis = 0) const;

  /// Number of in-place changes of the storage so far.
  uint64_t version() const;
  /// Whether a change in place of one is seen in the other.
  bool same_storage(const Tensor& other) const;

  /// Of Duel's own sources.
  const std::shared_ptr<detail::TensorImpl>& impl() const { return impl_; }
  explicit Tensor(std::shared_ptr<detail::TensorImpl> impl) : impl_(std::move(impl)) {}

 private:
  detail::TensorImpl& get() const;
  void refuse_recorded(const char* op, const Tensor& y) const;
  void refuse_recorded(const char* op, double) const { refuse_recorded(op, *this); }
  std::shared_ptr<detail::TensorImpl> impl_;
};

/// The values in NumPy's layout, then a line with dtype, shape and, where it is not the CPU, device. More than
/// 1,000 elements are summarised by the first and last three of every axis. On a GPU it waits.
std::string to_string(const Tensor& x);
std::ostream& operator<<(std::ostream& out, const Tensor& x);

/// "f32 [64, 784]"
std::string to_text(const Tensor& tensor);

}  // namespace duel
