// The data set as the trainer sees it: u8 pixels resident on the device, batches gathered and normalised by
// index, in an order that is a function of (seed, position) alone.
//
// Example:
//   ResidentData data(set, device);
//   DataOrder order(data.count(), /*seed=*/1, device);
//   Tensor batch = data.batch(order.next(64), DType::f32);    // [64, C, H, W] in [-1, 1]
#pragma once

#include <cstdint>
#include <functional>

#include "duel/core/tensor/random.h"
#include "duel/core/tensor/tensor.h"
#include "duel/gan/data/image_set.h"

namespace duel::gan {

/// A new random permutation of the set every epoch; position p is item perm(epoch = p / n)(p % n), so a batch
/// may span two epochs and no sample is dropped or repeated within one. The position lives where the batches
/// are made: a captured graph goes on from replay to replay.
class DataOrder {
 public:
  DataOrder(int64_t count, uint64_t seed, Device device = {})
      : count_(count), device_(device), order_(seed) {}
  /// The next n items, i64 [n].
  Tensor next(int64_t n) { return order_.shuffled(n, count_, device_); }
  int64_t count() const { return count_; }
  Device device() const { return device_; }
  /// Calls `fill` with the state that gives the next n items of count(), for a kernel that draws them on the way.
  void draw(int64_t n, const std::function<void(const kernels::PhiloxState&)>& fill) {
    order_.draw(4 * n, device_, fill);
  }
  /// On a GPU this waits for it.
  int64_t position() const { return static_cast<int64_t>(order_.state().offset); }
  void set_position(int64_t position) {
    order_.set_state({order_.state().seed, 0, static_cast<uint64_t>(position)});
  }

 private:
  int64_t count_;
  Device device_;
  Generator order_;
};

class ResidentData {
 public:
  explicit ResidentData(const ImageSet& set, Device device = {});
  /// Samples that are no images, f32 or f64 [count, ...], as they are (points in the plane, say); labels i64
  /// [count] or none.
  explicit ResidentData(const Tensor& samples, const Tensor& labels = {});
  int64_t count() const { return samples_.dim(0); }
  /// Of one sample: [C, H, W] for images.
  Shape sample_shape() const;
  /// The index of the first n samples, i64 [n].
  Tensor first(int64_t n) const;
  /// [N, ...] of the given dtype; of images pixel 0 becomes -1 and 255 becomes 1.
  Tensor batch(const Tensor& index, DType dtype) const;
  struct Drawn {
    Tensor samples;  ///< [n, ...], then `behind`
    Tensor index;    ///< i64 [n]
  };
  /// The next n samples of the order, which is of this set or of its first samples, and, where it is defined,
  /// `behind` [k, ...] after them in the same memory; for images in one launch. No graph.
  Drawn next(DataOrder& order, int64_t n, DType dtype, const Tensor& behind = {}) const;
  /// i64 [N]; throws Error where the set has no labels.
  Tensor labels(const Tensor& index) const;
  bool has_labels() const { return labels_.defined(); }
  /// One more than the greatest label; 0 without labels.
  int64_t label_end() const { return label_end_; }
  Device device() const { return samples_.device(); }

 private:
  Tensor samples_;  // u8 pixels [count, 1, H, W], or floating samples
  Tensor labels_;   // u8 or i64
  int64_t label_end_ = 0;
};

}  // namespace duel::gan
