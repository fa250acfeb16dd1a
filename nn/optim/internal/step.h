// What an optimizer hands to the kernels: the states of its steps, and the part of an arena that one call
// updates.
#pragma once

#include <cstring>
#include <vector>

#include "duel/core/tensor/tensor.h"
#include "duel/kernels/map/elementwise.h"
#include "duel/kernels/training/optimizers.h"

namespace duel::nn::detail {

/// One StepState for each group of parameters in the memory of their device, at an address that captured steps
/// can rely on (Note [Graph-safe steps] in kernels/training/optimizers.h). On the host only the rates are
/// always known: nothing but set_lr changes them.
class StepMemory {
 public:
  StepMemory(const Device& device, double lr) : bytes_(Tensor::empty({0}, {DType::u8, device})) {
    add({.lr = lr});
  }
  /// One more group; the states may move.
  void add(const kernels::StepState& state) {
    std::vector<kernels::StepState> all = read();
    all.push_back(state);
    bytes_ = Tensor::empty({static_cast<int64_t>(all.size() * sizeof state)}, bytes_.options());
    write(all);
  }
  size_t size() const { return rates_.size(); }
  kernels::StepState* state(size_t group = 0) const {
    return reinterpret_cast<kernels::StepState*>(bytes_.mutable_data<uint8_t>()) + group;
  }
  double lr(size_t group) const { return rates_[group]; }
  /// The states' bytes.
  const Tensor& bytes() const { return bytes_; }
  /// On a GPU this waits for it.
  std::vector<kernels::StepState> read() const {
    const auto bytes = bytes_.to_vector<uint8_t>();
    std::vector<kernels::StepState> now(bytes.size() / sizeof(kernels::StepState));
    if (!now.empty()) std::memcpy(now.data(), bytes.data(), bytes.size());
    return now;
  }
  void write(const std::vector<kernels::StepState>& now) {
    std::vector<uint8_t> bytes(now.size() * sizeof(kernels::StepState));
    std::memcpy(bytes.data(), now.data(), bytes.size());
    bytes_.copy_(Tensor::from(bytes, bytes_.shape()));
    rates_.clear();
    for (const auto& state : now) rates_.push_back(state.lr);
  }
  void set_lr(size_t group, double lr) {
    // A fill: nothing is copied from the host, so nothing waits.
    kernels::fill(stream_of(bytes_.device()), 1, lr, &state(group)->lr);
    rates_[group] = lr;
  }

 private:
  Tensor bytes_;
  std::vector<double> rates_;
};

struct Segment {
  const void* gradient;  // null: zeros
  int64_t size;
};

/// One kernel call: `size` elements of a block from element `offset` on, all of one group, and the gradients
/// that cover them.
struct StepPart {
  const Tensor& flat;
  const std::vector<Tensor>& moments;
  const Tensor& ema;  // undefined: none
  int64_t* bad_step;
  double clip, ema_decay;
  bool ema_warm_up;
  bool advances;  // the state, before the update, by these
  double beta1, beta2;
  kernels::StepState* state = nullptr;  // the group's
  double weight_decay = 0;              // the group's
  int64_t offset = 0, size = 0;
  std::vector<Segment> segments = {};

  kernels::Stream stream() const { return stream_of(flat.device()); }

  template <class T>
  kernels::GradSegments<T> grads() const {
    kernels::GradSegments<T> all;
    for (const Segment& segment : segments) all.add(static_cast<const T*>(segment.gradient), segment.size);
    return all;
  }
  template <class T>
  T* parameters() const {
    return flat.mutable_data<T>() + offset;
  }
  /// Null when the optimizer has fewer moments.
  template <class T>
  T* moment(size_t slot) const {
    return slot < moments.size() ? moments[slot].mutable_data<T>() + offset : nullptr;
  }
  template <class T>
  kernels::UpdateExtras<T> extras() const {
    return {.clip = clip,
            .ema = ema.defined() ? ema.mutable_data<T>() + offset : nullptr,
            .ema_decay = ema_decay,
            .ema_warm_up = ema_warm_up,
            .bad_step = bad_step,
            .advanced = advances ? state : nullptr,
            .beta1 = beta1,
            .beta2 = beta2};
  }
};
}  // namespace duel::nn::detail
