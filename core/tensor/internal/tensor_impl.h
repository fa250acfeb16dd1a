// What a Tensor handle points to. Internal to core/ and to nn's parameter storage: ops use record() and
// Tensor, not this.
#pragma once

#include <memory>
#include <string>

#include "duel/core/device/allocator.h"
#include "duel/core/tensor/tensor.h"

namespace duel::detail {

/// One block of memory, shared by a tensor and its reshapes and leading slices.
struct Storage {
  Storage(Device device_, size_t bytes_)
      : device(device_), bytes(bytes_), data(static_cast<std::byte*>(allocate(device_, bytes_))) {}
  ~Storage() { deallocate(device, data, bytes); }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  Device device;
  size_t bytes;
  std::byte* data;
  uint64_t version = 0;
  bool unit = false;  // ones that are shared: unit.h
};

struct TensorImpl {
  std::shared_ptr<Storage> storage;
  size_t offset = 0;  // bytes
  Shape shape;
  DType dtype = DType::f32;
  std::shared_ptr<Node> node;  // the op that made it, or its own leaf node; null without a graph
  // the name of a parameter, also while it is frozen; else null
  std::shared_ptr<const std::string> parameter;

  std::byte* data() const { return storage->data + offset; }
};

/// A handle to `count` leading-axis items of the same storage from byte offset `offset` on; no graph.
Tensor view(const Tensor& base, const Shape& shape, size_t offset_bytes);

/// [a; b] along the first axis in their own memory, no graph; undefined where b does not lie right behind a.
Tensor joined_in_place(const Tensor& a, const Tensor& b);

/// Copies the values of `tensor` to base's storage at byte offset `offset_bytes`, converted to base's dtype,
/// and makes `tensor` (every handle of it) live there. For leaves and tensors without graph. With the same
/// dtype and device a leaf keeps its place in recorded graphs and its gradient; otherwise it starts anew as a
/// leaf without gradient.
void move_to_storage(const Tensor& tensor, const Tensor& base, size_t offset_bytes);

/// Whether it is a parameter whose requires_grad was set to false.
bool is_frozen(const Tensor& tensor);

/// Error where changing `target` in place, by `source` if that is defined, would lose a gradient.
void check_in_place(const char* op, const Tensor& target, const Tensor& source = {});

/// The tensor itself where it lies on the CPU, else a copy there.
Tensor on_cpu(const Tensor& tensor);

/// Error that names `op` and both devices where they differ; an undefined tensor lies anywhere.
void check_same_device(const char* op, const Tensor& a, const Tensor& b);

}  // namespace duel::detail
